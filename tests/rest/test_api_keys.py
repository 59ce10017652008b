"""API keys beside tokens, on each database."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from sternpost import Browse, Contract, Create, Read, Resource, Settings, Sternpost, scope, this
from sternpost.app.migrating import migrator_of
from sternpost.auth.api_keys import PREFIX, USED_SECONDS, digest_of, make_key, new_key, well_formed
from sternpost.ids import new_hex
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.commands import Shell


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


def execute(database_url: str, *statements: str) -> None:
    """Does what the service has no part in."""

    def work(connection: Any) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement)

    migrator_of(database_url).run(work)


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
    wrong_secret = key[:10] + ("0" if key[10] != "0" else "1") + key[11:]
    reasons = {
        new_key(): "there is no such API key",
        **dict.fromkeys(
            (wrong_checksum, wrong_secret, key[:-1], key + "0", PREFIX, key.upper().replace("SPK_", PREFIX)),
            "the API key is malformed",
        ),
        **dict.fromkeys((key.replace("_", "-"), key.upper(), key[1:]), "the token is malformed"),
    }
    for text, reason in reasons.items():
        log_lines.raw.clear()
        answer = await client.get("/api/v1/notes", token=text)
        assert (answer.status, answer.error["code"]) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert reason not in answer.content.decode(), "who guesses is not told how near they are"
        _, failed, _ = log_lines.lines
        assert failed["reason"] == reason, text
    log_lines.raw.clear()
    assert await status(client, key) == 200


async def test_a_key_that_cannot_be_one_is_not_looked_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = await made(client, "notes:read")
    asked: list[str] = []
    authenticator: Any = client.app.running.runtime.authenticator
    find = authenticator.store.find

    async def noted(digest: str) -> Any:
        asked.append(digest)
        return await find(digest)

    monkeypatch.setattr(authenticator.store, "find", noted)
    for at in range(len(PREFIX), len(key)):
        mistyped = key[:at] + ("0" if key[at] != "0" else "1") + key[at + 1 :]
        assert await status(client, mistyped) == 401
    assert asked == []
    assert await status(client, key) == 200
    assert asked == [digest_of(key)]


async def test_a_revoked_key_is_refused_within_seconds(client: Client, clock: Hands) -> None:
    key, key_id = await made(client, "notes:read")
    keys = client.app.running.runtime.storage.keys()
    assert await status(client, key) == 200
    assert await keys.revoke(key_id, clock.now())
    assert not await keys.revoke(key_id, clock.now())
    assert not await keys.revoke("key_unknown", clock.now())
    clock.passed += client.app.settings.api_key_cache_seconds
    assert await status(client, key) == 401
    clock.passed += client.app.settings.api_key_cache_seconds
    assert await status(client, key) == 401


@pytest.mark.parametrize("seconds", [0, 2, 120])
async def test_how_long_a_revoked_key_is_known_is_a_setting(
    make_settings: Callable[..., Settings], log_lines: LogLines, clock: Hands, seconds: float
) -> None:
    settings = make_settings(api_key_cache_seconds=seconds)
    async with Client(Sternpost(CONTRACT, settings=settings, write_log=log_lines, clock=clock)) as client:
        key, key_id = await made(client, "notes:read")
        assert await status(client, key) == 200
        assert await client.app.running.runtime.storage.keys().revoke(key_id, clock.now())
        if seconds:
            clock.passed += seconds - 0.5
            assert await status(client, key) == 200
            clock.passed += 0.5
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


async def test_what_happens_to_one_key_happens_to_no_other(client: Client, clock: Hands) -> None:
    (first, first_id), (second, second_id) = await made(client, "notes:read"), await made(client, "notes:read")
    keys = client.app.running.runtime.storage.keys()
    assert await status(client, second) == 200
    await asyncio.gather(*client.app.running.runtime.authenticator._writing)  # type: ignore[attr-defined]
    clock.passed += client.app.settings.api_key_cache_seconds
    assert await keys.revoke(first_id, clock.now())
    stored = {key.id: (key.revoked_at, key.last_used_at is not None) for key in await keys.all()}
    assert stored == {first_id: (clock.now(), False), second_id: (None, True)}
    assert (await status(client, first), await status(client, second)) == (401, 200)


async def test_a_last_use_that_cannot_be_noted_refuses_nobody(
    client: Client, log_lines: LogLines, database: str, database_url: str
) -> None:
    key, _ = await made(client, "notes:read")
    refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON sternpost_api_keys "
    if database == "sqlite":
        statements = [f"{refuse} BEGIN SELECT RAISE(ABORT, 'no update'); END"]
    else:
        function = "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no update'; END$$"
        statements = [function, f"{refuse} FOR EACH ROW EXECUTE FUNCTION refuse()"]
    await asyncio.to_thread(execute, database_url, *statements)
    assert await status(client, key) == 200
    await asyncio.gather(*client.app.running.runtime.authenticator._writing)  # type: ignore[attr-defined]
    said = [line["level"] for line in log_lines.lines if "last use of an API key could not be recorded" in str(line)]
    assert said == ["warning"]
    assert await status(client, key) == 200


async def test_keys_that_are_remembered_are_bounded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sternpost.auth.api_keys.CACHE_MAX", 2)
    known = client.app.running.runtime.authenticator._known  # type: ignore[attr-defined]
    keys = [(await made(client, "notes:read"))[0] for _ in range(4)]
    for key in (*keys, *keys):
        assert await status(client, key) == 200
        assert len(known) <= 2
    assert list(known) == [digest_of(key) for key in keys[2:]]


async def test_the_key_itself_is_not_stored(client: Client) -> None:
    key, _ = await made(client, "notes:read", tenant="acme")
    stored = (await client.app.running.runtime.storage.keys().all())[0]
    assert (stored.digest, stored.start, stored.tenant) == (digest_of(key), key[:8], "acme")
    assert key not in repr(stored)


async def test_tokens_are_taken_beside_keys(client: Client) -> None:
    key, _ = await made(client, "notes:write")
    body = {"author": "robot-1", "text": "x"}
    assert (await client.post("/api/v1/notes", json=body, token=key)).status == 201
    reader, author, other = client.token("ada", "notes:read"), client.token("robot-1"), client.token("ada")
    for token, seen in ((reader, 1), (author, 1), (other, 0)):
        answer = await client.get("/api/v1/notes", token=token)
        assert (answer.status, len(answer.data)) == (200, seen)
    assert (await client.post("/api/v1/notes", json=body, token=reader)).status == 403
    header, claims, signature = reader.split(".")
    forged = f"{header}.{claims}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    for token in ("nonsense", forged, client.token("ada", "notes:read", seconds=-60)):
        assert await status(client, token) == 401


def test_form() -> None:
    keys = {new_key() for _ in range(200)}
    assert len(keys) == 200
    assert all(well_formed(key) and len(key) == len(PREFIX) + 49 for key in keys)


NOTES = (
    "from sternpost import *\nfrom sternpost import Sternpost\n\n\n"
    'class Note(Resource, prefix="not"):\n    text: str\n\n    browse = Browse(allow=scope("notes:read"))\n'
    '    create = Create(allow=scope("notes:write"))\n\n\n'
    'app = Sternpost(Contract("notes", resources=[Note], api_keys=True))\n'
)
TENANTS = (
    "from __future__ import annotations\nfrom sternpost import *\nfrom sternpost import Sternpost\n\n\n"
    'class Organization(Resource, prefix="org", soft_delete=True):\n    name: str\n\n'
    "    read = Read(allow=public)\n\n\n"
    'class Note(Resource, prefix="not", tenant="organization_id"):\n    organization: One[Organization]\n    text: str\n\n'
    "    browse = Browse(allow=public)\n\n\n"
    'app = Sternpost(Contract("notes", resources=[Organization, Note], api_keys=True))\n'
)


@pytest.fixture
def sternpost(tmp_path: Path, database_url: str) -> Shell:
    (tmp_path / "notes.py").write_text(NOTES)
    shell = Shell(tmp_path, database_url)
    assert shell("migrate", "apply", "notes:app").returncode == 0
    return shell


@pytest.fixture
def with_tenants(tmp_path: Path, database_url: str) -> Shell:
    (tmp_path / "notes.py").write_text(TENANTS)
    shell = Shell(tmp_path, database_url)
    assert shell("migrate", "apply", "notes:app").returncode == 0
    return shell


CREATE = ("apikey", "create", "notes:app", "--name", "robot", "--sub", "robot-1")


def test_the_commands(sternpost: Shell) -> None:
    empty = sternpost("apikey", "list", "notes:app")
    assert (empty.stdout, "There are no API keys" in empty.stderr) == ("", True)
    done = sternpost(*CREATE, "--scope", "notes:read x:y")
    assert done.returncode == 0, done.stderr
    key = done.stdout.removesuffix("\n")
    key_id = done.stderr.split()[1]
    assert well_formed(key), "standard output is the key alone"
    listed = sternpost("apikey", "list", "notes:app").stdout
    assert key_id in listed
    assert "notes:read x:y" in listed
    assert "valid" in listed
    assert key not in listed
    assert sternpost("apikey", "revoke", key_id, "--app", "notes:app").returncode == 0
    assert "revoked" in sternpost("apikey", "list", "notes:app").stdout
    again = sternpost("apikey", "revoke", key_id, "--app", "notes:app")
    assert (again.returncode, f"There is no valid key {key_id}" in again.stderr.replace("\n", " ")) == (2, True)


def test_programs_read_the_commands_as_json(sternpost: Shell) -> None:
    made = orjson.loads(sternpost(*CREATE, "--scope", "notes:read", "--days", "1", "--json").stdout)
    assert well_formed(made["key"])
    assert (made["subject"], made["scopes"], made["tenant"]) == ("robot-1", ["notes:read"], None)
    assert datetime.fromisoformat(made["expiresAt"]) - datetime.fromisoformat(made["createdAt"]) == timedelta(days=1)
    second = orjson.loads(sternpost(*CREATE, "--json").stdout)
    listed = [orjson.loads(line) for line in sternpost("apikey", "list", "notes:app", "--json").stdout.splitlines()]
    assert [each["id"] for each in listed] == [made["id"], second["id"]]
    assert made["key"] not in str(listed)
    assert listed[0] == {name: value for name, value in made.items() if name != "key"}


def test_what_became_of_each_key_is_listed(sternpost: Shell, database_url: str) -> None:
    ids = [orjson.loads(sternpost(*CREATE, "--json", *more).stdout)["id"] for more in (("--days", "1"), (), ())]
    execute(database_url, f"UPDATE sternpost_api_keys SET expires_at = created_at WHERE id = '{ids[0]}'")
    assert sternpost("apikey", "revoke", ids[1], "--app", "notes:app").returncode == 0
    lines = sternpost("apikey", "list", "notes:app", "--json").stdout.splitlines()
    listed = {
        key["id"]: (key["state"], key["revokedAt"] is not None, key["scopes"]) for key in map(orjson.loads, lines)
    }
    assert listed == {
        ids[0]: ("expired", False, []),
        ids[1]: ("revoked", True, []),
        ids[2]: ("valid", False, []),
    }
    table = {line.split()[0]: line.split()[-1] for line in sternpost("apikey", "list", "notes:app").stdout.splitlines()}
    assert [table[key_id] for key_id in ids] == ["expired", "revoked", "valid"]


def test_a_contract_without_keys_makes_none(sternpost: Shell) -> None:
    source = sternpost.folder / "notes.py"
    source.write_text(source.read_text().replace(", api_keys=True", ""))
    for command in (CREATE, ("apikey", "list", "notes:app"), ("apikey", "revoke", "key_1", "--app", "notes:app")):
        assert "The contract does not use API keys" in sternpost.refusal(*command)


def test_a_key_has_as_many_scopes_as_a_request_can_be_asked_for(sternpost: Shell) -> None:
    scopes = [f"s{number}" for number in range(1001)]
    made = orjson.loads(sternpost(*CREATE, "--scope", " ".join([*scopes[:-1], "s0"]), "--json").stdout)
    assert made["scopes"] == scopes[:-1]
    assert "at most 1000 scopes, not 1001" in sternpost.refusal(*CREATE, "--scope", " ".join(scopes))


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_no_id_is_cut_however_narrow_the_terminal(sternpost: Shell, columns: int) -> None:
    subject = f"usr_{new_hex()}"
    made = orjson.loads(sternpost(*CREATE[:5], "--sub", subject, "--scope", "notes:read a:b c:d", "--json").stdout)
    listed = sternpost("apikey", "list", "notes:app", columns=columns).stdout
    assert {made["id"], subject, f"{made['start']}…", "notes:read"} <= set(listed.split())
    assert len(listed.splitlines()) == 2, "for another program each key is one line"


def test_a_narrow_terminal_of_a_person_cuts_no_id(sternpost: Shell) -> None:
    made = orjson.loads(sternpost(*CREATE, "--json").stdout)
    listed = sternpost.in_terminal("apikey", "list", "notes:app", columns=30)
    assert made["id"] in listed


def test_a_pattern_of_scopes_is_written_out(sternpost: Shell) -> None:
    made = orjson.loads(sternpost(*CREATE, "--scope", "notes:* own", "--json").stdout)
    assert made["scopes"] == ["notes:read", "notes:write", "own"]
    assert "which has notes:read, notes:write" in sternpost.refusal(*CREATE, "--scope", "*:delete")


def test_a_key_has_a_tenant_that_exists(with_tenants: Shell) -> None:
    assert "Give --tenant, or --no-tenant" in with_tenants.refusal(*CREATE)
    assert "There is no Organization org_0198" in with_tenants.refusal(
        *CREATE, "--tenant", "org_01980000000070008000000000000001"
    )
    for wrong in ("acme", "not_01980000000070008000000000000001", "org_1"):
        assert "the id of one Organization (org_…)" in with_tenants.refusal(*CREATE, "--tenant", wrong)
    assert "Give one of them" in with_tenants.refusal(*CREATE, "--tenant", "org_1", "--no-tenant")
    script = (
        "import asyncio\nfrom notes import *\n\n\nasync def main():\n"
        "    async with app.data(tenants='all') as db:\n"
        "        rows = [await db.table(Organization).create({'name': name}) for name in 'ab']\n"
        "        await db.table(Organization).delete(rows[1].id)\n"
        "        print(*(row.id for row in rows))\n\n\nasyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=with_tenants.folder,
        env=with_tenants.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    there, deleted = done.stdout.split()
    assert orjson.loads(with_tenants(*CREATE, "--tenant", there, "--json").stdout)["tenant"] == there
    assert "There is no Organization" in with_tenants.refusal(*CREATE, "--tenant", deleted)
    assert orjson.loads(with_tenants(*CREATE, "--no-tenant", "--json").stdout)["tenant"] is None
    listed = [line.split() for line in with_tenants("apikey", "list", "notes:app").stdout.splitlines()]
    assert "tenant" in listed[0]
    assert there in listed[1]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--name", "a\x1b[2J"), ("--name", ""), ("--name", "a\u202eb"), ("--sub", "x" * 257), ("--sub", "a\nb"),
     ("--scope", "a\u200bb"), ("--tenant", "\x07")],
)  # fmt: skip
def test_a_key_has_readable_texts(sternpost: Shell, option: str, value: str) -> None:
    assert f"{option} must have 1 to 256 printable characters" in sternpost.refusal(*CREATE, option, value)


def test_an_expiry_beyond_the_calendar_is_a_wrong_call(sternpost: Shell) -> None:
    assert "--days" in sternpost.refusal(*CREATE, "--days", "99999999999")
