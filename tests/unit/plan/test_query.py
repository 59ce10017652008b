"""Queries are values: equal ones are one query, and what is joined stays flat."""

from __future__ import annotations

from dataclasses import replace

from sternpost.plan.query import (
    ALL,
    NONE,
    Compare,
    Either,
    Every,
    Nested,
    Not,
    Order,
    Related,
    Select,
    Under,
    every,
    facts_of,
    key_is,
    ordered,
    total_order,
)

A, B, C = (Compare((name,), "eq", slot) for slot, name in enumerate("abc"))


def test_equal_queries_are_one_key() -> None:
    def query() -> Select:
        inner = Select("Book", ("title",), where=every((A, Not(B))), order=(ordered("title", True),))
        return Select("Shelf", ("id",), where=Related("books", "some", C), relations=(Nested("books", inner, 3),))

    assert query() == query()
    assert hash(query()) == hash(query())
    assert {query(): 1}[query()] == 1


def test_each_part_makes_another_query() -> None:
    query = Select("Shelf", ("id",))
    others = [
        replace(query, resource="Book"),
        replace(query, fields=("id", "label")),
        replace(query, where=A),
        replace(query, relations=(Nested("books", query),)),
        replace(query, relations=(Nested("books", query, 3),)),
        replace(query, order=(ordered("id", True),)),
        replace(query, facts=(("a",),)),
        replace(query, distinct=("label",)),
        replace(query, after=(False,)),
        replace(query, limit=0),
        replace(query, offset=0),
        replace(query, lock=True),
    ]
    assert len({query, *others}) == 1 + len(others)
    assert len({hash(other) for other in others}) == len(others)


def test_conditions_that_are_joined_are_flat() -> None:
    assert every(()) == ALL
    assert every((A,)) == A
    assert every((A, B)) == Every((A, B))
    assert every((A, ALL, every((B, C)))) == Every((A, B, C))
    assert every((ALL, every((A,)))) == A
    assert every((Either((A, B)), C)) == Every((Either((A, B)), C))


def test_nothing_fits_what_allows_nothing() -> None:
    assert Either() == NONE
    assert NONE != ALL
    assert every((NONE, A)) == Every((NONE, A))


def test_the_paths_of_a_condition_are_those_of_the_row() -> None:
    deep = Compare(("shelf_id", "label"), "eq", 3)
    found = facts_of(every((A, Either((B, Not(deep))), Related("books", "some", C), Under("Shelf", "books", 4))))
    assert found == {("a",), ("b",), ("shelf_id", "label")}
    assert facts_of(ALL) == frozenset()


def test_an_order_ends_with_the_id_in_the_direction_of_what_is_before_it() -> None:
    assert total_order(()) == (Order(("id",)),)
    assert total_order((ordered("a", False),)) == (ordered("a", False), Order(("id",)))
    assert total_order((ordered("a", False), ordered("b", True)))[-1] == Order(("id",), descending=True)
    given = (Order(("id",), descending=True), ordered("a", False))
    assert total_order(given) == given
    path = (Order(("shelf_id", "id")),)
    assert total_order(path) == (*path, Order(("id",)))


def test_nulls_are_the_greatest_where_nothing_else_is_said() -> None:
    assert not ordered("a", False).nulls_first
    assert ordered("a", True).nulls_first


def test_a_query_behind_a_position_knows_which_of_its_values_are_null() -> None:
    query = Select("Shelf", ("id",))
    assert query.behind((1, None, "x")).after == (False, True, False)
    assert query.behind((1, 2, "x")) == query.behind((9, 9, "y"))


def test_a_row_by_its_key() -> None:
    assert key_is(4) == Compare(("id",), "eq", 4)
