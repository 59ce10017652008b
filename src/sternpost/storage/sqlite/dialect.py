"""SQLite's column types and the form of its values."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import BindParameter, Column, ColumnElement, func, literal_column, select
from sqlalchemy.dialects import sqlite

from sternpost.plan.model import FieldPlan, Kind
from sternpost.storage.sql.dialect import Codec, ColumnType
from sternpost.storage.sql.statements import prefixed

_TYPES: dict[Kind, str] = {
    "id": "TEXT",
    "string": "TEXT",
    "integer": "INTEGER",
    "number": "REAL",
    "boolean": "INTEGER",
    "decimal": "INTEGER",
    "datetime": "TEXT",
    "date": "TEXT",
    "uuid": "TEXT",
    "enum": "TEXT",
    "json": "TEXT",
}


class SqliteDialect:
    """Values as SQLite keeps them.

    - An instant is ISO 8601 text in UTC without its zone and without empty fractions: it sorts as text, and only a `Z`
      is missing for a client.
    - A decimal is an integer of its smallest unit, so that comparing, sorting and adding stay exact.
    """

    name = "sqlite"
    locks_rows = False  # a write transaction is alone
    table_options: dict[str, Any] = {"sqlite_strict": True}  # noqa: RUF012  (part of the Dialect protocol)

    def __init__(self) -> None:
        self.compiler = sqlite.dialect(paramstyle="qmark")

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
            case "uuid":
                return str
            case "json":
                return lambda value: orjson.dumps(value).decode()
            case "boolean":
                return int
            case "enum":
                return str
            case _:
                return None

    def decode(self, field: FieldPlan, prefix: str | None) -> Codec:
        match field.kind:
            case "id":
                return prefixed(str(prefix))
            case "decimal":
                places = field.decimal_places or 0
                return lambda value: format(Decimal(value).scaleb(-places), "f")
            case "datetime":
                return lambda value: value + "Z"
            case "boolean":
                return bool
            case "json":
                return orjson.loads
            case _:
                return None

    def mark(self, field: FieldPlan) -> Codec:
        return repr if field.kind == "number" else None  # JSON knows no infinity

    def unmark(self, field: FieldPlan) -> Codec:
        return float if field.kind == "number" else None

    def is_any_of(self, column: Column[Any], values: BindParameter[Any], field: FieldPlan) -> ColumnElement[bool]:
        array = func.json_each(values).table_valued("value")
        return column.in_(select(array.c.value))

    def bind_array(self, values: list[Any]) -> Any:
        return orjson.dumps(values).decode()

    def contains(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return func.instr(column, value) > literal_column("0")

    def starts_with(self, column: Column[Any], value: BindParameter[Any]) -> ColumnElement[bool]:
        return func.substr(column, literal_column("1"), func.length(value)) == value


def _instant_text(value: datetime) -> str:
    return value.astimezone(UTC).replace(tzinfo=None).isoformat()
