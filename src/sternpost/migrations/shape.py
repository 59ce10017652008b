"""The schema of both databases as plain data: what a contract needs, and what migrations lead to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Literal

from sternpost.plan.model import Plan
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.sql.audit import Audit
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sqlite.dialect import SqliteDialect

Database = Literal["sqlite", "postgresql"]


@dataclass(frozen=True)
class Sql:
    """An expression or a condition in the words of each database; None where a database needs none."""

    sqlite: str | None
    postgresql: str | None

    def on(self, database: Database) -> str | None:
        return self.sqlite if database == "sqlite" else self.postgresql


def sql(text: str | None = None, *, sqlite: str | None = None, postgresql: str | None = None) -> Sql:
    """SQL: one text for both databases, or one for each."""
    return Sql(sqlite if text is None else text, postgresql if text is None else text)


@dataclass(frozen=True)
class Type:
    """A column's type in each database, and the form of its values, which may differ where the type does not."""

    sqlite: str
    postgresql: str
    form: str = ""

    def on(self, database: Database) -> str:
        return self.sqlite if database == "sqlite" else self.postgresql


def _decimal(digits: int, places: int) -> Type:
    return Type("INTEGER", f"NUMERIC({digits}, {places})", f"decimal({digits}, {places})")


types = SimpleNamespace(
    id=Type("TEXT", "UUID", "id"),
    string=Type("TEXT", 'TEXT COLLATE "C"', "string"),
    enum=Type("TEXT", 'TEXT COLLATE "C"', "enum"),
    integer=Type("INTEGER", "BIGINT", "integer"),
    number=Type("REAL", "DOUBLE PRECISION", "number"),
    boolean=Type("INTEGER", "BOOLEAN", "boolean"),
    datetime=Type("TEXT", "TIMESTAMPTZ", "datetime"),
    date=Type("TEXT", "DATE", "date"),
    uuid=Type("TEXT", "UUID", "uuid"),
    json=Type("TEXT", "JSONB", "json"),
    position=Type("INTEGER", "INTEGER", "position"),
    decimal=_decimal,
)
"""The types that a contract's fields get; `types.decimal(digits, places)` for decimals."""


@dataclass(frozen=True)
class Column:
    """A column. `fill` is the value for existing rows."""

    name: str
    type: Type
    nullable: bool = False
    fill: Sql | None = field(default=None, compare=False)


@dataclass(frozen=True)
class PrimaryKey:
    """The key of a table."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Unique:
    """Values that no two rows may share."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A condition that every row fulfils; a database whose part is None has none."""

    name: str
    condition: Sql


@dataclass(frozen=True)
class ForeignKey:
    """Columns that refer to a row of another table."""

    name: str
    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...] = ("id",)
    on_delete: str | None = None


Rule = Unique | Check | ForeignKey


@dataclass(frozen=True)
class Index:
    """An index; `where` makes it a partial one."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    where: Sql | None = None


@dataclass(frozen=True)
class Table:
    """A table with everything that belongs to it."""

    name: str
    columns: tuple[Column, ...]
    primary_key: PrimaryKey
    rules: tuple[Rule, ...] = ()
    indexes: tuple[Index, ...] = ()
    audit: tuple[Audit, ...] = ()

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


Shape = dict[str, Table]
"""Tables by name, in an order in which they can be created."""


def shape_of(plan: Plan) -> Shape:
    """What the contract needs."""
    described = {
        "sqlite": Schema(plan, SqliteDialect()).describe(),
        "postgresql": Schema(plan, PostgresqlDialect()).describe(),
    }
    return {name: _table(name, table, described["postgresql"][name]) for name, table in described["sqlite"].items()}


def fingerprints_of(plan: Plan) -> dict[str, str]:
    """By database, what it says when it serves this contract."""
    return {
        "sqlite": Schema(plan, SqliteDialect()).fingerprint,
        "postgresql": Schema(plan, PostgresqlDialect()).fingerprint,
    }


def _table(name: str, lite: Mapping[str, Any], post: Mapping[str, Any]) -> Table:
    columns = tuple(
        Column(
            a["name"],
            Type(a["type"], b["type"], a["form"]),
            a["nullable"],
            None if a["fill"] is None else Sql(a["fill"], b["fill"]),
        )
        for a, b in zip(lite["columns"], post["columns"], strict=True)
    )
    names = sorted({*lite["rules"], *post["rules"]})
    rules = tuple(_rule(rule, lite["rules"].get(rule), post["rules"].get(rule)) for rule in names)
    indexes = tuple(
        Index(
            index,
            tuple(a["columns"]),
            a["unique"],
            None if a["where"] is None else Sql(a["where"], post["indexes"][index]["where"]),
        )
        for index, a in lite["indexes"].items()
    )
    key = lite["primary_key"]
    primary_key = PrimaryKey(key["name"], tuple(key["columns"]))
    return Table(name, columns, primary_key, rules, indexes, tuple(lite.get("audit", ())))


def _rule(name: str, lite: Mapping[str, Any] | None, post: Mapping[str, Any] | None) -> Rule:
    rule = lite or post or {}
    match rule["kind"]:
        case "unique":
            return Unique(name, tuple(rule["columns"]))
        case "foreign key":
            return ForeignKey(name, tuple(rule["columns"]), rule["table"], tuple(rule["targets"]), rule["on_delete"])
        case _:
            return Check(name, Sql(lite["sql"] if lite else None, post["sql"] if post else None))


def same(one: Shape, other: Shape) -> bool:
    """Whether two schemas are alike; the order of tables, columns and rules does not matter."""
    return _sorted(one) == _sorted(other)


def _sorted(shape: Shape) -> dict[str, Table]:
    def by_name(things: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(sorted(things, key=lambda thing: thing.name))

    return {
        name: replace(
            table,
            columns=by_name(table.columns),
            rules=by_name(table.rules),
            indexes=by_name(table.indexes),
            audit=tuple(sorted(table.audit, key=lambda audit: audit.key)),
        )
        for name, table in shape.items()
    }
