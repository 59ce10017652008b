"""Carries operations out on a service of each database and by the model, and tells the first difference."""

from __future__ import annotations

import asyncio
import re
import secrets
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest

from sternpost import Context, Database, Settings, Sternpost, implements
from sternpost.testing import Client

from .compare import Names, answered, comparable, differences
from .contracts import Spec, random_contract
from .known import LeftOut
from .model import BEGIN, Answer, Caller
from .operations import TICK, Generator, Op, Service, callers
from .shrink import shrunk

TOKEN_SECONDS = 10**7
SECRET = "only-for-the-net-0123456789abcdefghijkl"
VALUES = re.compile(r"\.\d+| is (?!missing|not expected).*| has .*|: .*", re.DOTALL)
"""What of a problem's text depends on the rows that show it."""


class TestClock:
    """Time that stands still until it is set; all services and the model share it."""

    __test__ = False

    def __init__(self) -> None:
        self.instant = BEGIN

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return 0.0

    def tick(self) -> None:
        self.instant += TICK


class Ids:
    """Ids that grow by one, so that the order of creation is that of the ids whatever the time."""

    def __init__(self) -> None:
        self.last = 0

    def __call__(self) -> str:
        self.last += 1
        return f"{self.last:032x}"


@dataclass
class Work:
    """What the service function of a backend is to do next."""

    todo: Callable[[Database], Awaitable[None]] | None = None


@dataclass
class Backend:
    """A service on one kind of database."""

    kind: str
    client: Client
    classes: dict[str, Any]
    url: str
    work: Work
    ids: Ids
    names: Names = field(default_factory=Names)
    etags: dict[int, str] = field(default_factory=dict)
    tokens: dict[Any, str] = field(default_factory=dict)
    clear_statement: str = ""

    async def clear(self) -> None:
        """Empties every table."""
        self.names, self.etags, self.tokens = Names(), {}, {}
        if self.kind == "sqlite":
            # Not in the thread of the event loop: the service that writes just now needs it to come to its end.
            await asyncio.to_thread(_clear_file, self.url.removeprefix("sqlite:///"))
            return
        connection = await asyncpg.connect(self.url)
        if not self.clear_statement:
            rows = await connection.fetch("select tablename from pg_tables where schemaname = 'public'")
            tables = [f'"{row[0]}"' for row in rows if not row[0].startswith("sternpost_")]
            self.clear_statement = f"""do $$ begin set constraints all deferred; set local session_replication_role = replica;
                {"".join(f"delete from {table};" for table in tables)} end $$"""
        await connection.execute(self.clear_statement)
        await connection.close()

    def token(self, caller: Caller) -> str | None:
        if not caller.known:
            return None
        sub, tenant, claims = (self.names.sent(value) for value in (caller.sub, caller.tenant, caller.claims))
        key = (caller.name, sub, tenant, str(claims))  # ids in it become known while a run goes on
        found = self.tokens.get(key)
        if found is None:
            found = self.client.token(sub, *sorted(caller.scopes), tenant=tenant, seconds=TOKEN_SECONDS, claims=claims)
            self.tokens[key] = found
        return found

    async def send(self, op: Op, caller: Caller, cursor: str | None = None) -> tuple[int, Any, str | None]:
        """Status, body and ETag."""
        method, path, body, query, headers = self.request(op)
        if cursor is not None:
            query = [*query, ("cursor", cursor)]
        if query:
            path += "?" + "&".join(
                f"{quote(name, safe='[]')}={quote(self.names.sent(text), safe=',')}" for name, text in query
            )
        answer = await self.client.request(
            method, path, json=self.names.sent(body), token=self.token(caller), headers=headers
        )
        return answer.status, answer.json() if answer.content else None, answer.headers.get("etag")

    def request(self, op: Op) -> tuple[str, str, Any, list[tuple[str, str]], dict[str, str]]:
        headers: dict[str, str] = {}
        etag = "*" if op.match == "*" else self.etags.get(op.match)
        if etag is not None:
            headers["If-None-Match" if op.kind == "read" else "If-Match"] = etag
        if op.kind == "batch":
            return "POST", "/api/v1/$batch", {"operations": [self.step(step) for step in op.steps]}, [], headers
        path = f"/api/v1/{op.resource.lower()}s"
        if op.row:
            path += f"/{self.names.id(op.row)}"
        if op.kind in ("nested", "transition", "own") or (op.kind == "walk" and op.name):
            path += f"/{op.name}"
        if op.kind == "restore":
            path += "/restore"
        method = {
            "create": "POST",
            "replace": "PUT",
            "update": "PATCH",
            "delete": "DELETE",
            "restore": "POST",
            "transition": "POST",
        }
        return method.get(op.kind, "GET"), path, op.body, op.query, headers

    def step(self, op: Op) -> dict[str, Any]:
        name = op.name if op.kind == "transition" else op.kind
        found: dict[str, Any] = {"operation": f"{op.resource.lower()}s.{name}"}
        found |= {"as": op.alias} if op.alias else {}
        found |= {"id": op.row} if op.row is not None else {}
        found |= {"body": op.body} if op.body is not None else {}
        found |= {"query": dict(op.query)} if op.query else {}
        return self.names.sent(found)


