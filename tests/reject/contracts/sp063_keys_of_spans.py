"""Values that rows cannot have in common."""

from __future__ import annotations

from sternpost import Contract, Json, Resource, no_overlap


class Slot(
    Resource,
    prefix="slo",
    no_overlap=[
        no_overlap("open", "first", "last"),
        no_overlap("extra", "open", "first", "last"),
    ],
):
    open: bool
    extra: Json
    first: int
    last: int


contract = Contract("slots", resources=[Slot])
