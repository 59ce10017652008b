"""A small contract whose every change is told, for tests of the outbox; served by `tests.outbox.ledger:app`."""

from __future__ import annotations

from typing import Literal

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    One,
    Owned,
    Payload,
    Read,
    Replace,
    Resource,
    Restore,
    Sternpost,
    Transition,
    Update,
    field,
    implements,
    public,
    this,
)


class Sum(Payload):
    """How many there are."""

    count: int


class Entry(Resource, prefix="ent", plural="entries"):
    """One row and nothing else: its creation shares a statement with others."""

    key: str = field(unique=True, max_length=40)
    amount: int = field(default=0, ge=0, le=10**12)
    state: Literal["open", "closed"] = field(default="open", write="never")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public, emits=["entry.created", "entry.counted"])
    replace = Replace(allow=public, emits="entry.replaced")
    update = Update(allow=public, emits="entry.updated")
    delete = Delete(allow=public, emits="entry.deleted")
    close = Transition("state", source="open", target="closed", allow=public, emits="entry.closed")
    touch = Custom(allow=public, output=None, emits="entry.touched")
    sum = Custom(on="collection", output=Sum, allow=public, emits="entry.summed")


class Account(Resource, prefix="acc", tenant="team", soft_delete=True):
    """A tenant's, with a list of its own: written in a transaction of its own."""

    team: str
    name: str = field(max_length=40)
    parts: Owned[Part]

    read = Read(allow=public)
    create = Create(allow=this.name.ne("refused"), emits="account.created")
    delete = Delete(allow=public, emits="account.deleted")
    restore = Restore(allow=public, emits="account.restored")


class Part(Resource, prefix="prt"):
    account: One[Account]
    label: str


class Silent(Resource, prefix="sil"):
    """Tells nothing."""

    key: str = field(max_length=40)

    create = Create(allow=public)


contract = Contract("ledger", resources=[Entry, Account, Part, Silent])


@implements(Entry.touch)
async def touch(ctx: Context, entry: Entry) -> None:
    """Changes nothing."""


@implements(Entry.sum)
async def sum_of_all(ctx: Context) -> Sum:
    return Sum(count=await ctx.data.table(Entry).count())


@implements(Entry.update)
async def update(ctx: Context, change: Change[Entry]) -> Entry:
    entry = await change.apply()
    if entry.amount == 13:
        raise RuntimeError("no such number")
    return entry


services = [touch, sum_of_all, update]
app = Sternpost(contract, services=services)
