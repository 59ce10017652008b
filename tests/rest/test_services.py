"""What authors' functions return and raise, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest

from sternpost import (
    Context,
    Contract,
    Create,
    Custom,
    Payload,
    Resource,
    Settings,
    Sternpost,
    field,
    implements,
    public,
)
from sternpost.errors import SternpostError
from sternpost.testing import Client
from tests.conftest import LogLines


class Report(Payload):
    total: int
    price: Decimal = field(decimal_places=2, max_digits=10)
    day: date | None
    state: Literal["open", "shut"] = field(default="open")


class Note(Resource, prefix="not"):
    text: str = field(default="")

    create = Create(allow=public)
    report = Custom(on="collection", output=Report, allow=public)
    pay = Custom(on="collection", output=None, allow=public)


class Unpaid(SternpostError):
    """An author's own error, with a status of its own."""

    http_status = 402


@dataclass
class Given:
    """What the functions return or raise next."""

    returned: Any = None
    raised: Exception | None = None


GIVEN = Given()


@implements(Note.report)
async def report(ctx: Context) -> Report:
    return GIVEN.returned


@implements(Note.pay)
async def pay(ctx: Context) -> None:
    await ctx.data.table(Note).create({"text": "not kept"})
    assert GIVEN.raised is not None
    raise GIVEN.raised


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    contract = Contract("notes", resources=[Note])
    app = Sternpost(contract, services=[report, pay], settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


@dataclass
class Loose:
    """Not the declared class, but with its attributes."""

    total: Any = 1
    price: Any = Decimal("1.50")
    day: Any = None
    secret: str = "stays inside"


async def test_only_what_is_declared_leaves(client: Client) -> None:
    GIVEN.returned = Loose(day=date(2026, 1, 2))
    answer = await client.post("/api/v1/notes/report")
    assert answer.data == {"total": 1, "price": "1.50", "day": "2026-01-02", "state": "open"}


@pytest.mark.parametrize(
    ("returned", "member"),
    [
        (None, "total"),
        ({"total": 1, "price": Decimal(1)}, "total"),
        (Loose(total=None), "total"),
        (Loose(total="1"), "total"),
        (Loose(total=True), "total"),
        (Loose(total=2**63), "total"),
        (Loose(price=None), "price"),
        (Loose(price="1.50"), "price"),
        (Loose(price=Decimal("NaN")), "price"),
        (Loose(day="2026-01-02"), "day"),
        (type("Strange", (Loose,), {"state": "gone"})(), "state"),
    ],
)
async def test_an_answer_that_does_not_fit_is_500_and_named_in_the_log(
    client: Client, log_lines: LogLines, returned: Any, member: str
) -> None:
    GIVEN.returned = returned
    answer = await client.post("/api/v1/notes/report")
    assert (answer.status, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "Report" not in answer.content.decode()
    (line,) = [line for line in log_lines.lines if line["level"] == "error" and "stack" in line]
    assert f"Report.{member} does not fit its declaration" in line["stack"]


async def test_an_error_of_the_authors_has_its_own_status(client: Client) -> None:
    GIVEN.raised = Unpaid("Pay first", code="UNPAID")
    answer = await client.post("/api/v1/notes/pay")
    assert (answer.status, answer.json()["error"]["code"]) == (402, "UNPAID")
    assert answer.json()["error"]["message"] == "Pay first"
    async with client.app.data() as db:
        assert await db.table(Note).count() == 0
