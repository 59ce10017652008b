"""API keys beside tokens, on each database."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sternpost import Browse, Contract, Create, Read, Resource, Settings, Sternpost, scope, this
from sternpost.auth.api_keys import FRESH_SECONDS, PREFIX, USED_SECONDS, digest_of, make_key, new_key, well_formed
from sternpost.ids import new_hex
from sternpost.testing import Client
from tests.conftest import LogLines


class Note(Resource, prefix="not", owner="author"):
    """Something written down."""

    author: str
    text: str

    browse = Browse(allow=scope("notes:read") | this.is_owner)
    read = Read(allow=scope("notes:read") | this.is_owner)
    create = Create(allow=scope("notes:write"))


CONTRACT = Contract("notes", resources=[Note], api_keys=True)


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines, clock: Hands) -> AsyncIterator[Client]:
    async with Client(Sternpost(CONTRACT, settings=make_settings(), write_log=log_lines, clock=clock)) as client:
        yield client


async def made(client: Client, *scopes: str, **more: Any) -> tuple[str, str]:
    now = client.app.clock.now()
    key, stored = make_key("robot", "robot-1", scopes, id=f"key_{new_hex()}", now=now, **more)
    await client.app.running.runtime.storage.keys().add(stored)
    return key, stored.id


async def status(client: Client, key: str) -> int:
    return (await client.get("/api/v1/notes", token=key)).status


async def test_a_key_acts_as_its_subject_with_its_scopes(client: Client, log_lines: LogLines) -> None:
    key, _ = await made(client, "notes:write")
    written = await client.post("/api/v1/notes", json={"author": "robot-1", "text": "x"}, token=key)
    assert written.status == 201
    await client.post("/api/v1/notes", json={"author": "other", "text": "y"}, token=key)
    own = await client.get("/api/v1/notes", token=key)
    assert [note["author"] for note in own.data] == ["robot-1"]
    assert log_lines.requests[-1]["userId"] == "robot-1"
    reader, _ = await made(client, "notes:read")
    assert len((await client.get("/api/v1/notes", token=reader)).data) == 2
    refused = await client.post("/api/v1/notes", json={"author": "a", "text": "x"}, token=reader)
    assert refused.status == 403
    assert key.encode() not in b"".join(log_lines.raw)


async def test_what_is_no_key(client: Client, log_lines: LogLines) -> None:
    key, _ = await made(client, "notes:read")
    wrong_checksum = key[:-1] + ("0" if key[-1] != "0" else "1")
    for text in (new_key(), wrong_checksum, key[:-1], key + "0", PREFIX, key.replace("_", "-"), key.upper()):
        answer = await client.get("/api/v1/notes", token=text)
        assert (answer.status, answer.error["code"]) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    before = len(log_lines.raw)
    assert (await status(client, wrong_checksum), len(log_lines.raw) > before) == (401, True)


async def test_a_revoked_key_is_refused_within_seconds(client: Client, clock: Hands) -> None:
    key, key_id = await made(client, "notes:read")
    keys = client.app.running.runtime.storage.keys()
    assert await status(client, key) == 200
    assert await keys.revoke(key_id, clock.now())
    assert not await keys.revoke(key_id, clock.now())
    assert not await keys.revoke("key_unknown", clock.now())
    clock.passed += FRESH_SECONDS
    assert await status(client, key) == 401
    clock.passed += FRESH_SECONDS
    assert await status(client, key) == 401


async def test_a_key_expires_at_once(client: Client, clock: Hands) -> None:
    key, _ = await made(client, "notes:read", expires_at=clock.now() + timedelta(seconds=2))
    assert await status(client, key) == 200
    clock.passed += 2
    assert await status(client, key) == 401


async def test_its_last_use_is_noted(client: Client, clock: Hands) -> None:
    key, key_id = await made(client, "notes:read")
    keys = client.app.running.runtime.storage.keys()

    async def noted() -> datetime | None:
        writing: set[asyncio.Task[None]] = client.app.running.runtime.authenticator._writing  # type: ignore[attr-defined]
        await asyncio.gather(*writing)
        return next(stored.last_used_at for stored in await keys.all() if stored.id == key_id)

    assert await noted() is None
    await status(client, key)
    first = await noted()
    assert first == clock.now()
    clock.passed += USED_SECONDS - 1
    await status(client, key)
    assert await noted() == first
    clock.passed += 1
    await status(client, key)
    assert await noted() == clock.now()


async def test_the_key_itself_is_not_stored(client: Client) -> None:
    key, _ = await made(client, "notes:read", tenant="acme")
    stored = (await client.app.running.runtime.storage.keys().all())[0]
    assert (stored.digest, stored.start, stored.tenant) == (digest_of(key), key[:8], "acme")
    assert key not in repr(stored)


async def test_tokens_are_taken_beside_keys(client: Client) -> None:
    assert (await client.get("/api/v1/notes", token="nonsense")).status == 401


def test_form() -> None:
    keys = {new_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(well_formed(key) and len(key) == len(PREFIX) + 49 for key in keys)


def test_the_commands(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "notes.py").write_text(
        "from sternpost import *\nfrom sternpost import Sternpost\n\n\n"
        'class Note(Resource, prefix="not"):\n    text: str\n\n    browse = Browse(allow=scope("notes:read"))\n\n\n'
        'app = Sternpost(Contract("notes", resources=[Note], api_keys=True))\n'
    )
    environment = {**os.environ, "STERNPOST_DATABASE_URL": database_url, "NO_COLOR": "1", "COLUMNS": "200"}

    def sternpost(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sternpost", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert sternpost("migrate", "apply", "notes:app").returncode == 0
    assert "There are no API keys" in sternpost("apikey", "list", "notes:app").stdout
    done = sternpost(
        "apikey", "create", "notes:app", "--name", "robot", "--sub", "robot-1", "--scope", "notes:read x:y"
    )
    assert done.returncode == 0, done.stderr
    first, key = done.stdout.splitlines()[:2]
    key_id = first.split()[-1]
    assert well_formed(key)
    listed = sternpost("apikey", "list", "notes:app").stdout
    assert key_id in listed
    assert "notes:read x:y" in listed
    assert "valid" in listed
    assert key not in listed
    assert sternpost("apikey", "revoke", key_id, "--app", "notes:app").returncode == 0
    assert "revoked" in sternpost("apikey", "list", "notes:app").stdout
    again = sternpost("apikey", "revoke", key_id, "--app", "notes:app")
    assert (again.returncode, f"There is no valid key {key_id}" in again.stderr.replace("\n", " ")) == (2, True)
