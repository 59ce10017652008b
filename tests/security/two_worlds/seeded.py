"""Rows to begin with: random ones, written by the data client; and the raw content of a database, read and put back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any, Protocol
from uuid import UUID

import asyncpg

from sternpost.errors import SternpostError
from tests.model.contracts import Res, Spec, Value
from tests.model.data import instances
from tests.model.model import Row
from tests.model.operations import some_value
from tests.model.run import Backend

from .worlds import Pair, World, pair_sides

TENANTS = ("north", "south")
ROWS = 7
"""How many rows of each resource are tried."""


Changed = tuple[str, list[str], list[list[Any]]]
"""A table, its columns and the rows that it is to have."""


class Content(Protocol):
    """The raw content of a database."""

    async def read(self) -> World: ...

    async def write(self, world: World) -> None: ...

    async def close(self) -> None: ...


class _Tables:
    """The tables of a contract."""

    def __init__(self, spec: Spec) -> None:
        self.tables = [(res.name, res.plural) for res in spec.resources]
        self.prefixes = {
            res.name: {"id": res.prefix, **{value.name: spec.by_name[str(value.to)].prefix for value in res.refs}}
            for res in spec.resources
        }
        names = {rows.through for res in spec.main for rows in res.lists if rows.through}
        self.pairs = {
            name: tuple((f"{side.name.lower()}_id", side.prefix) for side in pair_sides(spec, name))
            for name in sorted(names)
        }
        self.now = World()

    def changed(self, world: World) -> list[Changed]:
        """Table, columns and rows of what is to be written anew."""
        found: list[Changed] = []
        for name, table in self.tables:
            rows = list(world.rows[name].values())
            if world.rows[name] != self.now.rows.get(name):
                kept = [[stored(row[column], column in self.prefixes[name]) for column in rows[0]] for row in rows]
                found.append((table, list(rows[0]) if rows else [], kept))
        for name, sides in self.pairs.items():
            if world.pairs[name] != self.now.pairs.get(name):
                pairs = [[stored(key, True) for key in pair] for pair in sorted(world.pairs[name])]
                found.append((name, [column for column, _ in sides], pairs))
        return found

    def row(self, name: str, kept: dict[str, Any]) -> Row:
        """A row with whole ids, as clients know them."""
        for column, prefix in self.prefixes[name].items():
            if kept[column] is not None:
                kept[column] = f"{prefix}_{digits(kept[column])}"
        return kept

    def pair(self, name: str, kept: tuple[Any, ...]) -> Pair:
        (_, left), (_, right) = self.pairs[name]
        return f"{left}_{digits(kept[0])}", f"{right}_{digits(kept[1])}"


def digits(key: Any) -> str:
    """An id as clients know it, without its prefix: PostgreSQL keeps a UUID, whose text has dashes."""
    return key.hex if isinstance(key, UUID) else key


def stored(value: Any, is_id: bool) -> Any:
    """An id as it is stored: without its prefix."""
    return value.partition("_")[2] if is_id and value is not None else value


class Sqlite(_Tables):
    """Of a SQLite file."""

    def __init__(self, spec: Spec, url: str) -> None:
        super().__init__(spec)
        self.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
        self.connection.execute("pragma foreign_keys = off")
        self.connection.execute("pragma synchronous = off")

    async def read(self) -> World:
        world = World()
        for name, table in self.tables:
            cursor = self.connection.execute(f'select * from "{table}" order by id')
            columns = [column[0] for column in cursor.description]
            rows = [self.row(name, dict(zip(columns, kept, strict=True))) for kept in cursor]
            world.rows[name] = {row["id"]: row for row in rows}
        for name, ((left, _), (right, _)) in self.pairs.items():
            pairs = self.connection.execute(f'select "{left}", "{right}" from "{name}"')
            world.pairs[name] = {self.pair(name, pair) for pair in pairs}
        self.now = world
        return world

    async def write(self, world: World) -> None:
        await self.read()
        if changed := self.changed(world):
            # Not in the thread of the event loop: the service that writes just now needs it to come to its end.
            await asyncio.to_thread(self._replace, changed)
        self.now = world

    def _replace(self, changed: Sequence[Changed]) -> None:
        self.connection.execute("begin immediate")
        for table, columns, rows in changed:
            self.connection.execute(f'delete from "{table}"')
            named = ", ".join(f'"{column}"' for column in columns)
            marks = ", ".join("?" for _ in columns)
            if rows:
                self.connection.executemany(f'insert into "{table}" ({named}) values ({marks})', rows)
        self.connection.execute("commit")

    async def close(self) -> None:
        self.connection.close()


class Postgresql(_Tables):
    """Of a PostgreSQL database."""

    def __init__(self, spec: Spec, connection: asyncpg.Connection[Any]) -> None:
        super().__init__(spec)
        self.connection = connection

    async def read(self) -> World:
        world = World()
        for name, table in self.tables:
            rows = await self.connection.fetch(f'select * from "{table}" order by id')
            world.rows[name] = {row["id"]: row for row in (self.row(name, dict(kept)) for kept in rows)}
        for name, ((left, _), (right, _)) in self.pairs.items():
            pairs = await self.connection.fetch(f'select "{left}", "{right}" from "{name}"')
            world.pairs[name] = {self.pair(name, tuple(pair)) for pair in pairs}
        self.now = world
        return world

    async def write(self, world: World) -> None:
        await self.read()
        if changed := self.changed(world):
            async with self.connection.transaction():
                await self.connection.execute("set local session_replication_role = replica")
                for table, columns, rows in changed:
                    await self.connection.execute(f'delete from "{table}"')
                    named = ", ".join(f'"{column}"' for column in columns)
                    marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
                    if rows:
                        await self.connection.executemany(f'insert into "{table}" ({named}) values ({marks})', rows)
        self.now = world

    async def close(self) -> None:
        await self.connection.close()


async def seed_rows(spec: Spec, backend: Backend, rng: Random, subjects: list[str]) -> None:
    """Writes random rows of two tenants, some of them deleted; what the rules of the data refuse is left out."""
    await _Seeder(spec, backend, rng, subjects).run()


class _Seeder:
    def __init__(self, spec: Spec, backend: Backend, rng: Random, subjects: list[str]) -> None:
        self.spec, self.backend, self.rng, self.subjects = spec, backend, rng, subjects
        self.made: dict[str, list[tuple[str, Any]]] = {res.name: [] for res in spec.resources}
        """Of each resource id and tenant."""

    async def run(self) -> None:
        every: dict[str, Any] = {"tenants": "all"} if self.spec.tenants else {}
        async with self.backend.client.app.data(**every) as db:
            for res in self.spec.main:
                table = db.table(self.backend.classes[res.name])
                for number in range({"Org": 2, "Sailor": 3}.get(res.name, ROWS)):
                    values, tenant = self.values(res, number)
                    with suppress(SternpostError, ValueError):
                        made = await table.create(instances(values, self.backend.classes))
                        self.made[res.name].append((made.id, tenant))
            for res in self.spec.main:
                for key, _ in list(self.made[res.name]):
                    if res.soft and res.name != "Sailor" and self.rng.random() < 0.3:
                        with suppress(SternpostError):
                            await db.table(self.backend.classes[res.name]).delete(key)

    def values(self, res: Res, number: int) -> tuple[dict[str, Any], Any]:
        tenant: Any = None
        found: dict[str, Any] = {}
        if res.tenant:
            orgs = [key for key, _ in self.made.get("Org", [])]
            tenant = self.rng.choice(orgs if res.tenant == "org_id" else TENANTS)
            found[res.tenant] = tenant
        for value in res.fields:
            if value.name in ("id", res.tenant) or value.auto or value.computed or value.back:
                continue
            if value.name == "opened_by":
                found[value.name] = self.rng.choice(self.subjects)
            elif value.to:
                key = self.key(value, res, tenant)
                if key is not None or value.nullable:
                    found[value.name] = key
            elif value.name == "state":
                found[value.name] = self.rng.choice(value.choices)
            elif not value.required and self.rng.random() < 0.3:
                continue
            else:
                found[value.name] = some_value(self.rng, value)
        for rows in res.lists:
            target = self.spec.by_name[rows.target]
            if rows.kind == "owned":
                items = [self.item(target, tenant) for _ in range(self.rng.randint(0, 2))]
                found[rows.name] = {"create": [item for item in items if item is not None]}
            elif rows.kind == "linked" and (others := self.fitting(target, res, tenant)):
                found[rows.name] = {"connect": self.rng.sample(others, min(len(others), self.rng.randint(0, 2)))}
        return found, tenant

    def item(self, item: Res, tenant: Any) -> dict[str, Any] | None:
        found: dict[str, Any] = {"quantity": self.rng.randint(0, 3)}
        for value in item.fields:
            if value.name == "note":
                found["note"] = some_value(self.rng, value)
            elif value.to and not value.back:
                key = self.key(value, self.spec.by_name[str(item.owned_by)], tenant)
                if key is None and not value.nullable:
                    return None
                found[value.name] = key
        return found

    def key(self, value: Value, holder: Res, tenant: Any) -> str | None:
        others = self.fitting(self.spec.by_name[str(value.to)], holder, tenant)
        return None if not others or (value.nullable and self.rng.random() < 0.2) else self.rng.choice(others)

    def fitting(self, target: Res, holder: Res, tenant: Any) -> list[str]:
        """What a row of a tenant may refer to."""
        free = not (target.tenant and holder.tenant)
        return [key for key, whose in self.made[target.name] if free or whose == tenant]
