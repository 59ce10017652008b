"""What an author's function hands in by mistake is told by its type: no value of a row gets into a text or a log line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest

from sternpost import (
    Context,
    Contract,
    Create,
    Custom,
    One,
    Read,
    Resource,
    Settings,
    Sternpost,
    field,
    implements,
    one,
    public,
)
from sternpost.errors import SternpostError
from sternpost.testing import Client
from tests.conftest import LogLines

SECRET = "1234567890123"
"""Stands in every value."""


class Account(Resource, prefix="acc"):
    iban: str = field(default="", sensitive=True)
    amount: int = field(default=0, filter=True)
    ratio: float = field(default=0.0)
    price: Decimal = field(default=Decimal(0), decimal_places=2, max_digits=10)
    opened: datetime | None = field(default=None)
    key: UUID | None = field(default=None)
    state: Literal["open", "shut"] = field(default="open")
    heir: One[Account] | None = one()

    create = Create(allow=public)
    read = Read(allow=public)
    change = Custom(on="item", output=None, allow=public)


MISTAKES: list[dict[str, Any]] = [
    {"iban": int(SECRET)},
    {"iban": SECRET + "\0"},
    {"iban": SECRET + "\ud800"},
    {"iban": [SECRET]},
    {"amount": SECRET},
    {"amount": float(SECRET)},
    {"amount": int(SECRET) * 10**20},
    {"ratio": SECRET},
    {"ratio": int(SECRET) * 10**400},
    {"price": SECRET},
    {"price": Decimal(SECRET)},
    {"price": Decimal(f"0.{SECRET}")},
    {"opened": SECRET},
    {"key": SECRET},
    {"state": SECRET},
    {"heir_id": SECRET},
    {"heir_id": int(SECRET)},
    {"amount": {"increment": SECRET}},
]
given: dict[str, Any] = {}


@implements(Account.change)
async def change(ctx: Context, account: Account) -> None:
    await ctx.data.table(Account).update(account.id, given)


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    contract = Contract("accounts", resources=[Account])
    async with Client(Sternpost(contract, services=[change], settings=make_settings(), write_log=log_lines)) as client:
        yield client


@pytest.mark.parametrize("values", MISTAKES, ids=range(len(MISTAKES)))
async def test_a_log_line_holds_no_value(client: Client, log_lines: LogLines, values: dict[str, Any]) -> None:
    made = (await client.post("/api/v1/accounts", json={})).data["id"]
    given.clear()
    given.update(values)
    answer = await client.post(f"/api/v1/accounts/{made}/change")
    assert answer.status in (400, 500)
    assert SECRET not in answer.content.decode()
    assert not any(SECRET in line.decode() for line in log_lines.raw)


@pytest.mark.parametrize("values", MISTAKES, ids=range(len(MISTAKES)))
async def test_a_text_for_the_author_holds_no_value(client: Client, values: dict[str, Any]) -> None:
    async with client.app.data() as db:
        accounts = db.table(Account)
        made = await accounts.create({})
        calls: list[Callable[[], Any]] = [
            lambda: accounts.create(values),
            lambda: accounts.update(made.id, values),
            lambda: accounts.update_many({}, values),
            lambda: accounts.find(values),
        ]
        texts: list[str] = []
        for call in calls:
            try:
                await call()
            except (TypeError, ValueError, SternpostError) as error:
                texts.append(str(error))
        assert texts
        assert not any(SECRET in text for text in texts)


async def test_other_texts_hold_no_value(client: Client) -> None:
    async with client.app.data() as db:
        accounts = db.table(Account)
        limit: Any = SECRET
        calls: list[Callable[[], Any]] = [
            lambda: db.key(SECRET),
            lambda: accounts.find(limit=limit),
            lambda: accounts.aggregate(by=["state"], having={"count": {"gt": SECRET}}),
            lambda: accounts.aggregate(by=["state"], having={"sum": {"amount": {"gt": SECRET}}}),
        ]
        for call in calls:
            with pytest.raises((TypeError, ValueError)) as raised:
                await call()
            assert SECRET not in str(raised.value)
