"""What the writers of fault tests write to: entries by themselves, and bookings of an entry with its two lines."""

from __future__ import annotations

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Payload,
    Read,
    Resource,
    Sternpost,
    authenticated,
    field,
    implements,
)


class Booking(Payload):
    """What is booked."""

    op: str
    amount: int


class Booked(Payload):
    """What was booked."""

    op: str


class Line(Resource, prefix="lin"):
    """One side of a booking."""

    op: str = field(max_length=80, filter=True)
    side: str = field(max_length=10)
    amount: int

    browse = Browse(allow=authenticated)


class Entry(Resource, prefix="ent"):
    """What one operation has written. Nothing keeps an operation from having two: that is for the judge to find."""

    op: str = field(max_length=80, filter=True)
    amount: int

    browse = Browse(allow=authenticated)
    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    book = Custom(on="collection", input=Booking, output=Booked, allow=authenticated)


@implements(Entry.book)
async def book(ctx: Context, booking: Booking) -> Booked:
    """An entry and its two lines, in one transaction."""
    await ctx.repository(Entry).create({"op": booking.op, "amount": booking.amount})
    for side, amount in (("debit", -booking.amount), ("credit", booking.amount)):
        await ctx.repository(Line).create({"op": booking.op, "side": side, "amount": amount})
    return Booked(op=booking.op)


contract = Contract("book", resources=[Entry, Line])
app = Sternpost(contract, services=[book])
