"""What is no condition in the place of a check."""

from __future__ import annotations

from datetime import datetime

from sternpost import Contract, Resource, check, this


class Visit(Resource, prefix="vis", checks=this.ends_at > this.starts_at):
    starts_at: datetime
    ends_at: datetime


class Room(
    Resource,
    prefix="roo",
    checks=[
        this.free,
        True,
        "size > 0",
        check(lambda row: row.size > 0),
        this.size + 1,
        this.size.between(1, 2),
        (this.size > 0) & this.free,
        ~(this.size > 0) | "free",
        this,
    ],
):
    free: bool
    size: int


contract = Contract("clinic", resources=[Visit, Room])
