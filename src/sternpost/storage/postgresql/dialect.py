"""PostgreSQL's column types and the form of its values."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import BindParameter, Column, ColumnElement, func, literal_column
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import operators
from sqlalchemy.sql.expression import any_, cast

from sternpost.plan.model import FieldPlan, Kind
from sternpost.storage.sql.dialect import Codec, ColumnType

_TYPES: dict[Kind, str] = {
    # Texts compare by code point, as in SQLite: one answer on every database, and indexes serve prefixes.
    "id": "UUID",
    "string": 'TEXT COLLATE "C"',
    "integer": "BIGINT",
    "number": "DOUBLE PRECISION",
    "boolean": "BOOLEAN",
    "datetime": "TIMESTAMPTZ",
    "date": "DATE",
    "uuid": "UUID",
    "enum": 'TEXT COLLATE "C"',
    "json": "JSONB",
}


class PostgresqlDialect:
    """Values as asyncpg takes and gives them."""

    name = "postgresql"
    locks_rows = True
    table_options: dict[str, Any] = {}  # noqa: RUF012  (part of the Dialect protocol)

    def __init__(self) -> None:
        self.compiler = postgresql.dialect(paramstyle="numeric_dollar")

    def column_type(self, field: FieldPlan) -> ColumnType:
        if field.kind == "decimal":
            return ColumnType(f"NUMERIC({field.max_digits}, {field.decimal_places})")
        return ColumnType(_TYPES[field.kind])

    def encode(self, field: FieldPlan) -> Codec:
        match field.kind:
            case "json":
                return lambda value: orjson.dumps(value).decode()
            case "uuid" | "enum":
                return str
            case "decimal":
                return Decimal
            case "number":
                return float
            case _:
                return None

    def decode(self, field: FieldPlan, prefix: str | None) -> Codec:
        match field.kind:
            case "id":
                start = f"{prefix}_"
                return lambda value: start + value.hex
            case "decimal":
                return lambda value: format(value, "f")  # str would write 1E-8
            case "uuid":
                return str
            case "json":
                return orjson.loads
            case _:
                return None

    def mark(self, field: FieldPlan) -> Codec:
        match field.kind:
            case "id":
                return _hex
            case "uuid" | "decimal":
                return str
            case "number":
                return repr  # JSON knows no infinity
            case "datetime":
                return datetime.isoformat
            case "date":
                return date.isoformat
            case _:
                return None

    def unmark(self, field: FieldPlan) -> Codec:
        match field.kind:
            case "decimal":
                return Decimal
            case "number":
                return float
            case "datetime":
                return datetime.fromisoformat
            case "date":
                return date.fromisoformat
            case _:
                return None

    def is_any_of(self, column: Column[Any], values: BindParameter[Any], field: FieldPlan) -> ColumnElement[bool]:
        base = self.column_type(field).name.removesuffix(' COLLATE "C"')
        return column.operate(operators.eq, any_(cast(values, ColumnType(f"{base}[]"))))

    def bind_array(self, values: list[Any]) -> Any:
        return values

    def contains(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return func.strpos(column, value) > literal_column("0")

    def starts_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return func.starts_with(column, value)


def _hex(value: Any) -> str:
    return value.hex
