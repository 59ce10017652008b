"""PostgreSQL's column types and the form of its values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Column, ColumnElement, Table, case, collate, exists, func, literal_column, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import operators
from sqlalchemy.sql.expression import any_, cast

from sternpost import exact_json
from sternpost.kinds import in_places, write_bytes
from sternpost.plan.model import FieldPlan, Kind, ListOf
from sternpost.storage.postgresql.audit import PostgresqlAudit
from sternpost.storage.postgresql.outbox import OUTBOX_TYPES
from sternpost.storage.postgresql.overlaps import PostgresqlOverlaps
from sternpost.storage.postgresql.search import PostgresqlSearch
from sternpost.storage.postgresql.values import present
from sternpost.storage.sql.dialect import Codec, ColumnType, Dialect, end_is, quoted, with_quotes_around
from sternpost.storage.sql.external import checked, utc
from sternpost.storage.sql.lengths_of_time import duration_text, microseconds

_TYPES: dict[Kind, str] = {
    # Texts compare by code point, as in SQLite: one answer on every database, and indexes serve prefixes.
    "id": "UUID",
    "string": 'TEXT COLLATE "C"',
    "integer": "BIGINT",
    "number": "DOUBLE PRECISION",
    "boolean": "BOOLEAN",
    "datetime": "TIMESTAMPTZ",
    "date": "DATE",
    "time": "TIME",
    "duration": "BIGINT",
    "uuid": "UUID",
    "ip": "INET",
    "bytes": "BYTEA",
    "enum": 'TEXT COLLATE "C"',
    "json": "JSONB",
}
_MEMBERS = {"integer": "NUMERIC", "number": "DOUBLE PRECISION", "boolean": "BOOLEAN"}
"""What members of objects are cast to. A whole number is one of any size, so that no cast fails."""

_DECIMAL = "^-?[0-9]+([.][0-9]+)?$"

_RANGES: dict[str, str] = {
    "integer": "int8range",
    "decimal": "numrange",
    "datetime": "tstzrange",
    "date": "daterange",
}
"""What makes a range of two values of a kind."""

_WORDS = ("collation", "concurrently", "lateral", "tablesample")


class PostgresqlDialect:
    """Values as asyncpg takes and gives them."""

    name = "postgresql"
    locks_rows = True
    try_lock = "SELECT pg_try_advisory_xact_lock($1)"
    takes_arrays_of_rows = True
    decimals_are_whole_numbers = False
    numbers_parameters = True
    table_options: dict[str, Any] = {}  # noqa: RUF012  (part of the Dialect protocol)

    outbox_types = OUTBOX_TYPES
    now = "now()"

    def __init__(self) -> None:
        self.compiler = with_quotes_around(postgresql.dialect(paramstyle="numeric_dollar"), _WORDS)
        self.audit = PostgresqlAudit()
        self.overlaps = PostgresqlOverlaps(_RANGES)
        self.search = PostgresqlSearch()

    def truth(self, column: str) -> str | None:
        return None

    @property
    def external(self) -> Dialect:
        return ExternalPostgresqlDialect()

    def column_type(self, field: FieldPlan) -> ColumnType:
        if field.kind == "decimal":
            sized = field.decimal_places is not None
            return ColumnType(f"NUMERIC({field.max_digits}, {field.decimal_places})" if sized else "NUMERIC")
        return ColumnType(_TYPES[field.kind])

    def encode(self, field: FieldPlan) -> Codec:
        match field.kind:
            case "json":
                return lambda value: exact_json.dumps(value).decode()
            case "uuid" | "enum":
                return str
            case "decimal":
                return Decimal
            case "number":
                return float
            case "duration":
                return microseconds
            case _:
                return None

    def decode(self, field: FieldPlan, prefix: str | None) -> Codec:
        match field.kind:
            case "id":
                start = f"{prefix}_"
                return lambda value: start + value.hex
            case "decimal":
                return lambda value: format(value, "f")  # str would write 1E-8
            case "uuid" | "ip":
                return str
            case "duration":
                return duration_text
            case "bytes":
                return write_bytes
            case "json":
                return exact_json.read
            case _:
                return None

    def to_cursor(self, field: FieldPlan) -> Codec:
        match field.kind:
            case "id":
                return _hex
            case "uuid" | "decimal":
                return str
            case "number":
                return repr  # JSON knows no infinity
            case "datetime" | "date":
                return lambda value: present(value).isoformat()
            case "time":
                return time.isoformat
            case _:
                return None

    def from_cursor(self, field: FieldPlan) -> Codec:
        match field.kind:
            case "decimal":
                return Decimal
            case "number":
                return float
            case "datetime":
                return datetime.fromisoformat
            case "date":
                return date.fromisoformat
            case "time":
                return time.fromisoformat
            case _:
                return None

    def is_any_of(self, column: Column[Any], values: BindParameter[Any], field: FieldPlan) -> ColumnElement[bool]:
        base = plain_type(self.column_type(field).name)
        return column.operate(operators.eq, any_(cast(values, ColumnType(f"{base}[]"))))

    def fits(self, field: FieldPlan, column_type: str) -> bool:
        return True

    def member(self, column: ColumnElement[Any], names: Sequence[str], field: FieldPlan) -> ColumnElement[Any]:
        path: ColumnElement[Any] = literal_column(quoted(f"{{{','.join(names)}}}"))
        text: ColumnElement[Any] = column.op("#>>")(path)
        match field.kind:
            case "datetime":
                return collate(func.rtrim(text, literal_column("'Z'")), "C")
            case "integer" | "number" | "boolean" as kind:
                held = "boolean" if kind == "boolean" else "number"
                typed = func.jsonb_typeof(column.op("#>")(path)) == literal_column(quoted(held))
                # no cast of what was written before the declaration was another one
                return case((typed, cast(text, ColumnType(_MEMBERS[kind]))))
            case "decimal":
                typed = text.regexp_match(literal_column(quoted(_DECIMAL)))
                return case((typed, cast(text, ColumnType("NUMERIC"))))
            case _:
                return collate(text, "C")

    def encode_member(self, field: FieldPlan) -> Codec:
        return PostgresqlDialect.encode(self, field)

    def compared(self, value: BindParameter[Any], field: FieldPlan) -> ColumnElement[Any]:
        return value

    def bind_array(self, values: list[Any]) -> Any:
        return values

    def raw(self, value: Any) -> Any:
        return value

    def contains(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return func.strpos(column, value) > literal_column("0")

    def holds(
        self, column: ColumnElement[Any], values: BindParameter[Any], field: FieldPlan, *, every: bool
    ) -> ColumnElement[bool]:
        if every:
            return column.bool_op("@>")(cast(values, ColumnType("JSONB")))
        wanted = func.jsonb_array_elements(cast(values, ColumnType("JSONB"))).table_valued("value")
        return exists(select(wanted.c.value).where(column.bool_op("@>")(wanted.c.value)))

    def starts_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return func.starts_with(column, value)

    def ends_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return end_is(column, value)

    def lower(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.lower(column)  # its collation is C

    def halves_sums(self, field: FieldPlan) -> bool:
        return False

    def in_range(self, value: ColumnElement[Any], field: FieldPlan) -> ColumnElement[Any]:
        return value

    def least_bytes(self, column: ColumnElement[Any], field: FieldPlan) -> ColumnElement[int]:
        if field.kind == "bytes":
            return func.octet_length(column)
        length = func.octet_length(cast(column, ColumnType("TEXT")))
        # The text of jsonb has blanks behind commas and colons, an answer has none: at most a third, as in [1, 2, 3].
        return length * literal_column("2") // literal_column("3") if field.kind == "json" else length

    def literal(self, value: Any) -> str:
        if isinstance(value, bool):
            return str(value).upper()
        if isinstance(value, bytes):
            return f"'\\x{value.hex()}'"
        return repr(value) if isinstance(value, int | float) else quoted(str(value))

    def encode_average(self, field: FieldPlan) -> Codec:
        return float if field.kind == "number" else Decimal

    def insert(self, table: Table) -> Any:
        return postgresql.insert(table)

    def rows_source(self, types: Sequence[str], rows: int) -> str:
        arrays = [f"${index + 1}::{plain_type(name)}[]" for index, name in enumerate(types)]
        return f"SELECT * FROM unnest({', '.join(arrays)})"

    def bind_rows(self, rows: list[list[Any]]) -> tuple[Any, ...]:
        return tuple([list(column) for column in zip(*rows, strict=True)])


def plain_type(name: str) -> str:
    """A column's type without its collation, which the type of an array does not have."""
    return name.partition(" COLLATE")[0]


