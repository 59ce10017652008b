"""The SQL of each kind of query, of each kind of condition and of each kind of write, in both dialects.

After a change that is meant: `PYTHONPATH=examples/shop python -m tests.golden.test_statements`, and the difference is reviewed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sternpost.plan.query import (
    ALL,
    NONE,
    SUBJECT,
    Aggregate,
    Assignment,
    Compare,
    Constant,
    Either,
    Measure,
    Modify,
    Nested,
    Node,
    Not,
    Order,
    Related,
    Remove,
    Select,
    Under,
    Upsert,
    every,
    key_is,
    ordered,
)
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.sql.statement import Statement
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sqlite.dialect import SqliteDialect
from sternpost.testing.storage import LABELS, storage_plan

FOLDER = Path(__file__).parent / "statements"
DIALECTS = {"sqlite": SqliteDialect, "postgresql": PostgresqlDialect}
PLAN = storage_plan()

WIDTH = Compare(("width",), "eq", 0)
CONDITIONS: dict[str, Node] = {
    "equal": WIDTH,
    "not equal, as nulls have it": Compare(("width",), "ne", 0),
    "the complement of equal": Not(WIDTH),
    "the complement of a comparison": Not(Compare(("width",), "gt", 0)),
    "in": Compare(("width",), "in", 0),
    "not in": Compare(("width",), "notIn", 0),
    "the complement of in": Not(Compare(("width",), "in", 0)),
    "in constants": Compare(("colour",), "in", Constant(("red", "green"))),
    "a constant": Compare(("price",), "gte", Constant("1.50")),
    "the caller": Compare(("keeper",), "eq", SUBJECT),
    "null": Compare(("width",), "isNull"),
    "not null": Not(Compare(("width",), "isNull")),
    "contains": Compare(("label",), "contains", 0),
    "starts with": Compare(("label",), "startsWith", 0),
    "ends with": Compare(("label",), "endsWith", 0),
    "whatever the case": Compare(("label",), "eq", 0, insensitive=True),
    "a path": Compare(("parent_id", "parent_id", "label"), "eq", 0),
    "a member of an object": Compare(("origin", "size"), "gte", 0),
    "a decimal in an object within": Compare(("origin", "maker", "paid"), "in", 0),
    "the complement of a member": Not(Compare(("parent_id", "origin", "town"), "eq", 0)),
    "all of several": every((WIDTH, Compare(("colour",), "isNotNull"))),
    "one of several": Either((WIDTH, every((Compare(("fixed",), "eq", 1), Compare(("width",), "lt", 2))))),
    "nothing": NONE,
    "everything but": Not(ALL),
    "some items": Related("books", "some", Compare(("title",), "eq", 0)),
    "every row that refers to it": Related("parts", "every", WIDTH),
    "no linked row": Related("tags", "none", ALL),
    "the row that it refers to": Related("parent", "some", WIDTH),
    "a relation of a relation": Related("tags", "some", Related("shelves", "some", WIDTH)),
    "under a row": Under("Shelf", "parts", 0),
    "under a linked row": Under("Tag", "shelves", 0),
}

WIDE = replace(LABELS, fields=("label", "width"), where=Compare(("width",), "gt", 2), limit=0, offset=1)
BY_WIDTH = replace(WIDE, order=(ordered("width", True), ordered("label", False)))
BY_LABEL = replace(WIDE, order=(ordered("label", False),))


def statements_of(statements: Statements) -> Iterator[tuple[str, str]]:
    """Each kind of statement with its name."""
    yield "a row by its key", statements.point(replace(LABELS, facts=(("parent_id", "keeper"),))).one.text
    yield "a row by its key, locked", statements.point(replace(LABELS, lock=True)).one.text
    yield "rows by their keys", statements.point(LABELS).many.text
    yield "a page", statements.listing(BY_WIDTH).page.text
    yield "a page with its count", statements.listing(BY_WIDTH).counted.text
    yield "a count", statements.listing(BY_WIDTH).count.text
    yield "behind a position of one direction", statements.listing(BY_LABEL.behind(("a", "b"))).page.text
    yield "behind a position of two", statements.listing(BY_WIDTH.behind((1, "a", "b"))).page.text
    yield "behind a null", statements.listing(BY_WIDTH.behind((None, "a", "b"))).page.text
    path = replace(WIDE, order=(Order(("parent_id", "label"), nulls_first=True),))
    ranked = replace(WIDE, order=(ordered("colour", False),))
    yield "behind a position in the order of an enum", statements.listing(ranked.behind((1, "a"))).page.text
    yield "by the value of another row", statements.listing(path).page.text
    yield "distinct rows", statements.listing(replace(BY_WIDTH, distinct=("colour",))).page.text
    yield "the place of a row", statements.place(BY_WIDTH).text
    nested = replace(LABELS, order=(ordered("width", True),))
    for name, relation in {
        "what a row refers to": ("Shelf", Nested("parent", LABELS)),
        "items in their order": ("Shelf", Nested("books", Select("Book", ("title",)))),
        "rows that refer to it": ("Shelf", Nested("parts", nested)),
        "the first of them": ("Shelf", Nested("parts", nested, 2)),
        "a part of them": ("Shelf", Nested("parts", replace(nested, limit=0, offset=1), 9)),
        "linked rows": ("Tag", Nested("shelves", nested, 5)),
    }.items():
        yield f"relation: {name}", statements.nested(*relation).statement.text
    yield "groups", _groups(statements).text
    yield from _writes(statements)


def _groups(statements: Statements) -> Statement:
    count, total = Measure("count"), Measure("sum", "width")
    return statements.aggregate(
        Aggregate(
            "Shelf",
            (Measure("by", "colour"), count, total, Measure("avg", "price")),
            where=WIDTH,
            by=("colour",),
            having=((count, "gte", 1),),
            order=((total, True),),
            limit=2,
        )
    )


def _writes(statements: Statements) -> Iterator[tuple[str, str]]:
    yield "a new row", statements.insert("Tag", ("favourite_id", "id", "word"))[0].text
    names = ("id", "label", "width")
    yield "new rows", statements.insert_rows("Shelf", names, 2, skip=False, returning=("label",))[0]
    yield "new rows but those that exist", statements.insert_rows("Shelf", names, 2, skip=True, returning=())[0]
    change = tuple(
        Assignment(name, arithmetic, slot)  # type: ignore[arg-type]
        for slot, (name, arithmetic) in enumerate(
            (("label", "set"), ("width", "increment"), ("weight", "multiply"), ("price", "divide")), start=1
        )
    )
    yield "a change", statements.modify(Modify("Shelf", key_is(0), change, ("label", "width")))[0].text
    yield "a change of many", statements.modify(Modify("Shelf", WIDTH, change[:1]))[0].text
    upsert = Upsert("Shelf", names, ("label",), change[1:2], ("id",))
    yield "a new row, or a change", statements.upsert(upsert)[0].text
    yield "a new row, or none", statements.upsert(replace(upsert, assignments=()))[0].text
    yield "a removal", statements.remove(Remove("Shelf", every((WIDTH, Compare(("colour",), "isNull"))))).text
    books, tags = (PLAN.by_name["Shelf"].relations_by_name[name] for name in ("books", "tags"))
    yield "a removal of items", statements.delete_owned(books).text
    yield "a pair where there is none", statements.insert_link(tags).text
    yield "the other sides of a row's pairs", statements.linked(tags).text
    yield "a removal of a pair", statements.delete_link(tags).text
    yield "a removal of all pairs of a row", statements.delete_links(tags).text


def golden(dialect: Any) -> str:
    """The whole file."""
    statements = Statements(PLAN, dialect)
    parts = [f"-- {name}\n{text}" for name, text in statements_of(statements)]
    for name, where in CONDITIONS.items():
        text = statements.listing(Select("Shelf", ("id",), where=where)).count.text
        parts.append(f"-- condition: {name}\n{text}")
    lines = "\n\n".join(parts).splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


@pytest.mark.parametrize("name", list(DIALECTS))
def test_statements_are_the_reviewed_ones(name: str) -> None:
    assert golden(DIALECTS[name]()) == (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", list(DIALECTS))
def test_each_is_written_once(name: str) -> None:
    statements = Statements(PLAN, DIALECTS[name]())
    first, again = (dict(statements_of(statements)) for _ in range(2))
    assert all(text is again[kind] for kind, text in first.items())


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, dialect in DIALECTS.items():
        (FOLDER / f"{name}.sql").write_text(golden(dialect()), encoding="utf-8")
