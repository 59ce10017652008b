"""Names and texts of checks that clients cannot be told."""

from __future__ import annotations

from sternpost import Contract, Resource, check, this


class Item(
    Resource,
    prefix="ite",
    checks=[
        check(this.least <= this.most, name="Least first"),
        check(this.least <= this.most, name=7),
        check(this.least <= this.most, name="x" * 64),
        check(this.least <= this.most, message=""),
        check(this.least <= this.most, message=b"no"),
        check(this.least <= this.most, message="long " * 101),
        check(this.least >= 0, name="same"),
        check(this.most >= 0, name="same"),
        this.least != this.most,
        this.least != this.most,
    ],
):
    least: int
    most: int


contract = Contract("items", resources=[Item])
