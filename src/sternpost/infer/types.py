"""Which kind of field a column becomes, told by its type and, in SQLite, by its values."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sternpost.kinds import EXTERNAL_DIGITS_MAX, NUMERIC, TEXT_INSTANTS
from sternpost.plan.conditions import rules_in
from sternpost.plan.model import Kind
from sternpost.plan.rules import OneOf
from sternpost.storage.sql.tables import FoundColumn, FoundTable

_POSTGRESQL: dict[str, tuple[Kind, str | None]] = {
    "smallint": ("integer", None),
    "integer": ("integer", None),
    "bigint": ("integer", None),
    "text": ("string", None),
    "character varying": ("string", None),
    "character": ("string", "char"),
    "citext": ("string", None),
    "name": ("string", None),
    "real": ("number", None),
    "double precision": ("number", None),
    "boolean": ("boolean", None),
    "numeric": ("decimal", None),
    "timestamp with time zone": ("datetime", None),
    "timestamp without time zone": ("datetime", "timestamp"),
    "date": ("date", None),
    "time without time zone": ("time", None),
    "inet": ("ip", None),
    "bytea": ("bytes", None),
    "uuid": ("uuid", None),
    "json": ("json", None),
    "jsonb": ("json", None),
    "enum": ("enum", None),
}
ELEMENTS = {
    "text": "str",
    "character varying": "str",
    "smallint": "int",
    "integer": "int",
    "bigint": "int",
    "boolean": "bool",
    "real": "float",
    "double precision": "float",
}
STRING_TYPE = re.compile(r"CHAR|CLOB|TEXT|STRING|ENUM")


SQLITE_DIGITS = 15
"""Digits that SQLite's numbers with a fraction keep: they are binary."""


def digits_of(column: FoundColumn, *, sqlite: bool) -> dict[str, Any]:
    """The digits of a decimal, as the type says them, or as the values need them."""
    most = SQLITE_DIGITS if sqlite else EXTERNAL_DIGITS_MAX
    if not sqlite and column.scale is not None and column.precision:
        return {"decimal_places": min(column.scale, most), "max_digits": min(column.precision, most)}
    if not sqlite:  # each value has places of its own
        return {"storage": NUMERIC}
    places, whole = _needed(column)  # SQLite holds no column to its type
    if column.scale is not None and column.precision:
        places, whole = max(places, column.scale), max(whole, column.precision - column.scale)
        return {"decimal_places": min(places, most), "max_digits": min(places + whole, most)}
    return {"decimal_places": min(max(places, 2), most), "max_digits": most}


def kind_of(table: FoundTable, column: FoundColumn, *, sqlite: bool) -> tuple[Kind | None, str | None, str]:
    """A column's kind and how it keeps it; None with the reason where it has none."""
    if sqlite:
        return _sqlite_kind(table, column)
    if column.type == "array":
        if column.dimensions > 1:
            return None, None, f"an array of {column.dimensions} dimensions is not supported in a contract"
        if column.element in ELEMENTS:
            return "json", "array", ""
        return None, None, f"an array of {column.element} is not supported in a contract"
    if column.type == "numeric" and column.scale is not None and not 0 <= column.scale <= (column.precision or 0):
        scale = f"the scale of numeric({column.precision},{column.scale}) is not between 0 and the precision"
        return None, None, f"{scale}, which is not supported in a contract"
    if column.type == "enum" and not column.choices:
        return None, None, "its type has no values"
    if column.type == "enum" and column.domains:
        return None, None, "a domain over an enum type cannot be compared with a value"
    if column.type in _POSTGRESQL:
        return (*_POSTGRESQL[column.type], "")
    return None, None, f"the type {column.type} is not supported in a contract"


