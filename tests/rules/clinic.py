"""A contract with rules over rows of every sort."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Many,
    One,
    Owned,
    Read,
    Replace,
    Resource,
    Restore,
    Transition,
    Update,
    authenticated,
    check,
    field,
    many,
    no_overlap,
    one,
    public,
    this,
)


class Practitioner(Resource, prefix="pra"):
    """Somebody whom visits are made to."""

    name: str
    visits: Many[Visit] = many(by="practitioner")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)


class Visit(
    Resource,
    prefix="vis",
    soft_delete=True,
    checks=[
        check(
            (this.fee <= this.fee_most) | this.status.in_("cancelled"),
            name="fee_within_most",
            message="The fee is more than the most",
        ),
        this.substitute != this.practitioner,
    ],
    no_overlap=[no_overlap("practitioner", "starts_at", "ends_at", where=this.status != "cancelled")],
):
    """A span of time with a practitioner."""

    practitioner: One[Practitioner]
    substitute: One[Practitioner] | None = one(on_delete="set_null")
    starts_at: datetime | None = field(filter=True)
    ends_at: datetime | None
    status: Literal["planned", "cancelled"] = field(default="planned")
    fee: Decimal | None = field(decimal_places=2)
    fee_most: Decimal = field(decimal_places=2, default=Decimal("100.00"))
    code: str | None = field(unique=True)
    notes: Owned[Note] = many(max_length=5)

    browse = Browse(allow=public, sort=["starts_at"])
    read = Read(allow=public)
    create = Create(allow=public)
    replace = Replace(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=public)


class Note(
    Resource,
    prefix="not",
    checks=[check(this.last >= this.first, name="last_not_before_first")],
    no_overlap=[no_overlap("visit", "first", "last")],
):
    """A part of what was said in a visit."""

    visit: One[Visit]
    first: int
    last: int | None


class Booking(
    Resource,
    prefix="boo",
    tenant="clinic",
    no_overlap=[no_overlap("room", "first_day", "day_after", where=~this.state.in_("open"))],
):
    """A room that is taken, in one clinic."""

    clinic: str
    room: str
    first_day: date
    day_after: date | None
    state: Literal["open", "taken"] = field(default="taken", write="never")

    browse = Browse(allow=authenticated)
    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    update = Update(allow=authenticated)
    free = Transition("state", source="taken", target="open", allow=authenticated)
    take = Transition("state", source="open", target="taken", allow=authenticated)


contract = Contract("clinic", resources=[Practitioner, Visit, Note, Booking])