def _hex(value: Any) -> Any:
    return value.hex if isinstance(value, UUID) else value  # the keys of external tables may have other types


class ExternalPostgresqlDialect(PostgresqlDialect):
    """Values as the columns of another program take and give them: PostgreSQL tells the driver the type of each."""

    takes_arrays_of_rows = False  # the types of its columns are known to the database alone

    def holds(
        self, column: ColumnElement[Any], values: BindParameter[Any], field: FieldPlan, *, every: bool
    ) -> ColumnElement[bool]:
        if field.storage is None:
            return super().holds(cast(column, ColumnType("JSONB")), values, field, every=every)
        return column.bool_op("@>" if every else "&&")(values)

    # LIKE, as strpos in `contains`, is what `=` is for the column's type: with citext both ignore case.

    def starts_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return column.like(_escaped(value).concat(literal_column("'%'")))

    def ends_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return column.like(literal_column("'%'").concat(_escaped(value)))

    def lower(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.lower(collate(column, "C"))

    def member(self, column: ColumnElement[Any], names: Sequence[str], field: FieldPlan) -> ColumnElement[Any]:
        return super().member(cast(column, ColumnType("JSONB")), names, field)  # of another program it may be json

    @property
    def external(self) -> Dialect:
        return self

    def rows_source(self, types: Sequence[str], rows: int) -> str:
        numbers = iter(range(1, rows * len(types) + 1))
        row = [f"({', '.join(f'${next(numbers)}' for _ in types)})" for _ in range(rows)]
        return f"VALUES {', '.join(row)}"

    def bind_rows(self, rows: list[list[Any]]) -> tuple[Any, ...]:
        return tuple([value for row in rows for value in row])

    def encode(self, field: FieldPlan) -> Codec:
        match field.kind, field.storage:
            case "datetime", "timestamp":
                return utc
            case "json", "array":
                return None
            case _:
                return super().encode(field)

    def decode(self, field: FieldPlan, prefix: str | None) -> Codec:
        match field.kind, field.storage:
            case "datetime", "timestamp":
                return checked(field, lambda value: present(value).replace(tzinfo=UTC))
            case "datetime" | "date", _:
                return checked(field, present)
            case "ip", _:
                return checked(field, _address)
            case "number", _:
                return checked(field, _finite)
            case "decimal", _:
                return checked(field, lambda value: _exact(value, field.decimal_places))
            case "json", "array":
                return checked(field, _plain_list)
            case "json", _:
                return checked(field, exact_json.read)
            case _:
                return super().decode(field, prefix)

    def fits(self, field: FieldPlan, column_type: str) -> bool:
        if field.storage == "array":
            kind = field.structure.items.kind if isinstance(field.structure, ListOf) else ""
            elements = _ELEMENTS.get(kind, _TEXTS | _WHOLE | _BINARY | {"boolean"})
            return column_type.endswith("[]") and column_type.removesuffix("[]") in elements
        return column_type in _FITTING.get((field.kind, field.storage), ())

    def compared(self, value: BindParameter[Any], field: FieldPlan) -> ColumnElement[Any]:
        # A smaller column is compared with any 64-bit number; without the cast the driver would refuse one that is too
        # large.
        return cast(value, ColumnType("BIGINT")) if _is_whole(field) else value

    def is_any_of(self, column: Column[Any], values: BindParameter[Any], field: FieldPlan) -> ColumnElement[bool]:
        array = cast(values, ColumnType("BIGINT[]")) if _is_whole(field) else values
        return column.operate(operators.eq, any_(array))


def _escaped(value: BindParameter[Any]) -> ColumnElement[Any]:
    """A text as a part of a pattern that stands for itself."""
    found: ColumnElement[Any] = cast(value, ColumnType("TEXT"))
    for sign in ("\\", "%", "_"):
        found = func.replace(found, literal_column(f"'{sign}'"), literal_column(f"'\\{sign}'"))
    return found


_WHOLE = {"smallint", "integer", "bigint"}
_TEXTS = {"text", "character varying", "character", "citext", "name"}
_BINARY = {"real", "double precision"}
_ELEMENTS = {"string": _TEXTS, "integer": _WHOLE, "number": _BINARY, "boolean": {"boolean"}}
"""The types that elements of an array may have, by their kind."""
_FITTING: dict[tuple[Kind, str | None], set[str]] = {
    ("id", "integer"): _WHOLE,
    ("id", "uuid"): {"uuid"},
    ("id", "text"): _TEXTS,
    ("string", None): _TEXTS,
    ("string", "char"): {"character"},
    ("integer", None): _WHOLE,
    ("number", None): {"real", "double precision"},
    ("boolean", None): {"boolean"},
    ("decimal", None): {"numeric"},
    ("decimal", "numeric"): {"numeric"},
    ("datetime", None): {"timestamp with time zone"},
    ("datetime", "timestamp"): {"timestamp without time zone"},
    ("date", None): {"date"},
    ("time", None): {"time without time zone"},
    ("duration", None): {"bigint"},
    ("uuid", None): {"uuid"},
    ("ip", None): {"inet"},
    ("bytes", None): {"bytea"},
    ("enum", None): {"enum", *_TEXTS},
    ("enum", "char"): {"character"},
    ("json", None): {"json", "jsonb"},
}
"""The types of columns that hold a kind as it is said to be kept; a domain counts as what it is made of."""


def _is_whole(field: FieldPlan) -> bool:
    return field.kind == "integer" or (field.kind == "id" and field.storage == "integer")


def _finite(value: float) -> float:
    if not math.isfinite(value):  # JSON knows neither infinities nor what is no number
        raise ValueError
    return value


def _address(value: Any) -> str:
    """An address. Raises `ValueError` for a network, or an address with one."""
    return str(ip_address(str(value)))


def _plain_list(value: list[Any]) -> list[Any]:
    """A list without lists in it: the dimensions of an array are not a part of its column's type."""
    for item in value:
        if isinstance(item, list) or (isinstance(item, float) and not math.isfinite(item)):
            raise ValueError
    return value


def _exact(value: Decimal, places: int | None) -> str:
    """A number as text with its places. Raises `ValueError` for one that has more of them, which no text with fewer
    would be."""
    if not value.is_finite():
        raise ValueError
    found = value if places is None else in_places(value, places)
    if found != value:
        raise ValueError
    return format(found, "f")