def _sqlite_kind(table: FoundTable, column: FoundColumn) -> tuple[Kind | None, str | None, str]:
    name = column.type
    if "BOOL" in name or name == "BIT":
        if any(value not in (0, 1) for value in column.samples):
            return None, None, f"the column has the type {name}, but contains values that are neither 0 nor 1"
        return "boolean", None, ""
    if name.startswith(("DATETIME", "TIMESTAMP", "DATE")):
        return _sqlite_instant(column)
    if "INT" in name:
        return ("boolean" if _is_flag(table, column) else "integer"), None, ""
    if _uuids(column):
        return "uuid", None, ""
    if name in ("UUID", "GUID", "UNIQUEIDENTIFIER") and not column.samples:
        return "uuid", None, ""
    if name.startswith("JSON"):
        return "json", None, ""
    if STRING_TYPE.search(name) or name.startswith("TIME"):
        return "string", None, ""
    if any(sign in name for sign in ("REAL", "FLOA", "DOUB")):
        return "number", None, ""
    if name.startswith(("DEC", "NUMERIC", "NUMBER", "MONEY", "CURRENCY", "SMALLMONEY")):
        if not all(isinstance(value, int | float) for value in column.samples):
            return None, None, f"the column has the type {name}, but contains values that are not numbers"
        if column.precision is not None and column.scale == 0 and not _needed(column)[0]:
            return "integer", None, ""
        # what is more exact than that, or as large, is only kept as the binary number that it is
        return ("decimal" if sum(_needed(column)) <= SQLITE_DIGITS else "number"), None, ""
    return None, None, f"the type {name} is not supported in a contract" if name else "its type is not declared"


def _sqlite_instant(column: FoundColumn) -> tuple[Kind | None, str | None, str]:
    """Derives the format of times from the stored values. All must have the same one, so that they sort."""
    if column.type == "DATE" and all(_is_day(value) for value in column.samples):
        return "date", None, ""
    for storage in _INSTANTS:
        if all(_kept_as(storage, value) for value in column.samples):
            return "datetime", None if storage == "timestamp" else storage, ""
    return None, None, "its dates and times are not all stored in the same known format"


def _is_flag(table: FoundTable, column: FoundColumn) -> bool:
    """Whether a condition of the table allows a whole number to be 0 or 1 and nothing else."""
    return any(
        isinstance(rule, OneOf) and set(rule.values) == {"0", "1"} and rule.column.lower() == column.name.lower()
        for condition in table.checks
        for rule in rules_in(condition, brackets_quote=True) or ()
    )


_NUMBER = re.compile(r"-?\d+(\.\d*)?")


def _needed(column: FoundColumn) -> tuple[int, int]:
    """The places, and the digits before the point, that the values have, and the one that the database fills in."""
    places, whole = 0, 0
    default = [column.default] if column.default and _NUMBER.fullmatch(column.default) else []
    for value in (*column.samples, *default):
        found = Decimal(str(value)).normalize()
        exponent = found.as_tuple().exponent
        if isinstance(exponent, int):
            places, whole = max(places, -exponent), max(whole, found.adjusted() + 1 if found else 0)
    return places, whole


def is_uuid(value: Any) -> bool:
    """A UUID as its usual text: with dashes, in lower case."""
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def _uuids(column: FoundColumn) -> bool:
    return bool(column.samples) and all(is_uuid(value) for value in column.samples)


_INSTANTS = (*TEXT_INSTANTS, "date text", "unix seconds", "unix milliseconds")
_FIRST_OF_MILLISECONDS = 10**11
"""A number as large is taken for milliseconds since 1970: as seconds it would be the year 5138."""


def _kept_as(storage: str, value: Any) -> bool:
    """Whether an instant is kept in just this form: it is compared as it stands."""
    if storage.startswith("unix"):
        return isinstance(value, int) and (abs(value) > _FIRST_OF_MILLISECONDS) == (storage == "unix milliseconds")
    if storage == "date text":
        return _is_day(value)
    between, precision, zone = TEXT_INSTANTS[storage]
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return value == instant.replace(tzinfo=None).isoformat(between, precision) + zone


def _is_day(value: Any) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
