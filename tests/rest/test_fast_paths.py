"""Every fast path answers exactly what the slow one does.

The fast service is asked many things at once, so that reads and new rows go together, and what it decided before is used
again. The slow one is asked one thing at a time, each in a transaction of its own, and forgets what it decided.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sternpost import (
    Browse,
    Contract,
    Create,
    Json,
    One,
    Read,
    Resource,
    Settings,
    Sternpost,
    authenticated,
    field,
    one,
    scope,
    this,
)
from sternpost.app.drivers import make_storage
from sternpost.plan.query import Select
from sternpost.ports.outbox import Events
from sternpost.ports.storage import Document, Reader, Statistics, Values
from sternpost.testing import Client
from tests.conftest import DATABASES, SECRET, new_postgres_database

KINDS = ("open", "shut")


class Author(Resource, prefix="aut", owner="id"):
    name: str = field(unique=True)

    browse = Browse(sort=["name"], allow=authenticated)
    read = Read(allow=authenticated)
    create = Create(allow=scope("things:write"))


class Thing(Resource, prefix="thg", owner="author_id"):
    author: One[Author] | None = one(filter=True)
    code: str | None = field(unique=True)
    text: str | None = field(filter=True)
    secret: str | None = field(read="things:secret", filter=True)
    kind: Literal["open", "shut"] | None = field(filter=True)
    whole: int | None = field(filter=True, ge=-5, le=5)
    ratio: float | None
    flag: bool | None = field(filter=True)
    at: datetime | None = field(filter=True)
    day: date | None
    price: Decimal | None = field(decimal_places=2, filter=True)
    key: uuid.UUID | None
    blob: Json | None

    browse = Browse(
        sort=["text", "whole", "at", "price"], allow=this.is_owner | this.kind.eq("open") | scope("things:all")
    )
    read = Read(allow=this.is_owner | this.kind.eq("open") | scope("things:all"))
    create = Create(allow=scope("things:write") | this.kind.eq("open"))


CONTRACT = Contract("fast-paths", resources=[Author, Thing])
SCOPES = ("things:all", "things:secret", "things:write")
AUTHORS = [f"aut_{number:032x}" for number in range(1, 4)]
MISSING = "aut_" + "f" * 32
REQUEST_ID = re.compile(rb'"requestId":"req_[0-9a-f]{16}"')
IDENTITY = re.compile(rb"thg_[0-9a-f]{32}")


class OneByOne:
    """A storage that carries each call out alone, in a transaction of its own."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def reader(self, statistics: Statistics | None = None, **more: Any) -> Reader:
        return _Alone(self.inner, statistics or Statistics(), more)  # type: ignore[return-value]

    async def insert(
        self, resource: str, values: Values, statistics: Statistics, events: Events = (), **more: Any
    ) -> Document:
        async with self.inner.transaction(statistics, **more) as session:
            document = await session.insert(resource, values)
            await session.emit(events)
            return document


class _Alone:
    def __init__(self, storage: Any, statistics: Statistics, more: dict[str, Any]) -> None:
        self.storage, self.statistics, self.more = storage, statistics, more

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any, **options: Any) -> Any:
            async with self.storage.transaction(self.statistics, **self.more) as session:
                return await getattr(session, name)(*args, **options)

        return call


@dataclass
class Ask:
    """One request, and who asks."""

    method: str
    url: str
    body: Any
    subject: str | None
    scopes: tuple[str, ...]


@dataclass
class Pair:
    """The two services, each with the same rows."""

    fast: Client
    slow: Client

    async def ask(self, client: Client, ask: Ask) -> tuple[int, bytes, str | None]:
        token = client.token(ask.subject, *ask.scopes) if ask.subject else None
        answer = await client.request(ask.method, ask.url, json=ask.body, token=token)
        content = IDENTITY.sub(b"thg", REQUEST_ID.sub(b"", answer.content)) if ask.body else answer.content
        return answer.status, REQUEST_ID.sub(b"", content), answer.headers.get("content-type")

    async def ask_fast(self, asks: list[Ask]) -> list[Any]:
        return await asyncio.gather(*(self.ask(self.fast, ask) for ask in asks))

    async def ask_slow(self, asks: list[Ask]) -> list[Any]:
        answers: list[Any] = []
        for ask in asks:
            for operation in self.slow.app.running.runtime.operations.values():
                operation._access.clear()
            answers.append(await self.ask(self.slow, ask))
        return answers


