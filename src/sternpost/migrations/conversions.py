"""How the values of a column become those of another type, and what may be lost on the way."""

from __future__ import annotations

from collections.abc import Callable

from sternpost.ports.schema import Sql, Type

_SAME = {"string": "text", "enum": "text", "position": "integer"}

_DATETIME_TEXT = """to_char({c} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')"""
_HEX_TO_UUID = (
    "substr({c},1,8)||'-'||substr({c},9,4)||'-'||substr({c},13,4)||'-'||substr({c},17,4)||'-'||substr({c},21)"
)

_LOSSLESS: dict[tuple[str, str], tuple[str, str]] = {
    # (from, to): on SQLite, on PostgreSQL
    ("integer", "text"): ("CAST({c} AS TEXT)", "CAST({c} AS TEXT)"),
    ("number", "text"): ("CAST({c} AS TEXT)", "CAST({c} AS TEXT)"),
    ("uuid", "text"): ("{c}", "CAST({c} AS TEXT)"),
    ("id", "uuid"): (_HEX_TO_UUID, "{c}"),
    ("uuid", "id"): ("replace({c}, '-', '')", "{c}"),
    ("boolean", "integer"): ("{c}", "CAST(CAST({c} AS INTEGER) AS BIGINT)"),
    ("boolean", "text"): ("CASE {c} WHEN 1 THEN 'true' ELSE 'false' END", "CAST({c} AS TEXT)"),
    ("date", "text"): ("{c}", "to_char({c}, 'YYYY-MM-DD')"),
    ("date", "datetime"): ("{c} || 'T00:00:00'", "CAST({c} AS TIMESTAMP) AT TIME ZONE 'UTC'"),
    ("datetime", "text"): ("{c}", _DATETIME_TEXT),
}

_NARROWING: dict[tuple[str, str], tuple[str, str, str]] = {
    # A STRICT table of SQLite refuses a text that is no number, as PostgreSQL's cast does: nothing becomes 0 in
    # silence.
    ("text", "integer"): ("{c}", "CAST({c} AS BIGINT)", "the original notation of the numbers"),
    ("text", "number"): ("{c}", "CAST({c} AS DOUBLE PRECISION)", "the original notation of the numbers"),
    ("text", "uuid"): ("{c}", "CAST({c} AS UUID)", "the original notation of the UUIDs"),
    ("text", "date"): ("substr({c}, 1, 10)", "CAST({c} AS DATE)", "the original notation of the dates"),
    ("text", "datetime"): (
        "rtrim({c}, 'Z')",
        "CAST({c} || 'Z' AS TIMESTAMPTZ)",
        "the original notation of the times",
    ),
    ("integer", "number"): ("CAST({c} AS REAL)", "CAST({c} AS DOUBLE PRECISION)", "digits after the fifteenth"),
    ("number", "integer"): (
        "CAST(round({c}) AS INTEGER)",
        "CAST(round({c}) AS BIGINT)",
        "digits after the decimal point",
    ),
    ("integer", "boolean"): ("{c} <> 0", "{c} <> 0", "every number except 0 and 1"),
    ("datetime", "date"): ("substr({c}, 1, 10)", "CAST({c} AT TIME ZONE 'UTC' AS DATE)", "the time of day"),
}


def conversion(old: Type, new: Type, column: str) -> tuple[Sql, str | None] | None:
    """The new value as SQL over the old one, and what may be lost; None where there is no obvious way."""
    before, after = _SAME.get(old.form, old.form), _SAME.get(new.form, new.form)
    if before == after:
        return Sql(column, column), None
    if found := _LOSSLESS.get((before, after)):
        return Sql(*(text.format(c=column) for text in found)), None
    if found := _NARROWING.get((before, after)):
        return Sql(found[0].format(c=column), found[1].format(c=column)), found[2]
    if "decimal" in before or "decimal" in after:
        return _with_decimal(old, new, column)
    return None


def _with_decimal(old: Type, new: Type, column: str) -> tuple[Sql, str | None] | None:
    """SQLite keeps a decimal as an integer of its smallest unit."""
    before, after = _SAME.get(old.form, old.form), _SAME.get(new.form, new.form)
    old_digits, new_digits = old.digits, new.digits
    cast = f"CAST({column} AS {new.postgresql})"
    if old_digits and new_digits:
        (digits, places), (digits_after, places_after) = old_digits, new_digits
        narrower = places_after < places or digits_after - places_after < digits - places
        steps = places_after - places
        text = f"{column} * {10**steps}" if steps >= 0 else f"CAST(round({column} / {10.0**-steps}) AS INTEGER)"
        return Sql(text, cast), "decimal places that the new type does not have" if narrower else None
    known: dict[str, Callable[[int], tuple[str, str, str | None]]] = {
        "to integer": lambda unit: (
            f"{column} / {unit}",
            f"CAST(trunc({column}) AS BIGINT)",
            "digits after the decimal point",
        ),
        "to number": lambda unit: (f"{column} / {unit}.0", cast, "digits after the fifteenth"),
        "to text": lambda unit: (
            f"printf('%s%d.%0{len(str(unit)) - 1}d', CASE WHEN {column} < 0 THEN '-' ELSE '' END, "
            f"abs({column}) / {unit}, abs({column}) % {unit})",
            f"CAST({column} AS TEXT)",
            None,
        ),
        "from integer": lambda unit: (f"{column} * {unit}", cast, None),
        "from number": lambda unit: (
            f"CAST(round({column} * {unit}) AS INTEGER)",
            cast,
            "digits beyond the declared decimal places",
        ),
        "from text": lambda unit: (
            # What is no number stays text, and the STRICT table refuses it.
            f"CASE WHEN {column} = '' OR {column} GLOB '*[^0-9.-]*' THEN {column} "
            f"ELSE CAST(round({column} * {unit}.0) AS INTEGER) END",
            cast,
            "the original notation of the numbers",
        ),
    }
    places = (old_digits or new_digits or (0, 0))[1]
    found = known.get(f"to {after}" if old_digits else f"from {before}")
    if found is None:
        return None
    lite, post, narrowing = found(10**places)
    return Sql(lite, post), narrowing