def _clear_file(path: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma foreign_keys = off")
    tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    connection.execute("begin immediate")
    for (table,) in tables:
        if not table.startswith(("sqlite_", "sternpost_")):
            connection.execute(f'delete from "{table}"')
    connection.execute("commit")
    connection.close()


@dataclass
class Difference:
    """The first difference of a run."""

    op: Op | None
    where: str
    problems: list[str]

    @property
    def kind(self) -> tuple[str, str, str]:
        """What differs, whatever rows and values show it: the same while the operations become fewer."""
        return self.where, self.op.kind if self.op else "content", VALUES.sub("", self.problems[0])

    def __str__(self) -> str:
        return "\n".join(
            [f"{self.where}, at: {self.op or 'the content at the end'}", *(f"  {line}" for line in self.problems[:8])]
        )


def service_of(module: dict[str, Any], work: Work) -> Any:
    """A service function that does what it is given with `ctx.data`, in the operation's transaction."""

    @implements(module["Sailor"].work)
    async def do(ctx: Context) -> None:
        assert work.todo is not None
        await work.todo(ctx.data)

    return do


@asynccontextmanager
async def services(spec: Spec, urls: dict[str, str], clock: TestClock) -> AsyncIterator[list[Backend]]:
    """A service of the contract on each database, with its tables."""
    module = spec.compile()
    async with AsyncExitStack() as stack:
        found: list[Backend] = []
        for kind, url in urls.items():
            settings = Settings(env="test", database_url=url, jwt_secret=SECRET)  # type: ignore[arg-type]
            work, ids = Work(), Ids()
            app = Sternpost(
                module["contract"],
                services=[service_of(module, work), *spec.services(module)],
                settings=settings,
                clock=clock,
                new_id=ids,
                write_log=lambda _: None,
            )
            client = await stack.enter_async_context(Client(app))
            found.append(Backend(kind, client, module, url, work, ids))
        yield found


class Run:
    """One run of operations on all services and the model."""

    def __init__(
        self, spec: Spec, backends: list[Backend], clock: TestClock, statistics: dict[str, int] | None = None
    ) -> None:
        self.spec = spec
        self.backends = backends
        self.clock = clock
        self.callers = callers(spec)
        self.service = Service(spec)
        self.statistics = statistics if statistics is not None else {}

    async def all(self, ops: list[Op]) -> Difference | None:
        """The first difference, or None."""
        for backend in self.backends:
            await backend.clear()
        self.clock.instant = BEGIN
        for op in ops:
            self.clock.tick()
            self.service.model.now = self.clock.instant
            try:
                if (found := await self.one(op)) is not None:
                    return found
            except LeftOut as reason:
                self.note(f"left out: {reason}")
        return await self.content(None)

    def note(self, what: str) -> None:
        self.statistics[what] = self.statistics.get(what, 0) + 1

    async def one(self, op: Op) -> Difference | None:
        if op.kind == "walk":
            return await self.walk(op)
        expected = self.service.perform(op)
        self.note(f"{op.kind} {expected.status}")
        if op.kind == "data":
            from .data import send_data

            return await send_data(self, op, expected)
        said: list[Any] = []
        for backend in self.backends:
            status, body, etag = await backend.send(op, self.callers[op.caller])
            if etag is not None:
                backend.etags[op.n] = etag
            if op.kind == "batch" and status == expected.status == 200:
                problems = self.batch(op, expected, body, backend)
            else:
                problems = answered(expected, status, body, etag, backend.names)
            if problems:
                return Difference(op, f"{backend.kind} and the model differ", problems)
            told = not (expected.loose or expected.others or expected.status == 0)  # else which of several is not said
            said.append(comparable(status, body, backend.names) if told else status)
        return self.between(op, said)

    def between(self, op: Op | None, said: list[Any]) -> Difference | None:
        if all(other == said[0] for other in said):
            return None
        kinds = " and ".join(backend.kind for backend in self.backends)
        return Difference(
            op,
            f"{kinds} differ",
            [f"{backend.kind}: {what}" for backend, what in zip(self.backends, said, strict=True)],
        )

    def batch(self, op: Op, expected: Answer, body: Any, backend: Backend) -> list[str]:
        problems: list[str] = []
        for number, (result, wanted) in enumerate(zip(body["data"], expected.data, strict=True)):
            if wanted.empty:
                found = (
                    []
                    if result["status"] == wanted.status
                    else [f"status {result['status']}, expected {wanted.status}"]
                )
            else:
                found = answered(wanted, result["status"], result, result.get("etag"), backend.names)
            problems += [f"{number}: {problem}" for problem in found]
        return problems

    async def walk(self, op: Op) -> Difference | None:
        """A whole list by its cursors: each row once, and it ends."""
        expected = self.service.perform(op)
        self.note(f"{op.kind} {expected.status}")
        if expected.status != 200:
            return await self.one(
                Op(**{**vars(op), "kind": "nested" if op.name else "browse", "query": [*op.query, ("cursor", "")]})
            )
        whole = self.service.whole_list(op)
        size = int(dict(op.query)["pageSize"]) if "pageSize" in dict(op.query) else 10**6
        for backend in self.backends:
            rows: list[Any] = []
            cursor: str | None = ""
            while cursor is not None and len(rows) <= len(whole):
                status, body, _ = await backend.send(op, self.callers[op.caller], cursor)
                if status != 200:
                    return Difference(op, backend.kind, [f"status {status} after {len(rows)} rows: {body}"])
                cursor = body["meta"]["nextCursor"]
                if len(body["data"]) > size or (cursor is not None and not body["data"]):
                    return Difference(op, backend.kind, [f"a page of {len(body['data'])} rows"])
                rows += body["data"]
            if problems := differences(whole, rows, backend.names, "walk"):
                return Difference(op, f"{backend.kind} and the model differ", problems)
        return None

    async def content(self, op: Op | None) -> Difference | None:
        """All rows of all tables, as the data client reads them."""
        from .data import contents, expected_contents

        expected = expected_contents(self.service.model)
        for backend in self.backends:
            if problems := differences(expected, await contents(self.spec, backend), backend.names, "content"):
                return Difference(op, f"the rows of {backend.kind} and of the model differ", problems)
        return None


async def check(
    spec: Spec, ops: list[Op], backends: list[Backend], clock: TestClock, statistics: dict[str, int] | None = None
) -> Difference | None:
    """The first difference of these operations."""
    return await Run(spec, backends, clock, statistics).all(ops)


PER_CONTRACT = 5
"""Seeds that share a contract, and the databases made for it: making those takes as long as a few seeds."""


async def check_seeds(seeds: list[int], postgres: str, folder: Path) -> None:
    """Carries out the seeds; fails with the first difference, made small."""
    statistics: dict[str, int] = {}
    clock, admin = TestClock(), await asyncpg.connect(postgres)
    name = f"sternpost_net_{secrets.token_hex(6)}"
    address = f"{postgres.rpartition('/')[0]}/{name}"
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')  # it is dropped in a minute
    try:
        for contract in sorted({seed // PER_CONTRACT for seed in seeds}):
            own = await asyncpg.connect(address)
            await own.execute("drop schema public cascade; create schema public")
            await own.close()
            spec = random_contract(contract)
            urls = {"sqlite": f"sqlite:///{folder / f'{contract}.sqlite'}", "postgresql": address}
            async with services(spec, urls, clock) as backends:
                for seed in seeds:
                    if seed // PER_CONTRACT == contract:
                        await check_seed(spec, seed, backends, clock, statistics)
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()
    carried_out = sum(count for what, count in statistics.items() if what.split()[-1] in ("200", "201", "204"))
    assert carried_out > 10 * len(seeds), f"most operations are to be carried out: {statistics}"


async def check_seed(
    spec: Spec, seed: int, backends: list[Backend], clock: TestClock, statistics: dict[str, int] | None = None
) -> None:
    """Carries out one seed; fails with the first difference, made small."""
    ops = Generator(spec, seed).run()
    first = await check(spec, ops, backends, clock, statistics)
    if first is None:
        return

    async def fails(candidate: list[Op]) -> bool:
        found = await check(spec, candidate, backends, clock)
        return found is not None and found.kind == first.kind

    small = await shrunk(ops, fails)
    found = await check(spec, small, backends, clock)
    lines = [
        f"STERNPOST_MODEL_SEED={seed}",
        f"As found: {first}",
        "",
        f"Made small: {found or first}",
        "",
        "The operations:",
        *map(str, small),
        "",
        "The contract:",
        spec.text(),
    ]
    pytest.fail("\n".join(lines), pytrace=False)
