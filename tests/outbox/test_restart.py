"""PostgreSQL restarted under writes, once in order and once as after a crash: a reader goes on where it was."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest

from sternpost.errors import SternpostError
from sternpost.ids import new_hex
from sternpost.ports.outbox import READ_MAX, Position
from sternpost.ports.storage import Statistics
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.testing.storage.kept import AZURE, guest, kept_plan
from sternpost.testing.storage.outbox import event
from tests.conftest import not_run
from tests.support.postgres import NoPostgres, PrivateServer

pytestmark = pytest.mark.slow


@pytest.fixture
def server() -> Iterator[PrivateServer]:
    try:
        server = PrivateServer()  # durable, as its crash is part of the test
    except NoPostgres as error:
        not_run("PostgreSQL restarted under a reader of events", str(error))
    with server:
        yield server


async def write(storage: PostgresqlStorage, tried: list[str], done: list[str], stop: asyncio.Event) -> None:
    """Rows with an event each, in groups and in transactions of their own, as long as the test wants."""
    while not stop.is_set():
        name = f"guest.n{len(tried)}"
        tried.append(name)
        try:
            if len(tried) % 2:
                await storage.insert("Guest", guest(new_hex()), Statistics(), AZURE, events=[event(name)])
            else:
                async with storage.transaction(Statistics(), visibility=AZURE) as session:
                    await session.insert("Guest", guest(new_hex()))
                    await session.emit([event(name)])
        except SternpostError:
            await asyncio.sleep(0.02)  # the server is away: nothing tells when it is back
        else:
            done.append(name)


async def read(storage: PostgresqlStorage, found: list[str], stop: asyncio.Event) -> None:
    """What a reader with a position comes to."""
    outbox = storage.outbox()
    position: Position | None = None
    while True:
        try:
            events, position = await outbox.after(position, READ_MAX)
            found += [each.name for each in events]
            if not events and stop.is_set():
                return
            await outbox.wait(position, 0.5)
        except SternpostError:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["in order", "as after a crash"])
async def test_a_reader_goes_on_after_a_restart(server: PrivateServer, how: signal.Signals) -> None:
    storage, reading = PostgresqlStorage(server.url), PostgresqlStorage(server.url)
    for each in (storage, reading):
        await each.open(kept_plan())
    await storage.create_schema()
    tried, done, found = list[str](), list[str](), list[str]()
    stop = asyncio.Event()
    writers = [asyncio.create_task(write(storage, tried, done, stop)) for _ in range(6)]
    reader = asyncio.create_task(read(reading, found, stop))

    async def reached(number: int) -> None:
        async with asyncio.timeout(60):
            while len(done) < number or len(found) < number // 2:
                await asyncio.sleep(0.01)

    await reached(100)
    await asyncio.to_thread(server.stop, how)
    await asyncio.to_thread(server.start)
    await reached(len(done) + 100)
    stop.set()
    await asyncio.gather(*writers, reader)
    assert sorted(set(found)) == sorted(found), "nothing was restored, so nothing comes again"
    assert set(done) <= set(found) <= set(tried)
    rows = (await storage.fetch("SELECT count(*) FROM guests", ()))[0][0]
    assert rows == len(found), "each row has told"
    for each in (storage, reading):
        await each.close()
