"""Sends the same requests to two worlds and compares the answers, byte for byte."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from sternpost.testing import Response
from tests.model.compare import Names
from tests.model.contracts import SCOPES, Spec
from tests.model.model import BEGIN, Caller
from tests.model.operations import CLAIMS, Op
from tests.model.run import Backend, TestClock, services

from .requests import EXPORTS, ME, Asker, Queries, page, served
from .seeded import TENANTS, Content, Postgresql, Sqlite, seed_rows
from .unavoidable import Told, excused
from .worlds import Changer, Sight, World

ATTACKERS = 8
"""How many attackers a seed has; each has two worlds of their own."""

REQUESTS = 135
"""How many requests each of them sends to both worlds."""

CHANGES = 30
"""How often a change is tried to make the second world."""

WRITES = 5
"""After how many changes by the attacker both worlds are put back."""

PAGES = 3
"""How many pages of a list are followed by cursor."""

MADE_UP = re.compile(rb"req_[0-9a-f]{16}")
OWN_HEADERS = ("x-request-id", "traceparent", "traceresponse", "server-timing", "date")
"""Headers that are made for each answer alone."""


class RealIds(Names):
    """Requests hold ids here, and no symbols for them."""

    def id(self, symbol: str) -> str:
        return symbol


@dataclass
class Tally:
    """What was done."""

    pairs: int = 0
    differing: int = 0
    """Pairs of worlds that differ at all."""
    answers: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    parted: int = 0
    """Changes after which the attacker may lawfully see more of one world than of the other."""


def compared(answer: Response) -> tuple[int, list[tuple[str, str]], bytes]:
    """What has to be the same."""
    headers = sorted((name, value) for name, value in answer.headers.items() if name not in OWN_HEADERS)
    return answer.status, headers, MADE_UP.sub(b"req", answer.content)


async def send(backend: Backend, op: Op, attacker: Caller) -> Response:
    """One request."""
    if isinstance(op.match, str):
        backend.etags[op.match] = op.match  # type: ignore[index]
    method, path, body, query, headers = backend.request(op if op.name not in EXPORTS else replace(op, name=None))
    if op.name in EXPORTS:
        headers["Accept"] = op.name
    if query:
        path += "?" + "&".join(f"{quote(name, safe='[]')}={quote(str(text), safe=',')}" for name, text in query)
    await asyncio.sleep(0)  # SQLite's reads of one turn of the event loop share a snapshot; a request begins in its own
    return await backend.client.request(method, path, json=body, token=backend.token(attacker), headers=headers)


def first_different(answers: list[Response]) -> int:
    """The number of the first step of a batch that is answered differently."""
    failed = [
        int(detail["path"].split(".")[1])
        for answer in answers
        if answer.status >= 400
        for detail in answer.error["details"]
        if detail["path"].startswith("operations.")
    ]
    if failed or any(answer.status >= 400 for answer in answers):
        return min(failed, default=0)
    left, right = (answer.data for answer in answers)
    return next((number for number, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1]), 0)


class Attack:
    """One attacker and their two worlds."""

    def __init__(
        self,
        spec: Spec,
        rng: Random,
        attacker: Caller,
        backends: list[Backend],
        contents: list[Content],
        clock: TestClock,
        tally: Tally,
        base: World,
        queries: Queries,
    ) -> None:
        self.spec, self.attacker, self.backends, self.contents = spec, attacker, backends, contents
        self.clock, self.tally = clock, tally
        self.changer = Changer(spec, base, attacker, rng)
        self.begin = self.worlds = (base, self.changer.change(CHANGES))
        self.sights = self.seen(self.begin)
        self.first_id = 0
        self.asker = Asker(spec, rng, attacker, self.sights, queries)
        self.sent: list[Op] = []
        """The changes since both worlds were as they began."""

    def seen(self, worlds: tuple[World, World]) -> tuple[Sight, Sight]:
        return Sight(self.spec, worlds[0], self.attacker), Sight(self.spec, worlds[1], self.attacker)

    async def run(self) -> str | None:
        """The first difference, told."""
        self.tally.differing += bool(self.changer.changes)
        await self.put_back()
        for number in range(REQUESTS):
            self.clock.tick()
            self.count_ids_from((number + 1) * 1000)
            op = self.asker.next()
            if (found := await (self.walk(op) if op.kind == "walk" else self.once(op))) is not None:
                return found
        return None

    def count_ids_from(self, first: int) -> None:
        """The ids of new rows are the same in both worlds."""
        self.first_id = first
        for backend in self.backends:
            backend.ids.last = first

    async def put_back(self) -> None:
        """Both worlds as they began."""
        await self.write(self.begin)
        self.sent = []
        self.look_at(self.begin, self.seen(self.begin))

    async def write(self, worlds: tuple[World, World]) -> None:
        for content, world in zip(self.contents, worlds, strict=True):
            await content.write(world)

    async def read(self) -> tuple[World, World]:
        return await self.contents[0].read(), await self.contents[1].read()

    def look_at(self, worlds: tuple[World, World], sights: tuple[Sight, Sight]) -> None:
        self.worlds, self.sights = worlds, sights
        self.asker.look_at(sights)

    async def walk(self, op: Op) -> str | None:
        """A list, page after page; the cursors are those of each world."""
        cursors: list[str] = ["", ""]
        for _ in range(PAGES):
            answers = [
                await send(backend, page(op, cursor), self.attacker)
                for backend, cursor in zip(self.backends, cursors, strict=True)
            ]
            if (found := await self.compare(op, answers)) is not None:
                return found
            cursors = [answer.json()["meta"]["nextCursor"] if answer.status == 200 else None for answer in answers]
            if None in cursors:
                break
        return None

    async def once(self, op: Op) -> str | None:
        answers = [await send(backend, op, self.attacker) for backend in self.backends]
        if (found := await self.compare(op, answers)) is not None:
            return found
        if op.kind not in ("browse", "read", "nested", "own") and answers[0].status < 400:
            await self.changed(op)
        elif op.kind == "read" and "etag" in answers[0].headers:
            self.asker.tags[str(op.row)] = answers[0].headers["etag"]
        return None

    async def changed(self, op: Op) -> None:
        """Goes on with what is there now, where the attacker can still not tell the worlds from each other."""
        self.sent.append(op)
        if len(self.sent) >= WRITES:
            await self.put_back()
            return
        worlds = await self.read()
        sights = self.seen(worlds)
        if sights[0].view == sights[1].view:
            self.look_at(worlds, sights)
        else:
            self.tally.parted += 1
            await self.put_back()

    async def compare(self, op: Op, answers: list[Response]) -> str | None:
        self.tally.pairs += 1
        self.tally.answers[f"{op.kind} {answers[0].status}"] += 1
        if compared(answers[0]) == compared(answers[1]):
            return None
        left, right = (
            Told(op, answer.status, answer.content, sight) for answer, sight in zip(answers, self.sights, strict=True)
        )
        if (name := excused((left, right))) is not None:
            self.tally.excused[name] += 1
            await self.put_back()
            return None
        if op.kind == "batch" and await self.parted_by(replace(op, steps=op.steps[: first_different(answers)])):
            self.tally.parted += 1
            await self.put_back()
            return None
        return self.told(op, answers)

    async def parted_by(self, before: Op) -> bool:
        """Whether the steps of a batch before the one that is answered differently have changed what the attacker may see."""
        if not before.steps:
            return False
        await self.write(self.worlds)
        self.count_ids_from(self.first_id)
        answers = [await send(backend, before, self.attacker) for backend in self.backends]
        assert {answer.status for answer in answers} == {200}, "they were carried out before"
        sights = self.seen(await self.read())
        return sights[0].view != sights[1].view

    def told(self, op: Op, answers: list[Response]) -> str:
        lines = [
            f"{self.backends[0].kind}: two worlds that {self.attacker} may not tell apart answer differently.",
            str(op),
        ]
        for answer in answers:
            status, headers, content = compared(answer)
            lines += [f"  {status} {content.decode()}", f"      {headers}"]
        lines += ["Before it:", *(f"  {sent}" for sent in self.sent)]
        lines += ["The second world is the first, but for:", *(f"  {change}" for change in self.changer.changes)]
        lines += ["The first world:"]
        for name, rows in self.begin[0].rows.items():
            lines += [f"  {name} {row}" for row in rows.values()]
        lines += [f"  {name} {sorted(pairs)}" for name, pairs in self.begin[0].pairs.items()]
        return "\n".join(lines)


def attackers(spec: Spec, rng: Random, base: World) -> Iterator[Caller]:
    """Who asks: nobody, one of the owners, somebody else; with some scopes and for some tenant."""
    owners = [row["id"] for row in base.rows["Sailor"].values() if not row.get("deleted_at")]
    tenants: list[Any] = [None]
    if spec.tenants:
        tenants = [*(base.rows["Org"] if spec.tenants == "reference" else TENANTS)] * 3 + [None]
    while True:
        if rng.random() < 0.15:
            yield Caller(ME)
            continue
        scopes = frozenset(scope for scope in SCOPES if rng.random() < 0.3)
        friends = rng.sample(owners, min(len(owners), 2))
        claims = rng.choice([{}, *({**claims, "friend": friends[0], "friends": friends} for claims in CLAIMS.values())])
        yield Caller(ME, True, rng.choice([*owners, *owners, "a"]), scopes, rng.choice(tenants), claims)


@asynccontextmanager
async def _database(server: str) -> AsyncIterator[str]:
    """A new PostgreSQL database."""
    name, admin = f"sternpost_worlds_{secrets.token_hex(6)}", await asyncpg.connect(server)
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        await admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')  # it is dropped in a minute
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


def share_statements(backends: list[Backend]) -> None:
    """Both worlds are asked the same: what a statement reads like is found out once for both of them."""
    first, *others = (backend.client.app.running.runtime.storage for backend in backends)
    for storage in others:
        assert storage.ddl() == first.ddl(), "only storages of the same plan and database can share them"
        storage.statements = first.statements


async def check_seed(
    seed: int, postgres: str | None, folder: Path, tally: Tally, attackers_of_seed: int = ATTACKERS
) -> None:
    """All attackers of a seed; fails with the first difference."""
    spec, rng, clock = served(seed), Random(f"worlds {seed}"), TestClock()
    clock.instant = BEGIN
    async with AsyncExitStack() as stack:
        names = [f"{seed}-a", f"{seed}-b"]
        if postgres is None:
            urls = {name: f"sqlite:///{folder / f'{name}.sqlite'}" for name in names}
        else:
            urls = {name: await stack.enter_async_context(_database(postgres)) for name in names}
        backends = await stack.enter_async_context(services(spec, urls, clock))
        share_statements(backends)
        contents: list[Content] = []
        for backend in backends:
            backend.names = RealIds()
            content = (
                Sqlite(spec, backend.url) if postgres is None else Postgresql(spec, await asyncpg.connect(backend.url))
            )
            stack.push_async_callback(content.close)
            contents.append(content)
        await seed_rows(spec, backends[0], rng, [f"sai_{1:032x}", f"sai_{2:032x}", "a", "b"])
        base = await contents[0].read()
        queries: Queries = {}
        who = attackers(spec, rng, base)
        for _ in range(attackers_of_seed):
            for backend in backends:
                backend.tokens = {}
            attack = Attack(spec, rng, next(who), backends, contents, clock, tally, base, queries)
            if (found := await attack.run()) is not None:
                pytest.fail(f"STERNPOST_WORLDS_SEED={seed}\n{found}\n\nThe contract:\n{spec.text()}", pytrace=False)
