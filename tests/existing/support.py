"""The original beside what is served, settings for it, and what is inferred of databases that scripts make."""

from __future__ import annotations

import asyncio
import hashlib
import re
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import asyncpg

from sternpost import Settings, Sternpost
from sternpost.app.infer import infer_contract
from sternpost.infer.model import Inferred
from sternpost.testing import Client, Response
from tests.conftest import SECRET

KEY = "of-these-tests-9b1d5c7e2f4a6083b5d7e9f1a2c3"


class Original:
    """SQL on the original file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)

    def rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, arguments).fetchall()

    def one(self, sql: str, *arguments: Any) -> Any:
        return self.rows(sql, *arguments)[0][0]


def settings_for(url: str, **more: Any) -> Settings:
    return Settings(**{"env": "test", "database_url": url, "jwt_secret": SECRET, "secret_key": KEY, **more})


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


KEY_COLUMN = {"sqlite": "id INTEGER PRIMARY KEY", "postgresql": "id serial PRIMARY KEY"}


async def execute(url: str, sql: str) -> None:
    """Runs an SQL script, in which `{id}` stands for a key that the database counts."""
    scheme = url.partition(":")[0]
    script = sql.replace("{id}", KEY_COLUMN[scheme])
    if scheme == "sqlite":
        await asyncio.sleep(0)  # a service in this process ends what it reads in the loop's next turn
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.executescript(script)
        connection.close()
        return
    server = await asyncpg.connect(url)
    await server.execute(script)
    await server.close()


async def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    """What a query answers."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        found = connection.execute(sql).fetchall()
        connection.close()
        return found
    server = await asyncpg.connect(url)
    found = [tuple(row) for row in await server.fetch(sql)]
    await server.close()
    return found


class Call(Protocol):
    """One request to the inferred service."""

    async def __call__(self, method: str, path: str, body: Any = None) -> Response: ...


class Inference:
    """What is inferred of a database after an SQL script."""

    def __init__(self, url: str, text: str, inferred: Inferred) -> None:
        self.url = url
        self.text = text
        self.inferred = inferred
        self.addresses = {table.table.shown: table.path for table in inferred.tables}

    def declared(self, name: str) -> str:
        """The declaration of a field or relation, on one line."""
        found = re.findall(rf"^    ({name}: (?:.*\($[\s\S]*?^    \)|.*))$", self.text, re.MULTILINE)
        (declaration,) = found
        joined = re.sub(r"\s+", " ", declaration)
        return joined.replace("( ", "(").replace(", )", ")").replace("[ ", "[").replace(", ]", "]")

    def reasons(self, what: str) -> list[str]:
        """Why a table or column is left out or limited."""
        return [reason for name, reason in self.inferred.left_out if name == what]

    def app(self) -> Sternpost:
        module = ModuleType(f"inferred_{abs(hash(self.url))}")
        sys.modules[module.__name__] = module
        exec(compile(self.text, "<inferred>", "exec"), vars(module))
        app: Sternpost = vars(module)["app"]
        app.use(settings_for(self.url))
        app._write_log = lambda line: None
        return app

    @asynccontextmanager
    async def served(self, *scopes: str) -> AsyncIterator[Call]:
        """Calls to the service: with the scopes to read and write everything, and those that are given."""
        async with Client(self.app()) as client:
            plan = client.app.plan
            usual = [f"{each.path}:{what}" for each in plan.resources for what in ("read", "write")]
            token = client.token("somebody", *usual, *scopes)

            async def call(method: str, path: str, body: Any = None) -> Response:
                return await client.request(method, f"/api/v1/{path}", json=body, token=token)

            yield call


async def infer_from(url: str, sql: str, *, read_as: str | None = None, **options: Any) -> Inference:
    """Infers a contract that may write from what a script makes; `read_as`: the address for another role."""
    if sql:
        await execute(url, sql)
    text, inferred = await asyncio.to_thread(infer_contract, read_as or url, write=True, **options)
    return Inference(read_as or url, text, inferred)
