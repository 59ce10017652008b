"""How the values of a column become those of another type, and what may be lost on the way.

A value that does not fit stops the migration on both databases, and the rows stay as they are.
"""

from __future__ import annotations

from sternpost.ports.conversions import (
    CONVERT,
    DATE_TEXT,
    INSTANT_TEXT,
    NUMBER_TEXT,
    UUID_TEXT,
    WHOLE_TEXT,
    ZONE_TEXT,
)
from sternpost.ports.schema import Sql, Type

_SAME = {"string": "text", "enum": "text", "position": "integer"}

_HEX_TO_UUID = (
    "substr({c},1,8)||'-'||substr({c},9,4)||'-'||substr({c},13,4)||'-'||substr({c},17,4)||'-'||substr({c},21)"
)
_UTC = "{c} AT TIME ZONE 'UTC'"
_INSTANT_TEXT = (
    f"""to_char({_UTC}, 'YYYY-MM-DD"T"HH24:MI:SS') """
    f"|| CASE to_char({_UTC}, 'US') WHEN '000000' THEN '' ELSE to_char({_UTC}, '.US') END || 'Z'"
)


def _read(pattern: str, what: str, type: str) -> str:
    """A cast in PostgreSQL that takes only texts of one form: its own read "tomorrow", and depend on the session."""
    return f"CAST(CASE WHEN {{c}} ~ '^{pattern}$' THEN {{c}} ELSE 'not {what}: ' || {{c}} END AS {type})"


_AS_INSTANT = (
    f"CAST(CASE WHEN {{c}} !~ '^{INSTANT_TEXT}$' THEN 'not a time: ' || {{c}} "
    f"WHEN {{c}} ~ '{ZONE_TEXT}$' THEN {{c}} ELSE {{c}} || 'Z' END AS TIMESTAMPTZ)"
)
_READ_INSTANT = (  # within Python's years, whatever its zone
    f"CASE WHEN {_AS_INSTANT} BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59.999999Z' THEN {_AS_INSTANT} "
    "ELSE CAST('not in the years 1 to 9999: ' || {c} AS TIMESTAMPTZ) END"
)
_READ_TRUTH = (
    "CASE {c} WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE ELSE CAST('neither true nor false: ' || {c} AS BOOLEAN) END"
)

_LOSSLESS: dict[tuple[str, str], tuple[str | None, str]] = {
    # (from, to): on SQLite (None for the function that `CONVERT` names), on PostgreSQL
    ("integer", "text"): ("CAST({c} AS TEXT)", "CAST({c} AS TEXT)"),
    ("integer", "decimal"): (None, "CAST({c} AS {type})"),
    ("number", "text"): (None, "CAST({c} AS TEXT)"),
    ("decimal", "text"): (None, "CAST({c} AS TEXT)"),
    ("uuid", "text"): ("{c}", "CAST({c} AS TEXT)"),
    ("id", "uuid"): (_HEX_TO_UUID, "{c}"),
    ("uuid", "id"): ("replace({c}, '-', '')", "{c}"),
    ("boolean", "integer"): ("{c}", "CAST(CAST({c} AS INTEGER) AS BIGINT)"),
    ("boolean", "text"): ("CASE {c} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END", "CAST({c} AS TEXT)"),
    ("date", "text"): ("{c}", "to_char({c}, 'YYYY-MM-DD')"),
    ("date", "datetime"): ("{c} || 'T00:00:00'", "CAST({c} AS TIMESTAMP) AT TIME ZONE 'UTC'"),
    ("datetime", "text"): ("{c} || 'Z'", _INSTANT_TEXT),
}
"""Every value survives, as far as it fits: a whole number may have more digits than a decimal."""

_NUMBERS = "the original notation of the numbers"
_NARROWING: dict[tuple[str, str], tuple[str | None, str, str]] = {
    ("text", "integer"): (None, _read(WHOLE_TEXT, "a whole number", "BIGINT"), _NUMBERS),
    ("text", "number"): (None, _read(NUMBER_TEXT, "a number", "DOUBLE PRECISION"), _NUMBERS),
    ("text", "decimal"): (None, _read(NUMBER_TEXT, "a number", "{type}"), _NUMBERS),
    ("text", "boolean"): (None, _READ_TRUTH, "nothing but true and false"),
    ("text", "uuid"): (None, _read(UUID_TEXT, "a UUID", "UUID"), "the original notation of the UUIDs"),
    ("text", "date"): (None, _read(DATE_TEXT, "a date", "DATE"), "the original notation of the dates"),
    ("text", "datetime"): (None, _READ_INSTANT, "the original notation of the times"),
    ("integer", "number"): ("CAST({c} AS REAL)", "CAST({c} AS DOUBLE PRECISION)", "digits after the fifteenth"),
    ("integer", "boolean"): ("{c} <> 0", "{c} <> 0", "every number except 0 and 1"),
    ("number", "integer"): (None, "CAST(round({c}) AS BIGINT)", "digits after the decimal point"),
    ("number", "decimal"): (None, "CAST({c} AS {type})", "digits beyond the declared decimal places"),
    ("decimal", "integer"): (None, "CAST(trunc({c}) AS BIGINT)", "digits after the decimal point"),
    ("decimal", "number"): (None, "CAST({c} AS DOUBLE PRECISION)", "digits after the fifteenth"),
    ("datetime", "date"): ("substr({c}, 1, 10)", f"CAST({_UTC} AS DATE)", "the time of day"),
}


def conversion(old: Type, new: Type, column: str) -> tuple[Sql, str | None] | None:
    """The new value as SQL over the old one, and what may be lost; None where there is no obvious way."""
    before, after = _sort(old), _sort(new)
    if before == after == "decimal":
        return _expressions(None, "CAST({c} AS {type})", old, new, column), _lost_digits(old, new)
    if before == after:
        return Sql(column, column), None
    if new.form == "enum":
        return None  # its values are words, which nothing but a text holds
    if found := _LOSSLESS.get((before, after)):
        return _expressions(*found, old, new, column), None
    if found := _NARROWING.get((before, after)):
        lite, post, narrowing = found
        return _expressions(lite, post, old, new, column), narrowing
    return None


def _sort(type: Type) -> str:
    return "decimal" if type.digits else _SAME.get(type.form, type.form)


def _expressions(lite: str | None, post: str, old: Type, new: Type, column: str) -> Sql:
    def filled(text: str) -> str:  # regular expressions have braces of their own
        return text.replace("{c}", column).replace("{type}", new.postgresql)

    return Sql(filled(f"{CONVERT}({{c}}, '{old.form}', '{new.form}')" if lite is None else lite), filled(post))


def _lost_digits(old: Type, new: Type) -> str | None:
    (digits, places), (digits_after, places_after) = old.digits or (0, 0), new.digits or (0, 0)
    narrower = places_after < places or digits_after - places_after < digits - places
    return "decimal places that the new type does not have" if narrower else None
