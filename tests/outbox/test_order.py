"""The order in which events are read on PostgreSQL: that of the transactions, whichever commits first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import Any

import asyncpg
import pytest
from hypothesis import strategies as st

from sternpost.ids import new_hex
from sternpost.plan.query import Assignment, Modify, key_is
from sternpost.ports.outbox import READ_MAX, Event, Outbox, Position
from sternpost.ports.own_tables import OUTBOX_TABLE
from sternpost.ports.storage import Session, Statistics
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.testing.storage.kept import AT, kept_plan
from sternpost.testing.storage.outbox import event
from tests.conftest import new_postgres_database
from tests.support.postgres import PrivateServer, has_binaries
from tests.support.rounds import for_drawn, rounds

Writers = dict[str, "Writer"]


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that no other test writes to: a transaction in any of its databases holds events up."""
    if not has_binaries():
        yield request.getfixturevalue("postgres_url")
        return
    with PrivateServer(durable=False) as server:
        yield server.url


@pytest.fixture
async def storage(server: str) -> AsyncIterator[PostgresqlStorage]:
    async for url in new_postgres_database(server):
        storage = PostgresqlStorage(url)
        await storage.open(kept_plan())
        await storage.create_schema()
        yield storage
        await storage.close()


@dataclass
class Writer:
    """A transaction whose steps a test decides."""

    storage: PostgresqlStorage
    name: str
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    session: Session | None = None
    told: list[str] = field(default_factory=list[str])

    async def tell(self, what: str) -> None:
        if self.session is None:
            self.session = await self.stack.enter_async_context(self.storage.transaction(Statistics()))
        await self.session.emit([event(what)])
        self.told.append(what)

    async def commit(self) -> None:
        await self.stack.aclose()

    async def roll_back(self) -> None:
        self.told.clear()
        try:
            async with self.stack.pop_all():
                raise _Undone
        except _Undone:
            return


class _Undone(Exception):
    """Undoes a transaction."""


@dataclass
class Reader:
    """Reads what is new, and keeps what it has read."""

    outbox: Outbox
    limit: int = READ_MAX
    position: Position | None = None
    read: list[Event] = field(default_factory=list[Event])

    async def go_on(self) -> list[str]:
        """What was new."""
        new: list[Event] = []
        while True:
            found, self.position = await self.outbox.after(self.position, self.limit)
            if not found:
                break
            new += found
        self.read += new
        return [each.name for each in new]


@dataclass
class ByNumber(Reader):
    """The control: reads by the numbers of rows alone."""

    storage: PostgresqlStorage | None = None
    number: int = 0

    async def go_on(self) -> list[str]:
        assert self.storage is not None
        text = f"SELECT id, name FROM {OUTBOX_TABLE} WHERE id > $1 ORDER BY id"
        rows = await self.storage.fetch(text, (self.number,))
        self.number = max([self.number, *(row[0] for row in rows)])
        return [row[1] for row in rows]


async def test_a_slow_transaction_is_not_skipped(storage: PostgresqlStorage) -> None:
    """It has taken lower numbers, and commits later. Who reads by number alone never comes to its events."""
    slow, quick = Writer(storage, "slow"), Writer(storage, "quick")
    reader, control = Reader(storage.outbox()), ByNumber(storage.outbox(), storage=storage)
    await slow.tell("slow.one")
    await quick.tell("quick.one")
    await quick.commit()
    assert await control.go_on() == ["quick.one"]
    assert await reader.go_on() == [], "what a slower transaction has told comes before it"
    await slow.tell("slow.two")
    await slow.commit()
    assert await reader.go_on() == ["slow.one", "quick.one", "slow.two"]
    assert await control.go_on() == ["slow.two"], "the control has to miss an event, or this test proves nothing"


async def test_events_of_one_row_come_in_the_order_of_its_changes(storage: PostgresqlStorage) -> None:
    """Also where the transaction that changes it later has begun first, and so has the lower number."""
    key = new_hex()
    early, late = Writer(storage, "early"), Writer(storage, "late")
    await early.tell("early.begun")
    await late.tell("late.begun")
    assert late.session is not None
    assert early.session is not None
    await late.session.insert("Wish", {"id": key, "word": "first"})
    await late.tell("wish.first")
    await late.commit()
    await early.session.modify(Modify("Wish", key_is(1), (Assignment("word", "set", 0),)), ("second", key))
    await early.tell("wish.second")
    await early.commit()
    assert await Reader(storage.outbox()).go_on() == ["early.begun", "late.begun", "wish.first", "wish.second"]
    by_transaction = f"SELECT name FROM {OUTBOX_TABLE} ORDER BY xmin::text::bigint, id"
    control = [row[0] for row in await storage.fetch(by_transaction, ())]
    assert control.index("wish.second") < control.index("wish.first"), "else this test proves nothing"


