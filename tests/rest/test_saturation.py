"""What `/metrics` tells of the database and of what the pipeline counts, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import pytest

from sternpost import Settings, Sternpost, provide
from sternpost.errors import Unavailable
from sternpost.ports.limits import Charge, LimitStore, Verdict
from sternpost.ports.storage import Statistics
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.idempotency import bank
from tests.idempotency.conftest import Bank
from tests.outbox import ledger
from tests.support.limited import make
from tests.support.measured import OPS_TOKEN, Page

Make = Callable[..., Settings]


@pytest.fixture
async def page(make_settings: Make, log_lines: LogLines) -> AsyncIterator[Page]:
    """The ledger's. One transaction at a time is possible."""
    settings = make_settings(ops_token=OPS_TOKEN, database_pool_size=2)
    app = Sternpost(ledger.contract, services=ledger.services, settings=settings, write_log=log_lines)
    async with Client(app) as client:
        yield Page(client)


async def until(page: Page, what: tuple[str, ...], value: float) -> None:
    async with asyncio.timeout(20):
        while (await page.samples())[what] != value:
            await asyncio.sleep(0.01)


def of_writers(found: Mapping[tuple[str, ...], float], page: Page) -> dict[str, float]:
    """What is told of the pool that writers wait for."""
    pool = pool_of_writers(page)
    return {
        name.removeprefix("sternpost_database_pool_"): value
        for (name, *labels), value in found.items()
        if labels[:1] == [pool] and name.startswith("sternpost_database_pool_")
    }


def pool_of_writers(page: Page) -> str:
    url = page.client.app.settings.database_url.get_secret_value()
    return "writer" if url.startswith("sqlite") else "transactions"


async def test_who_waits_to_write_is_seen(page: Page) -> None:
    before = of_writers(await page.samples(), page)
    assert (before["size"], before["in_use"], before["waiting"]) == (1, 0, 0)
    storage = page.client.app.running.runtime.storage
    async with storage.transaction(Statistics()):
        writing = asyncio.create_task(page.client.post("/api/v1/entries", json={"key": "a"}))
        await until(page, ("sternpost_database_pool_waiting", pool_of_writers(page), "1"), 1)
        during = of_writers(await page.samples(), page)
        assert (during["in_use"], during["waits_total"]) == (1, before["waits_total"])
    assert (await writing).status == 201
    after = of_writers(await page.samples(), page)
    assert (after["in_use"], after["waiting"]) == (0, 0)
    assert after["waits_total"] == before["waits_total"] + 1
    assert after["wait_seconds_total"] > before["wait_seconds_total"]


async def test_every_pool_is_told(page: Page) -> None:
    found = await page.samples()
    pools = {labels[0] for name, *labels in found if name == "sternpost_database_pool_size"}
    assert pools == ({"writer", "readers"} if pool_of_writers(page) == "writer" else {"primary", "transactions"})


async def test_events_of_committed_changes_are_counted(page: Page) -> None:
    async def written() -> float:
        return (await page.samples())["sternpost_outbox_events_total",]

    assert await written() == 0
    answer = await page.client.post("/api/v1/entries", json={"key": "a"})
    assert await written() == 2, "created, counted"
    again = await page.client.post("/api/v1/entries", json={"key": "a"})
    assert again.status == 409
    assert await written() == 2
    await page.client.post(f"/api/v1/entries/{answer.data['id']}/close")
    assert await written() == 3
    await page.client.post(f"/api/v1/entries/{answer.data['id']}/close")
    assert await written() == 3
    steps = [{"operation": "entries.create", "body": {"key": key}} for key in ("b", "c", "a")]
    refused = await page.client.post("/api/v1/$batch", json={"steps": steps})
    assert refused.status >= 400, refused.content
    assert await written() == 3


async def test_what_comes_of_idempotency_keys_is_counted(make_settings: Make, log_lines: LogLines) -> None:
    gate = bank.Gate()
    app = Sternpost(
        bank.contract,
        services=bank.SERVICES,
        settings=make_settings(ops_token=OPS_TOKEN),
        provide=[provide(bank.Gate, lambda: gate)],
        write_log=log_lines,
    )
    async with Client(app) as client:
        page, here = Page(client), Bank(client, gate)
        account = await here.account()
        await here.pay(account, "k1", 5)
        await here.pay(account, "k1", 5)
        assert (await here.pay(account, "k1", 6)).status == 422
        await here.pay(account, None, 1)
        gate.close()
        first = asyncio.create_task(here.pay(account, "k2", 5))
        await gate.entered.wait()
        second = asyncio.create_task(here.pay(account, "k2", 5))
        await until(page, ("sternpost_idempotency_keys_total", "waited"), 1)
        gate.open.set()
        assert [(await each).status for each in (first, second)] == [200, 200]
        found = await page.samples()
        events = {labels[0]: value for (name, *labels), value in found.items() if "idempotency_keys_total" in name}
        assert events == {"carried_out": 2, "replayed": 2, "reused": 1, "in_use": 0, "waited": 1}


class Away:
    """A store that cannot be reached."""

    dependency = None

    async def charge(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        raise Unavailable("No connection")

    async def check(self) -> None: ...

    async def close(self) -> None: ...


def decided(found: Mapping[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    """By decision and limit, those with any."""
    return {tuple(labels): value for (name, *labels), value in found.items() if "limit_decisions" in name and value}


@pytest.fixture
def serve(make_settings: Make, log_lines: LogLines) -> Callable[..., Client]:
    def served(limits: LimitStore | None = None) -> Client:
        return Client(make(settings=make_settings(ops_token=OPS_TOKEN), write_log=log_lines, limits=limits))

    return served


async def test_decisions_of_limits_are_counted(serve: Callable[..., Client]) -> None:
    async with serve() as client:
        page, token = Page(client), client.token("usr_1")
        assert ("sternpost_limit_decisions_total", "refused", "bells.plan/plan") in await page.samples()
        for _ in range(5):
            await client.post("/api/v1/bells/ring", token=token)
        assert decided(await page.samples()) == {
            ("allowed", "bells.ring/daily"): 3,
            ("refused", "bells.ring/daily"): 2,
            ("allowed", "service/all"): 5,
        }


async def test_calls_that_nobody_could_count_are_counted(serve: Callable[..., Client]) -> None:
    async with serve(Away()) as client:
        page = Page(client)
        assert (await client.post("/api/v1/bells/knock")).status == 200
        assert decided(await page.samples()) == {
            ("uncounted", "bells.knock/address-day"): 1,
            ("uncounted", "service/all"): 1,
        }
