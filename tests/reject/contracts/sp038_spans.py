"""Spans that are declared in another form."""

from __future__ import annotations

from datetime import datetime

from sternpost import Contract, One, Resource, no_overlap, this


class Room(Resource, prefix="roo", no_overlap=no_overlap("first", "last")):
    first: int
    last: int


class Visit(
    Resource,
    prefix="vis",
    soft_delete=True,
    no_overlap=[
        ("room", "starts_at", "ends_at"),
        no_overlap("starts_at"),
        no_overlap("practitioner", "starts_at", "ends_at"),
        no_overlap(this.room, "starts_at", "ends_at"),
        no_overlap("room", "starts_at", "starts_at"),
        no_overlap("room", "room_id", "starts_at", "ends_at"),
        no_overlap("room", "starts_at", "deleted_at"),
        no_overlap("starts_at", "ends_at"),
        no_overlap("starts_at", "ends_at", where=~this.open.eq(True)),
        no_overlap("room", "starts_at", "ends_at", where=this.open),
    ],
):
    room: One[Room]
    starts_at: datetime
    ends_at: datetime
    open: bool


contract = Contract("clinic", resources=[Room, Visit])
