"""The clinic, in this process, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from sternpost import Settings, Sternpost
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.rules.clinic import contract
from tests.rules.visits import Visits


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    app = Sternpost(contract, settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


@pytest.fixture
async def visits(client: Client) -> Visits:
    made = await client.post("/api/v1/practitioners", json={"name": "Ada"})
    return Visits(client, made.data["id"])