async def test_what_comes_behind_a_commit_can_be_read_when_all_have_ended(storage: PostgresqlStorage) -> None:
    """Nothing has to happen after them: no further transaction is needed before the last event can be read."""
    early, late = Writer(storage, "early"), Writer(storage, "late")
    await early.tell("early.one")
    await late.tell("late.one")
    await late.commit()
    await early.tell("early.two")
    await early.commit()
    assert len(await Reader(storage.outbox()).go_on()) == 3


async def test_a_transaction_that_tells_nothing_holds_up_what_comes_behind_it(storage: PostgresqlStorage) -> None:
    """It might still tell something. The lag names it; one that has only read holds nothing up."""
    outbox = storage.outbox()
    idle = await asyncpg.connect(storage.url, server_settings={"application_name": "an idle one"})
    only_reads = await asyncpg.connect(storage.url)
    await idle.execute("BEGIN; CREATE TABLE mine (id int)")
    await only_reads.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await only_reads.fetch("SELECT 1 FROM sternpost_outbox")
    told = Writer(storage, "told")
    await told.tell("ward.told")
    await told.commit()
    assert await outbox.after(None, 10) == ([], None)
    lag = await outbox.lag(None)
    pid = await idle.fetchval("SELECT pg_backend_pid()")
    assert (lag.oldest, lag.held, lag.holder) == (AT, True, f"process {pid} of an idle one")
    assert lag.held_since is not None
    assert not await outbox.wait(None, 0.2)
    waiting = asyncio.create_task(outbox.wait(None, 30))
    await asyncio.sleep(0)
    await idle.execute("ROLLBACK")
    assert await waiting
    lag = await outbox.lag(None)
    assert (lag.oldest, lag.held, lag.holder) == (AT, False, None)
    assert await Reader(outbox).go_on() == ["ward.told"]
    await idle.close()
    await only_reads.close()


async def test_what_may_not_be_read_yet_is_not_removed(storage: PostgresqlStorage) -> None:
    slow, quick = Writer(storage, "slow"), Writer(storage, "quick")
    await slow.tell("slow.one")
    await quick.tell("quick.one")
    await quick.commit()
    far = AT.replace(year=AT.year + 1)
    assert await storage.outbox().remove_expired(far, 100) == 0
    await slow.commit()
    assert await storage.outbox().remove_expired(far, 100) == 2


async def test_one_process_removes_at_a_time(storage: PostgresqlStorage) -> None:
    writer = Writer(storage, "one")
    await writer.tell("ward.one")
    await writer.commit()
    other = await asyncpg.connect(storage.url)
    await other.execute("BEGIN; SELECT pg_advisory_xact_lock(hashtext('sternpost outbox'))")
    far = AT.replace(year=AT.year + 1)
    assert await storage.outbox().remove_expired(far, 100) == 0
    await other.execute("ROLLBACK")
    assert await storage.outbox().remove_expired(far, 100) == 1
    await other.close()


_STEPS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["tell", "tell", "commit", "roll back", "read"])),
    min_size=4,
    max_size=30,
)


@rounds(25, 400)
async def test_random_schedules(storage: PostgresqlStorage, rounds: int) -> None:
    """Four transactions that begin, tell, commit and roll back in any order, and readers between: each event that was
    committed is read once, and none that was not; in one order by all readers, in which an event comes behind those of
    its transaction before it, and behind all that were committed when it was written."""
    start, missed = await _start(storage), 0

    async def check(steps: list[tuple[str, str]], seed: int) -> None:
        nonlocal start, missed
        random, writers, committed = Random(seed), dict[str, Writer](), list[list[str]]()
        readers = [Reader(storage.outbox(), limit, start) for limit in (1, 3, READ_MAX)]
        control = ByNumber(storage.outbox(), storage=storage, number=0 if start is None else start.number)
        seen_by_control: list[str] = []
        behind: dict[str, list[str]] = {}
        for number, (name, step) in enumerate(steps):
            writer = writers.setdefault(name, Writer(storage, name))
            if step == "tell":
                behind[f"{name}.n{number}"] = [*writer.told, *(each for names in committed for each in names)]
                await writer.tell(f"{name}.n{number}")
            elif step == "read":
                await random.choice(readers).go_on()
                seen_by_control += await control.go_on()
            else:
                del writers[name]
                await (writer.commit() if step == "commit" else writer.roll_back())
                committed += [writer.told] if writer.told else []
        for writer in writers.values():
            await writer.commit()
            committed += [writer.told] if writer.told else []
        for reader in readers:
            await reader.go_on()
        seen_by_control += await control.go_on()
        start = readers[0].position
        orders = [[each.name for each in reader.read] for reader in readers]
        assert orders[0] == orders[1] == orders[2]
        assert sorted(orders[0]) == sorted(name for names in committed for name in names)
        place = {each: number for number, each in enumerate(orders[0])}
        for each in orders[0]:
            assert all(place[other] < place[each] for other in behind[each])
        missed += sorted(seen_by_control) != sorted(orders[0])

    await for_drawn(rounds, check, _STEPS, st.integers(0, 2**32))
    assert missed, "reading by number has to miss something, or the schedules prove nothing"