class Fixed:
    """A clock that stands, where rows are made."""

    def __init__(self) -> None:
        self.started = datetime.now(UTC)

    def now(self) -> datetime:
        return self.started

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture(params=DATABASES)
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    clock = Fixed()
    if request.param == "sqlite":
        urls = [f"sqlite:///{tmp_path / name}.sqlite" for name in ("fast", "slow")]
        async with _pair(urls, clock) as found:
            yield found
        return
    server = request.getfixturevalue("postgres_url")
    async for fast in new_postgres_database(server):
        async for slow in new_postgres_database(server):
            async with _pair([fast, slow], clock) as found:
                yield found


def _pair(urls: list[str], clock: Fixed) -> Any:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opened() -> AsyncIterator[Pair]:
        made = [Settings(env="test", database_url=url, jwt_secret=SECRET) for url in urls]
        fast = Sternpost(CONTRACT, settings=made[0], clock=clock, write_log=_nowhere)
        slow = Sternpost(
            CONTRACT, settings=made[1], clock=clock, write_log=_nowhere, storage=OneByOne(make_storage(made[1]))
        )
        async with Client(fast) as first, Client(slow) as second:
            found = Pair(first, second)
            for client in (first, second):
                storage = client.app.running.runtime.storage
                async with storage.transaction(Statistics()) as session:
                    for author in AUTHORS:
                        await session.insert("Author", {"id": author[4:], "name": author})
                    for values in ROWS:
                        await session.insert("Thing", values)
            yield found

    return opened()


def _nowhere(line: bytes) -> None:
    """These tests look at answers, not at lines."""


texts = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
instants = st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


def _rows() -> list[dict[str, Any]]:
    """Rows of every kind, with nulls, the same in both databases."""
    import random

    chance = random.Random(20261123)
    rows: list[dict[str, Any]] = []
    for number in range(60):

        def some(value: Any) -> Any:
            return None if chance.random() < 0.3 else value

        rows.append(
            {
                "id": f"{number + 1:032x}",
                "author_id": some(chance.choice(AUTHORS)[4:]),
                "code": some(f"code-{number}"),
                "text": some(chance.choice(["a", "A", "ä", "ß", "日本", "👩‍🚀", "z'", '"', "\\", "%", "_"])),
                "secret": some("hush"),
                "kind": some(chance.choice(KINDS)),
                "whole": some(chance.randint(-5, 5)),
                "ratio": some(chance.choice([0.1, -0.0, 1e300, 5e-324, 3.0])),
                "flag": some(chance.random() < 0.5),
                "at": some(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=chance.randint(0, 10**15))),
                "day": some(date(1, 1, 1) + timedelta(days=chance.randint(0, 3_000_000))),
                "price": some(Decimal(chance.randint(-99999, 99999)).scaleb(-2)),
                "key": some(uuid.UUID(int=chance.getrandbits(128))),
                "blob": some(chance.choice([{}, [], {"a": [1, None, "ü"]}, "text", 1.5, False])),
            }
        )
    return rows


ROWS = _rows()

callers = st.sampled_from([None, *AUTHORS, MISSING, "somebody"])
scope_sets = st.sets(st.sampled_from(SCOPES)).map(lambda found: tuple(sorted(found)))
parameters = st.sampled_from(
    [
        "",
        "?page=2&pageSize=7",
        "?sort=-text,whole",
        "?sort=at&pageSize=5",
        "?kind=open",
        "?kind[in]=open,shut&sort=-price",
        "?text[contains]=a",
        "?text=%C3%A4",
        "?whole[gte]=2&whole[lt]=4",
        "?flag=true&pageSize=3",
        "?price[gt]=0.01",
        "?secret=hush",
        "?secret[isNull]=true",
        f"?authorId={AUTHORS[0]}",
        "?include=author&pageSize=4",
        "?page=99",
        "?page=0",
        "?nonsense=1",
        "?whole=many",
    ]
)
reads = st.builds(
    Ask,
    st.just("GET"),
    st.one_of(
        st.integers(0, 64).map(lambda number: f"/api/v1/things/thg_{number:032x}"),
        st.integers(0, 64).map(lambda number: f"/api/v1/things/thg_{number:032x}?include=author"),
        st.sampled_from(["/api/v1/things/nonsense", f"/api/v1/authors/{AUTHORS[0]}", f"/api/v1/authors/{MISSING}"]),
        parameters.map(lambda text: "/api/v1/things" + text),
        parameters.map(lambda text: "/api/v1/things" + text),
    ),
    st.none(),
    callers,
    scope_sets,
)


