"""SQLite's column types and the form of its values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import BindParameter, Column, ColumnElement, Integer, Table, case, exists, func, literal_column, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.expression import cast

from sternpost import exact_json
from sternpost.kinds import DIGITS_MAX, NUMERIC, TEXT_INSTANTS, parse_ip, write_bytes
from sternpost.plan.model import FieldPlan, Kind
from sternpost.storage.sql.dialect import Codec, ColumnType, Dialect, end_is, quoted, with_quotes_around
from sternpost.storage.sql.external import checked, utc
from sternpost.storage.sql.lengths_of_time import duration_text, microseconds
from sternpost.storage.sqlite.audit import SqliteAudit
from sternpost.storage.sqlite.outbox import OUTBOX_TYPES
from sternpost.storage.sqlite.overlaps import SqliteOverlaps
from sternpost.storage.sqlite.search import SqliteSearch

_TYPES: dict[Kind, str] = {
    "id": "TEXT",
    "string": "TEXT",
    "integer": "INTEGER",
    "number": "REAL",
    "boolean": "INTEGER",
    "decimal": "INTEGER",
    "datetime": "TEXT",
    "date": "TEXT",
    "time": "TEXT",
    "duration": "INTEGER",
    "uuid": "TEXT",
    "ip": "TEXT",
    "bytes": "BLOB",
    "enum": "TEXT",
    "json": "TEXT",
}


class SqliteDialect:
    """Values as SQLite keeps them.

    - An instant is ISO 8601 text in UTC without its zone and without empty fractions: it sorts as text, and only a `Z`
      is missing for a client.
    - A decimal is an integer of its smallest unit, so that comparing, sorting and adding stay exact.
    - A duration is the number of its microseconds.
    """

    name = "sqlite"
    locks_rows = False  # a write transaction is alone
    try_lock = None
    takes_arrays_of_rows = False
    decimals_are_whole_numbers = True
    numbers_parameters = False
    table_options: dict[str, Any] = {"sqlite_strict": True}  # noqa: RUF012  (part of the Dialect protocol)

    outbox_types = OUTBOX_TYPES
    now = "strftime('%Y-%m-%dT%H:%M:%f', 'now')"

    def __init__(self) -> None:
        self.compiler = with_quotes_around(sqlite.dialect(paramstyle="qmark"), ("nothing", "returning"))
        self.audit = SqliteAudit(self.decode)
        self.overlaps = SqliteOverlaps()
        self.search = SqliteSearch()

    def truth(self, column: str) -> str | None:
        return f"{column} IN (0, 1)"

    @property
    def external(self) -> Dialect:
        return ExternalSqliteDialect()

    def column_type(self, field: FieldPlan) -> ColumnType:
        return ColumnType(_TYPES[field.kind])

    def encode(self, field: FieldPlan) -> Codec:
        match field.kind:
            case "decimal":
                factor = 10 ** (field.decimal_places or 0)
                return lambda value: int(Decimal(value) * factor)
            case "datetime":
                return _instant_text
            case "date":
                return date.isoformat
            case "time":
                return time.isoformat
            case "duration":
                return microseconds
            case "uuid" | "ip":
                return str
            case "json":
                return lambda value: exact_json.dumps(value).decode()
            case "boolean":
                return int
            case "enum":
                return str
            case _:
                return None

    def decode(self, field: FieldPlan, prefix: str | None) -> Codec:
        match field.kind:
            case "id":
                start = f"{prefix}_"
                return lambda digits: start + digits
            case "decimal":
                places = field.decimal_places or 0
                return lambda value: format(Decimal(value).scaleb(-places), "f")
            case "datetime":
                return lambda value: value + "Z"
            case "duration":
                return duration_text
            case "bytes":
                return write_bytes
            case "number":
                return float  # what a statement gives back of the row that it writes is whole where the number is
            case "boolean":
                return bool
            case "json":
                return exact_json.read
            case _:
                return None

    def to_cursor(self, field: FieldPlan) -> Codec:
        return repr if field.kind == "number" else None  # JSON knows no infinity

    def from_cursor(self, field: FieldPlan) -> Codec:
        return float if field.kind == "number" else None

    def is_any_of(self, column: Column[Any], values: BindParameter[Any], field: FieldPlan) -> ColumnElement[bool]:
        # in that schema there are no tables of the contract, one of which may have the function's name
        array = func.temp.json_each(values).table_valued("value")
        return column.in_(select(array.c.value))

    def fits(self, field: FieldPlan, column_type: str) -> bool:
        return True

    def member(self, column: ColumnElement[Any], names: Sequence[str], field: FieldPlan) -> ColumnElement[Any]:
        path = "".join(f'."{name}"' for name in names)
        value = func.json_extract(column, _written(quoted(f"${path}")))
        match field.kind:
            case "datetime":
                return func.rtrim(value, _written("'Z'"))
            case "decimal":
                return _smallest_units(value, field.decimal_places or 0)
            case _:
                return value

    def encode_member(self, field: FieldPlan) -> Codec:
        return SqliteDialect.encode(self, field)

    def compared(self, value: BindParameter[Any], field: FieldPlan) -> ColumnElement[Any]:
        return value

    def bind_array(self, values: list[Any]) -> Any:
        return orjson.dumps(values).decode()

    def raw(self, value: Any) -> Any:
        match value:
            case datetime():
                return _instant_text(value)
            case date() | time():
                return value.isoformat()
            case timedelta():
                return microseconds(value)
            case UUID() | IPv4Address() | IPv6Address():
                return str(value)
            case Decimal():
                raise TypeError(
                    "SQLite stores a decimal as an integer of its smallest unit: bind that, such as 1050 for 10.50"
                )
            case None | str() | int() | float() | bytes():
                return value
            case _:
                raise TypeError(f"A {type(value).__name__} cannot be bound; bind text, numbers, dates or bytes")

    def contains(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return func.instr(column, value) > literal_column("0")

    def holds(
        self, column: ColumnElement[Any], values: BindParameter[Any], field: FieldPlan, *, every: bool
    ) -> ColumnElement[bool]:
        wanted = func.temp.json_each(values).table_valued("value")
        held = func.temp.json_each(column).table_valued("value")
        items = select(held.c.value).where(held.c.value.is_not(None))
        if every:
            return ~exists(select(wanted.c.value).where(wanted.c.value.not_in(items)))
        return exists(select(wanted.c.value).where(wanted.c.value.in_(items)))

    def starts_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return func.substr(column, literal_column("1"), func.length(value)) == value

    def ends_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return end_is(column, value)

    def lower(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.lower(column)  # SQLite's own knows no other letters

    def halves_sums(self, field: FieldPlan) -> bool:
        return field.kind == "integer" or (field.kind == "decimal" and self.decimals_are_whole_numbers)

    def in_range(self, value: ColumnElement[Any], field: FieldPlan) -> ColumnElement[Any]:
        match field.kind:
            case "number":
                most = "9e999"  # SQLite computes an infinity
            case "decimal":
                places = 0 if self.decimals_are_whole_numbers else field.decimal_places or 0
                most = str(10 ** ((field.max_digits or DIGITS_MAX) - places))
            case _:  # a STRICT table refuses the float that an integer overflows into
                return value
        # abs() of the least integer is what SQLite refuses ("integer overflow")
        least, zero = (literal_column(number, Integer()) for number in ("-9223372036854775808", "0"))
        refused = case((func.abs(value) >= literal_column(most), least), else_=zero)
        return value + func.abs(refused)

    def least_bytes(self, column: ColumnElement[Any], field: FieldPlan) -> ColumnElement[int]:
        return func.length(cast(column, ColumnType("BLOB")))

    def literal(self, value: Any) -> str:
        if isinstance(value, bytes):
            return f"X'{value.hex()}'"
        return repr(value) if isinstance(value, int | float) else quoted(str(value))

    def encode_average(self, field: FieldPlan) -> Codec:
        unit = 10 ** (field.decimal_places or 0) if field.kind == "decimal" else 1
        return lambda value: float(Decimal(value) * unit)

    def insert(self, table: Table) -> Any:
        return sqlite.insert(table)

    def rows_source(self, types: Sequence[str], rows: int) -> str:
        row = f"({', '.join('?' * len(types))})"
        return f"VALUES {', '.join([row] * rows)}"

    def bind_rows(self, rows: list[list[Any]]) -> tuple[Any, ...]:
        return tuple([value for row in rows for value in row])


def _written(text: str) -> ColumnElement[Any]:
    found: ColumnElement[Any] = literal_column(text)
    return found


def _smallest_units(text: ColumnElement[Any], places: int) -> ColumnElement[Any]:
    """The number of smallest units of a decimal that is written as text: its digits with as many behind the point."""
    point = func.instr(text.concat(_written("'.'")), _written("'.'"))
    one = _written("1")
    behind = func.substr(text, point + one).concat(_written(quoted("0" * places)))
    digits = func.substr(text, one, point - one).concat(func.substr(behind, one, _written(str(places))))
    return cast(digits, ColumnType("INTEGER"))


def _instant_text(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat()


class ExternalSqliteDialect(SqliteDialect):
    """Values as other programs keep them in SQLite, whose columns take whatever they are given.

    Money is a REAL or an INTEGER, an instant a text with a blank and without a zone, which is taken for UTC.
    """

    table_options: dict[str, Any] = {}  # noqa: RUF012  (part of the Dialect protocol)
    decimals_are_whole_numbers = False

    @property
    def external(self) -> Dialect:
        return self

    def encode_average(self, field: FieldPlan) -> Codec:
        return float

    def member(self, column: ColumnElement[Any], names: Sequence[str], field: FieldPlan) -> ColumnElement[Any]:
        # what another program keeps may be no JSON, for which SQLite would refuse the whole statement
        return super().member(case((func.json_valid(column) == _written("1"), column)), names, field)

    def encode(self, field: FieldPlan) -> Codec:
        match field.kind:
            case "id" if field.storage == "uuid":
                return lambda digits: str(UUID(digits))
            case "decimal":
                return float
            case "datetime":
                return _INSTANTS[field.storage or "timestamp"]
            case _:
                return super().encode(field)

    def decode(self, field: FieldPlan, prefix: str | None) -> Codec:
        match field.kind:
            case "id":
                start = f"{prefix}_"
                return checked(field, lambda value: start + UUID(value).hex)
            case "string" | "enum":
                return checked(field, _text)
            case "integer":
                return checked(field, _whole)
            case "number":
                return checked(field, _number)
            case "decimal":
                unit = Decimal(1).scaleb(-(field.decimal_places or 0))
                return checked(field, lambda value: _decimal(value, unit))
            case "boolean":
                return checked(field, lambda value: _BOOLEANS[value])
            case "datetime":
                per_second = 1000 if field.storage == "unix milliseconds" else 1
                return checked(field, lambda value: _instant(value, per_second))
            case "date":
                return checked(field, lambda value: date.fromisoformat(value[:10]).isoformat())
            case "uuid":
                return checked(field, lambda value: str(UUID(value)))
            case "time":
                return checked(field, lambda value: time.fromisoformat(value).isoformat())
            case "duration":
                return checked(field, duration_text)
            case "ip":
                return checked(field, lambda value: str(parse_ip(value)))
            case "bytes":
                return checked(field, _bytes)
            case "json":
                return checked(field, _json)

    def fits(self, field: FieldPlan, column_type: str) -> bool:
        if field.storage == NUMERIC or (field.max_digits or 0) > DIGITS_MAX:
            return False  # its numbers with a fraction are binary
        # A column takes whatever it is given, but one for texts would make a text of a number and never find it again.
        return (
            field.kind != "id" or field.storage != "integer" or affinity(column_type) in ("INTEGER", "NUMERIC", "BLOB")
        )


def affinity(declared: str) -> str:
    """What SQLite makes of a declared type (https://www.sqlite.org/datatype3.html, 3.1)."""
    name = declared.upper()
    for affinity, signs in (
        ("INTEGER", ("INT",)),
        ("TEXT", ("CHAR", "CLOB", "TEXT")),
        ("BLOB", ("BLOB",)),
        ("REAL", ("REAL", "FLOA", "DOUB")),
    ):
        if any(sign in name for sign in signs):
            return affinity
    return "NUMERIC" if name else "BLOB"


_BOOLEANS: dict[Any, bool] = {0: False, 1: True, "0": False, "1": True, "false": False, "true": True}


def _text_instants(between: str, precision: str, zone: str) -> Codec:
    return lambda value: utc(value).isoformat(between, precision) + zone


_INSTANTS: dict[str, Codec] = {
    **{name: _text_instants(*form) for name, form in TEXT_INSTANTS.items()},
    "date text": lambda value: utc(value).date().isoformat(),
    "unix seconds": lambda value: int(value.timestamp()),
    "unix milliseconds": lambda value: int(value.timestamp() * 1000),
}


def _json(value: Any) -> Any:
    if isinstance(value, int | float):  # a column of the type JSON: SQLite made a number of the text
        return value
    return exact_json.read(_text(value))


def _text(value: Any) -> str:
    """A text as it is stored. Raises `ValueError` for one whose bytes are no UTF-8."""
    if isinstance(value, str):
        if not value.isascii():
            value.encode()
        return value
    if isinstance(value, int | float):  # a column of another type: SQLite made a number of the text
        return str(value)
    raise ValueError


def _decimal(value: Any, unit: Decimal) -> str:
    """A number with the field's places. A sum of binary fractions may miss it by as much as 15 digits do not show; one
    that has more places is no such number."""
    exact = Decimal(format(value, ".15g") if isinstance(value, float) else str(value))
    shown = exact.quantize(unit)
    if shown != exact:
        raise ValueError
    return format(shown, "f")


def _bytes(value: Any) -> str:
    if isinstance(value, str):  # a column for texts: its bytes are those of the text
        value = value.encode()
    return write_bytes(value)


def _whole(value: Any) -> int:
    if isinstance(value, int):
        return value
    raise ValueError


def _number(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    raise ValueError


def _instant(value: Any, per_second: int) -> str:
    """A text of ISO 8601, where a zone may be missing; or a number of seconds since 1970."""
    instant = (
        datetime.fromisoformat(value) if isinstance(value, str) else datetime.fromtimestamp(value / per_second, UTC)
    )
    if instant.tzinfo is not None:
        instant = utc(instant)
    return instant.isoformat() + "Z"
