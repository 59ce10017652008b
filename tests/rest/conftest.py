"""The shop, in this process, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from shop import services
from shop.contract import contract

from sternpost import Settings, Sternpost
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.shop import Shop


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    app = Sternpost(contract, services=[services], settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


@pytest.fixture
def shop(client: Client) -> Shop:
    return Shop(client)
