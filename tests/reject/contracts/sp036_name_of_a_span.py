"""A check that has the name of the one that each span brings along."""

from __future__ import annotations

from sternpost import Contract, Resource, check, no_overlap, this


class Item(
    Resource,
    prefix="ite",
    checks=[check(this.first > 0, name="first_before_last")],
    no_overlap=[no_overlap("first", "last")],
):
    first: int
    last: int


contract = Contract("items", resources=[Item])
