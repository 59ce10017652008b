"""What a contract needs of a database, put together from what each database says, and whether two schemas are alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sternpost.ports.schema import (
    Check,
    Column,
    DatabaseName,
    ForeignKey,
    Index,
    NoOverlap,
    PrimaryKey,
    Rule,
    Search,
    Shape,
    Sql,
    TableShape,
    Type,
    Unique,
)

Described = Mapping[str, Mapping[str, Any]]
"""Every table of a schema as plain data, in the order of creation, as one database has it."""


def shape_from(described: Mapping[DatabaseName, Described]) -> Shape:
    """The schema that each of the databases describes in its words."""
    lite, post = described["sqlite"], described["postgresql"]
    return {name: _table(name, table, post[name]) for name, table in lite.items()}


def _table(name: str, lite: Mapping[str, Any], post: Mapping[str, Any]) -> TableShape:
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
    overlaps = tuple(
        NoOverlap(
            overlap,
            tuple(a["keys"]),
            a["start"],
            a["end"],
            a["form"],
            None if a["where"] is None else Sql(a["where"], post["overlaps"][overlap]["where"]),
        )
        for overlap, a in lite.get("overlaps", {}).items()
    )
    found = lite.get("search")
    search = Search(found["name"], tuple(found["columns"])) if found else None
    return TableShape(name, columns, primary_key, rules, indexes, tuple(lite.get("audit", ())), overlaps, search)


def _rule(name: str, lite: Mapping[str, Any] | None, post: Mapping[str, Any] | None) -> Rule:
    rule = lite or post or {}
    match rule["kind"]:
        case "unique":
            return Unique(name, tuple(rule["columns"]))
        case "foreign key":
            return ForeignKey(name, tuple(rule["columns"]), rule["table"], tuple(rule["targets"]), rule["on_delete"])
        case _:
            condition = Sql(lite["sql"] if lite else None, post["sql"] if post else None)
            said = rule["rules"]
            return Check(name, condition, None if said is None else tuple(said))


def same(one: Shape, other: Shape) -> bool:
    """Whether two schemas are alike; the order of tables, columns and rules does not matter."""
    return _sorted(one) == _sorted(other)


def _sorted(shape: Shape) -> dict[str, TableShape]:
    def by_name(things: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(sorted(things, key=lambda thing: thing.name))

    return {
        name: replace(
            table,
            columns=by_name(table.columns),
            rules=by_name(table.rules),
            indexes=by_name(table.indexes),
            overlaps=by_name(table.overlaps),
            audit=tuple(sorted(table.audit, key=lambda audit: audit.key)),
        )
        for name, table in shape.items()
    }
