"""Items of one owner that would stand in the way of another one's."""

from __future__ import annotations

from sternpost import Contract, One, Owned, Resource, no_overlap


class Visit(Resource, prefix="vis", tenant="clinic"):
    clinic: str
    notes: Owned[Note]


class Note(
    Resource,
    prefix="not",
    no_overlap=[
        no_overlap("first", "last"),
        no_overlap("topic", "first", "last"),
        no_overlap("visit", "first", "last"),
    ],
):
    visit: One[Visit]
    topic: str
    first: int
    last: int


contract = Contract("clinic", resources=[Visit, Note])
