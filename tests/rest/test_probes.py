"""Probes: what they are answered, and that they cost the database nothing, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sternpost import Browse, Contract, Resource, Settings, Sternpost, field, public
from sternpost.app.drivers import make_storage
from sternpost.health import readiness as checks
from sternpost.testing import Client
from tests.conftest import LogLines


class Note(Resource, prefix="not"):
    text: str = field()

    browse = Browse(allow=public)


class Counting:
    """The database of the settings, which counts its checks."""

    def __init__(self, settings: Settings) -> None:
        self._storage = make_storage(settings, serving=True)
        self.checked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    async def check(self) -> None:
        self.checked += 1
        await self._storage.check()


async def test_a_thousand_probes_cost_no_statement(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "EVERY_SECONDS", 600)
    settings = make_settings()
    storage = Counting(settings)
    app = Sternpost(Contract("notes", resources=[Note]), settings=settings, storage=storage)  # type: ignore[arg-type]
    async with Client(app) as client:
        assert storage.checked == 1, "the first check comes before the first request"
        for _ in range(1000):
            for path in ("/health", "/health/ready", "/health/startup"):
                assert (await client.get(path)).status == 200
        assert storage.checked == 1


async def test_a_start_that_is_under_way_is_told_and_not_waited_for(
    make_settings: Callable[..., Settings], log_lines: LogLines
) -> None:
    going, entered = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        entered.set()
        await going.wait()

    app = Sternpost(
        Contract("notes", resources=[Note]), settings=make_settings(), on_start=[slowly], write_log=log_lines
    )
    client = Client(app)
    starting = asyncio.create_task(app.start())
    await entered.wait()
    early = await client.get("/health/startup")
    assert (early.status, early.json()) == (503, {"status": "starting"})
    going.set()
    await starting
    try:
        assert (await client.get("/health/startup")).status == 200
        app.drain()
        assert (await client.get("/health/startup")).status == 200
        assert (await client.post("/health/startup")).status == 405
    finally:
        await app.stop()