async def _start(storage: PostgresqlStorage) -> Position | None:
    return (await storage.outbox().after(None, READ_MAX))[1]


# -- a database that is not what it was


async def test_rows_from_another_server_come_first_and_nothing_new_is_late(storage: PostgresqlStorage) -> None:
    """After a dump was restored on a server that has had fewer transactions: its rows have numbers that are not reached
    for a long time, and positions are ahead of all that is new."""
    for name in ("one", "two", "three"):
        writer = Writer(storage, name)
        await writer.tell(f"old.{name}")
        await writer.commit()
    _, before = await storage.outbox().after(None, READ_MAX)
    assert before is not None
    await storage.write(f"UPDATE {OUTBOX_TABLE} SET xid = xid + 5000000", ())
    other_server = Position("1", before.transaction + 5_000_000, before.number, before.event)
    new = Writer(storage, "new")
    await new.tell("new.one")
    await new.commit()
    events, position = await storage.outbox().after(other_server, READ_MAX)
    assert [each.name for each in events] == ["old.one", "old.two", "old.three", "new.one"]
    later = Writer(storage, "later")
    await later.tell("new.two")
    await later.commit()
    events, _ = await storage.outbox().after(position, READ_MAX)
    assert [each.name for each in events] == ["new.two"]


async def test_a_database_that_lost_its_last_events_is_read_anew(storage: PostgresqlStorage) -> None:
    """As after a restore to an earlier time, or where a replica took over that had not got everything."""
    for name in ("kept", "lost"):
        writer = Writer(storage, name)
        await writer.tell(f"old.{name}")
        await writer.commit()
    _, position = await storage.outbox().after(None, READ_MAX)
    await storage.write(f"DELETE FROM {OUTBOX_TABLE} WHERE name = 'old.lost'", ())
    events, again = await storage.outbox().after(position, READ_MAX)
    assert [each.name for each in events] == ["old.kept"]
    assert again is not None
    assert again != position
    assert await storage.outbox().after(again, READ_MAX) == ([], again)


# -- hints from one process to another


@pytest.fixture
async def other(storage: PostgresqlStorage) -> AsyncIterator[PostgresqlStorage]:
    """The same database, as another process has it."""
    other = PostgresqlStorage(storage.url)
    await other.open(kept_plan())
    yield other
    await other.close()


async def _woken_after(storage: PostgresqlStorage, other: PostgresqlStorage, *, round: int) -> float:
    """How long a reader that waits takes to notice a commit of the other process."""
    loop = asyncio.get_running_loop()
    outbox = storage.outbox()
    _, position = await outbox.after(None, READ_MAX)
    waiting = asyncio.create_task(outbox.wait(position, 20))
    await asyncio.sleep(0.05)
    writer = Writer(other, "other")
    await writer.tell(f"other.n{round}")
    await writer.commit()
    started = loop.time()
    assert await waiting
    return loop.time() - started


async def test_a_commit_of_another_process_is_heard(
    storage: PostgresqlStorage, other: PostgresqlStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not found by looking: nobody would look for a minute."""
    monkeypatch.setattr("sternpost.storage.postgresql.listening.LISTENING_POLL_SECONDS", 60.0)
    monkeypatch.setattr("sternpost.storage.postgresql.listening.QUIET_SECONDS", 0.0)
    assert not await storage.outbox().wait(None, 0.2)  # listens from here on
    for number in range(3):
        assert await _woken_after(storage, other, round=number) < 5


async def test_nobody_has_a_connection_to_listen_who_does_not_read(
    storage: PostgresqlStorage, other: PostgresqlStorage
) -> None:
    async def listeners() -> int:
        text = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'"
        return (await other.fetch(text, ()))[0][0]

    writer = Writer(storage, "one")
    await writer.tell("ward.one")
    await writer.commit()
    await storage.outbox().after(None, 1)
    assert await listeners() == 0
    _, position = await storage.outbox().after(None, 1)
    assert not await storage.outbox().wait(position, 0.1)
    assert await listeners() == 1


async def test_a_reader_listens_again_when_its_connection_was_cut(
    storage: PostgresqlStorage, other: PostgresqlStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not await storage.outbox().wait(None, 0.1)
    listening: Any = storage._listening
    cut = listening._connection
    assert cut is not None
    ended: asyncio.Event = asyncio.Event()
    hear: Callable[[Any], None] = listening._ended

    def note(connection: Any) -> None:
        hear(connection)
        ended.set()

    cut.add_termination_listener(note)
    await other.fetch("SELECT pg_terminate_backend($1)", (cut.get_server_pid(),))
    async with asyncio.timeout(10):
        await ended.wait()
    monkeypatch.setattr("sternpost.storage.postgresql.listening.LISTENING_POLL_SECONDS", 60.0)
    monkeypatch.setattr("sternpost.storage.postgresql.listening.QUIET_SECONDS", 0.0)
    assert not await storage.outbox().wait(None, 0.2)
    assert await _woken_after(storage, other, round=1) < 5
