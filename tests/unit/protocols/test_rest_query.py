"""The query of an address as a `ListQuery`: REST's notation is read here and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.errors import Invalid
from sternpost.pipeline.list_query import (
    Count,
    Cursor,
    Fields,
    Filter,
    Include,
    Limit,
    Page,
    PageSize,
    Part,
    Repeated,
    Sort,
)
from sternpost.protocols.rest.query import PARAMETERS_MAX, list_query, named, of_pairs

PARTS: dict[bytes, Part] = {
    b"page=2": Page("page", 2),
    b"page=two": Page("page", None),
    b"page=9999999999999": Page("page", None),
    b"pageSize=50": PageSize("pageSize", 50),
    b"cursor=abc": Cursor("cursor"),
    b"count=true": Count("count"),
    b"sort=-at,name": Sort("sort", (), (("at", True), ("name", False))),
    b"items.sort=sku": Sort("items.sort", ("items",), (("sku", False),)),
    b"items.limit=3": Limit("items.limit", ("items",), 3),
    b"include=user,user.orders": Include("include", (("user",), ("user", "orders"))),
    b"fields=id,user.name": Fields("fields", (("id",), ("user", "name"))),
    b"name=a%20b": Filter("name", (), "name", "eq", "a b"),
    b"name[eq]=a": Filter("name[eq]", (), "name", "eq", "a"),
    b"createdAt[gte]=2026": Filter("createdAt[gte]", (), "createdAt", "gte", "2026"),
    b"status[in]=a,b": Filter("status[in]", (), "status", "in", ("a", "b")),
    rb"status[in]=a\,b,c": Filter("status[in]", (), "status", "in", ("a,b", "c")),
    rb"status[in]=\,,\\,\\\,": Filter("status[in]", (), "status", "in", (",", "\\", "\\,")),
    b"status[in]=C:\\a,\\": Filter("status[in]", (), "status", "in", ("C:\\a", "\\")),
    rb"status[in]=a\%2Cb,": Filter("status[in]", (), "status", "in", ("a,b", "")),
    rb"status=a\,b": Filter("status", (), "status", "eq", "a\\,b"),
    b"note[isNull]=true": Filter("note[isNull]", (), "note", "isNull", True),
    b"note[isNull]=maybe": Filter("note[isNull]", (), "note", "isNull", False, "Input should be true or false"),
    b"user.orders.status=a": Filter("user.orders.status", ("user", "orders"), "status", "eq", "a"),
    b"page[eq]=1": Filter("page[eq]", (), "page", "eq", "1"),
    b"user.page=1": Filter("user.page", ("user",), "page", "eq", "1"),
    b".limit=1": Limit(".limit", ("",), 1),
    b"a%20b=1": Filter("a b", (), "a b", "eq", "1"),
}


@pytest.mark.parametrize(("query", "part"), PARTS.items(), ids=[query.decode() for query in PARTS])
def test_parts(query: bytes, part: Part) -> None:
    assert list_query(query).parts == (part,)


def test_a_part_that_was_there_before() -> None:
    assert list_query(b"a=1&a[eq]=2&a[ne]=3&page=1&page=2").parts == (
        Filter("a", (), "a", "eq", "1"),
        Repeated("a[eq]"),
        Filter("a[ne]", (), "a", "ne", "3"),
        Page("page", 1),
        Repeated("page"),
    )


def test_the_pages_of_a_list_are_asked_for_alike() -> None:
    first, second, other = (list_query(query) for query in (b"cursor=&a=1", b"cursor=xyz&a=1", b"cursor=xyz&a=2"))
    assert (first, hash(first)) == (second, hash(second))
    assert (first.cursor, second.cursor) == ("", "xyz")
    assert first.size == second.size == len("a1")
    assert first != other


def test_a_short_query_is_read_once() -> None:
    assert list_query(b"a=1") is list_query(b"a=1")
    long = b"a=" + b"1" * 500
    assert list_query(long) == list_query(long)


@pytest.mark.parametrize("query", [b"a=%ff", b"a=\xff", b"&".join([b"a=1"] * (PARAMETERS_MAX + 1))])
def test_what_cannot_be_read(query: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        list_query(query)
    assert [detail.code for detail in caught.value.details] == ["malformed_query"]


@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=5))
def test_whatever_is_sent_is_a_query(pairs: list[tuple[str, str]]) -> None:
    query = of_pairs(pairs)
    assert len(query.parts) == len(pairs)
    assert hash(query) == hash(of_pairs(pairs))


def test_names_of_parts() -> None:
    assert named((), "sku", "eq") == "sku"
    assert named(("items",), "quantity", "gte") == "items.quantity[gte]"


def test_the_size_of_a_query_counts_names_and_values() -> None:
    """By it, what is kept of queries has a bound."""
    text = b"&".join(b"a.b.c%d.sort=x" % number for number in range(77))
    assert list_query(text).size == len(text) - 2 * 77 + 1, "without = and &"