def _json_ready(values: dict[str, Any]) -> dict[str, Any]:
    return orjson.loads(orjson.dumps(values, default=str))


bodies = st.fixed_dictionaries(
    {},
    optional={
        "authorId": st.sampled_from([None, *AUTHORS, MISSING, "usr_1"]),
        "text": texts,
        "kind": st.sampled_from([None, *KINDS, "other"]),
        "whole": st.none() | st.integers(-6, 6),
        "ratio": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.none() | st.booleans(),
        "at": instants,
        "day": st.none() | st.dates(),
        "price": st.none() | st.decimals(-1000, 1000, places=2).map(str),
        "key": st.none() | st.uuids(),
        "blob": st.none() | st.dictionaries(st.text(max_size=3), st.integers(-9, 9), max_size=3),
        "surplus": st.just(1),
    },
).map(_json_ready)

SETTINGS = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


async def _run(function: Callable[..., Any], strategy: Any) -> None:
    """Runs examples in the event loop that the services were started in."""
    loop = asyncio.get_running_loop()

    @SETTINGS
    @given(strategy)
    def examples(drawn: Any) -> None:
        asyncio.run_coroutine_threadsafe(function(drawn), loop).result(60)

    await asyncio.to_thread(examples)


async def test_reads(pair: Pair) -> None:
    async def check(asks: list[Ask]) -> None:
        assert await pair.ask_fast(asks) == await pair.ask_slow(asks)

    await _run(check, st.lists(reads, min_size=1, max_size=30))


async def test_new_rows(pair: Pair) -> None:
    """Each row of a group gets the answer it would have got alone, and what is stored is the same."""
    numbers = iter(range(10**9))

    async def check(drawn: list[tuple[dict[str, Any], bool]]) -> None:
        asks: list[Ask] = []
        for body, duplicate in drawn:
            body["code"] = "code-1" if duplicate else f"new-{next(numbers)}"
            asks.append(Ask("POST", "/api/v1/things", body, AUTHORS[0], ("things:write", "things:all")))
        assert await pair.ask_fast(asks) == await pair.ask_slow(asks)

    await _run(check, st.lists(st.tuples(bodies, st.booleans()), min_size=1, max_size=20))
    fast, slow = [await _everything(client) for client in (pair.fast, pair.slow)]
    assert len(fast) > len(ROWS)
    assert fast == slow


async def _everything(client: Client) -> list[Document]:
    """All stored things without their ids, in an order that does not depend on them."""
    runtime = client.app.running.runtime
    query = Select("Thing", tuple(client.app.plan.by_name["Thing"].fields_by_name))
    async with runtime.storage.transaction(Statistics()) as session:
        rows = await session.select(query)
    return sorted(({**row, "id": None} for row in rows.documents), key=lambda row: str(row["code"]))


async def test_cancellation_in_the_middle(pair: Pair) -> None:
    """Whoever goes away takes nothing along: the others are answered, and every connection comes back."""

    async def check(drawn: list[tuple[Ask, bool]]) -> None:
        tasks = [asyncio.create_task(pair.ask(pair.fast, ask)) for ask, _ in drawn]
        for turns, (task, (_, gone)) in enumerate(zip(tasks, drawn, strict=True)):
            if gone:
                if turns % 2:
                    await asyncio.sleep(0)
                task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        expected = await pair.ask_slow([ask for ask, _ in drawn])
        for answer, wanted, (_, gone) in zip(answers, expected, drawn, strict=True):
            assert answer == wanted or (gone and isinstance(answer, asyncio.CancelledError))

    await _run(check, st.lists(st.tuples(reads, st.booleans()), min_size=2, max_size=20))
    pool = getattr(pair.fast.app.running.runtime.storage, "pool", None)
    if pool is not None:
        async with asyncio.timeout(5):
            while pool.in_use:
                await asyncio.sleep(0.01)
