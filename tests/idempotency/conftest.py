"""The bank, in this process, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sternpost import Settings, Sternpost, provide
from sternpost.testing import Client
from sternpost.testing.clock import ManualClock
from tests.conftest import LogLines
from tests.idempotency.bank import SERVICES, Gate, contract


class Bank:
    """What tests of the bank do all the time."""

    def __init__(self, client: Client, gate: Gate) -> None:
        self.client = client
        self.gate = gate
        self.ada = client.token("ada")

    async def account(self, **values: Any) -> dict[str, Any]:
        answer = await self.client.post("/api/v1/accounts", json={"name": "A", **values})
        assert answer.status == 201, answer.content
        return answer.data

    async def pay(self, account: dict[str, Any], key: str | None, cents: int = 1, **more: Any) -> Any:
        url = f"/api/v1/accounts/{account['id']}/pay"
        return await self.client.post(url, json={"cents": cents}, **{"token": self.ada, "key": key, **more})

    async def entries(self, account: str | None = None) -> int:
        """How many effects there are."""
        query = "" if account is None else f"&account={account}"
        answer = await self.client.get(f"/api/v1/entries?pageSize=1{query}")
        return answer.json()["meta"]["totalCount"]


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def bank(
    make_settings: Callable[..., Settings], log_lines: LogLines, gate: Gate, clock: ManualClock
) -> AsyncIterator[Bank]:
    app = Sternpost(
        contract,
        services=SERVICES,
        settings=make_settings(),
        provide=[provide(Gate, lambda: gate)],
        write_log=log_lines,
        clock=clock,
    )
    async with Client(app) as client:
        yield Bank(client, gate)
