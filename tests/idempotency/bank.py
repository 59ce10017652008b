"""A service whose changes leave traces that can be counted, and stop where a test wants them to."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Literal

from sternpost import (
    Browse,
    Conflict,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    Forbidden,
    HttpContext,
    Media,
    NotFound,
    Payload,
    Read,
    Redirect,
    Resource,
    Sternpost,
    Transition,
    Unavailable,
    Unprocessable,
    Update,
    authenticated,
    field,
    implements,
    provide,
    public,
    scope,
)


class Gate:
    """Where a function stops, if a test has closed it: `entered` is set by the function, `open` by the test."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.calls = 0

    def close(self) -> None:
        self.entered.clear()
        self.open.clear()

    async def come(self, name: str) -> None:
        """Called by a function when it comes to a point."""
        self.calls += 1
        self.entered.set()
        await self.open.wait()


class FileGate(Gate):
    """The same between processes: a file for each point that was come to, and one that opens it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    async def come(self, name: str) -> None:
        if not (self.folder / f"stop-{name}").exists():
            return
        (self.folder / f"entered-{name}").touch()
        while not (self.folder / f"open-{name}").exists():
            await asyncio.sleep(0.005)


def make_gate() -> Gate:
    folder = os.environ.get("BANK_FOLDER")
    return Gate() if folder is None else FileGate(Path(folder))


class Amount(Payload):
    """How much, and why."""

    cents: int
    reason: str = field(default="", max_length=200)


class Told(Payload):
    """What came of it."""

    cents: int


class Account(Resource, prefix="acc"):
    """An account."""

    name: str = field(max_length=100)
    secret: str = field(default="s", max_length=100, read="secrets")
    cents: int = field(default=0, write="never")
    state: Literal["open", "closed"] = field(default="open", write="never")
    version: int = field(auto="version")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=authenticated)
    delete = Delete(allow=scope("accounts:delete"))
    close = Transition("state", "open", "closed", allow=public, headers={"X-Closed": "what it had"})
    pay = Custom(input=Amount, allow=authenticated)
    pay_slowly = Custom(input=Amount, allow=authenticated)
    must = Custom(input=Amount, allow=authenticated, idempotency="required")
    goto = Custom(output=Redirect, allow=public)
    page = Custom(output=Media("text/plain"), allow=public)
    cookie = Custom(output=None, allow=public, headers={"X-Own": "own"})
    refused = Custom(input=Amount, on="collection", output=Told, allow=public)


class Entry(Resource, prefix="ent"):
    """An effect that can be counted."""

    account: str = field(max_length=100, filter=True)
    cents: int
    reason: str = field(default="", max_length=200)

    browse = Browse(allow=public, max_page_size=1000)
    read = Read(allow=public)


@implements(Account.pay)
async def pay(ctx: Context, account: Account, amount: Amount, *, gate: Gate) -> None:
    await gate.come("before")
    await ctx.repository(Entry).create({"account": account.id, "cents": amount.cents, "reason": amount.reason})
    await gate.come("entry")
    await ctx.repository(Account).update(account.id, {"cents": account.cents + amount.cents})
    await gate.come("after")


@implements(Account.pay_slowly)
async def pay_slowly(ctx: Context, account: Account, amount: Amount, *, gate: Gate) -> None:
    await ctx.repository(Entry).create({"account": account.id, "cents": amount.cents, "reason": amount.reason})
    await gate.come("slowly")


@implements(Account.must)
async def must(ctx: Context, account: Account, amount: Amount) -> None:
    await ctx.repository(Entry).create({"account": account.id, "cents": amount.cents})


@implements(Account.close)
async def close(ctx: Context, account: Account) -> None:
    ctx.headers["X-Closed"] = str(account.cents)
    await ctx.repository(Entry).create({"account": account.id, "cents": 0, "reason": "closed"})


@implements(Account.goto)
async def goto(ctx: Context, account: Account) -> Redirect:
    entry = await ctx.repository(Entry).create({"account": account.id, "cents": 0})
    return Redirect(f"/entries/{entry.id}", 303)


@implements(Account.page)
async def page(ctx: Context, account: Account) -> str:
    entry = await ctx.repository(Entry).create({"account": account.id, "cents": 0})
    return f"entry {entry.id}"


@implements(Account.cookie)
async def cookie(ctx: HttpContext, account: Account) -> None:
    entry = await ctx.repository(Entry).create({"account": account.id, "cents": 0})
    ctx.headers["X-Own"] = entry.id
    ctx.response.cookie("entry", entry.id)
    ctx.response.header("X-More", entry.id)


@implements(Account.refused)
async def refused(ctx: Context, amount: Amount, *, gate: Gate) -> Told:
    """Writes something, and refuses with the status that is asked for."""
    await ctx.repository(Entry).create({"account": "refused", "cents": amount.cents})
    await gate.come("refused")
    match amount.cents:
        case 403:
            raise Forbidden("Not you")
        case 404:
            raise NotFound
        case 409:
            raise Conflict("Not now", code="NOT_NOW")
        case 422:
            raise Unprocessable("No", code="NOT_SO", retry_after_seconds=7)
        case 500:
            raise ValueError("broken")
        case 503:
            raise Unavailable("away")
        case _:
            return Told(cents=amount.cents)


contract = Contract("bank", resources=[Account, Entry])
SERVICES = [pay, pay_slowly, must, close, goto, page, cookie, refused]
app = Sternpost(contract, services=SERVICES, provide=[provide(Gate, make_gate)])
