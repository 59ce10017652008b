"""Redis, and the stores."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.conftest import not_run
from tests.limits.stores import STORES, Counting, Held, Remote
from tests.support.redis import NoRedis, RedisServer


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server for tests that do it no harm."""
    try:
        server = RedisServer()
    except NoRedis as error:
        not_run("Redis", str(error))
    with server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server for this test alone."""
    try:
        server = RedisServer()
    except NoRedis as error:
        not_run("Redis", str(error))
    with server:
        yield server


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Counting]:
    """Each store: every test that uses it runs on each."""
    if request.param == "redis":
        made: Counting = Remote(request.getfixturevalue("redis_server").url)
    else:
        made = Held(request.param)
    yield made
    await made.close()
