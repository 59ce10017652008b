"""The pytest plugin in a project of its own: its fixtures, on both databases, in every way that tests are run."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.process.test_new_project import clean_environment
from tests.support.server import wait_until

SECONDS = 300

PROJECT = """
[tool.sternpost]
app = "lamps:app"
{more}
[tool.pytest.ini_options]
pythonpath = ["."]
filterwarnings = ["error"]
"""
AUTO = 'asyncio_mode = "auto"\nasyncio_default_fixture_loop_scope = "function"\n'

LAMPS = """
from __future__ import annotations

from datetime import datetime
from typing import Literal

from sternpost import Browse, Contract, Create, Database, Read, Resource, Sternpost, Transition, field, public, scope, this


class Lamp(Resource, prefix="lmp", owner="owner", tenant="house"):
    place: str = field(unique=True, max_length=100)
    house: str = field(max_length=50)
    owner: str = field(max_length=100, default="nobody", write="never")
    state: Literal["off", "on"] = field(default="off", write="never")
    created_at: datetime = field(auto="created")

    browse = Browse(allow=scope("lamps:read"))
    read = Read(allow=scope("lamps:read"))
    create = Create(allow=scope("lamps:write"))


async def seed(data: Database) -> None:
    lamps = data.table(Lamp)
    for place in ("hall", "kitchen"):
        await lamps.upsert({"id": IDS[place]}, create={"place": place, "house": "h1"}, update={})


IDS = {"hall": f"lmp_{1:032x}", "kitchen": f"lmp_{2:032x}"}
app = Sternpost(Contract("lamps", resources=[Lamp]), seed=seed)
"""

TESTS = """
from datetime import UTC, datetime

import pytest

from lamps import Lamp

@pytest.fixture
def ann(client):
    return client.as_("ann", "lamps:read", "lamps:write", tenant="h1")

@pytest.mark.parametrize("number", range(3))
async def test_state_does_not_leak(ann, data, number):
    assert await data.table(Lamp).count() == 0
    made = await ann.post("/api/v1/lamps", json={"place": "hall"})
    assert made.status == 201, made.content
    assert [lamp["place"] for lamp in (await ann.get("/api/v1/lamps")).data] == ["hall"]
    assert await data.table(Lamp).count() == 1

async def test_time_and_ids_are_the_same_in_every_run(ann, clock):
    first = (await ann.post("/api/v1/lamps", json={"place": "hall"})).data
    clock.travel(days=1, hours=2)
    second = (await ann.post("/api/v1/lamps", json={"place": "attic"})).data
    assert [first["createdAt"], second["createdAt"]] == ["2026-01-01T12:00:00Z", "2026-01-02T14:00:00Z"]
    assert first["id"] == "lmp_019b796dd6007001" + "8" + f"{1:015x}"
    assert second["id"] > first["id"]
    assert clock.set(datetime(2030, 1, 1, tzinfo=UTC)) == clock.now()

async def test_tokens_are_verified_and_expire(client, caller, clock):
    token = client.token("ann", "lamps:read", tenant="h1")
    assert (await client.get("/api/v1/lamps", token=token)).status == 200
    clock.travel(hours=2)
    assert (await client.get("/api/v1/lamps", token=token)).status == 401
    assert (await client.get("/api/v1/lamps")).status == 401
    assert (await client.get("/api/v1/lamps", token=token[:-3] + "abc")).status == 401
    assert (await caller("ann", tenant="h1").get("/api/v1/lamps")).status == 403
    assert (await caller("ann", "lamps:read", tenant="h1").get("/api/v1/lamps")).status == 200

async def test_tenants_are_apart(client, ann):
    other = client.as_("ben", "lamps:read", tenant="h2")
    await ann.post("/api/v1/lamps", json={"place": "hall"})
    assert (await other.get("/api/v1/lamps")).data == []

async def test_transactions(data):
    with pytest.raises(ZeroDivisionError):
        async with data.transaction():
            await data.table(Lamp).create({"place": "hall", "house": "h1"})
            1 / 0
    assert await data.table(Lamp).count() == 0

async def test_the_application_itself(app):
    async with app.data(tenant="h1") as db:
        assert await db.table(Lamp).count() == 0
"""


@pytest.fixture
def lamps(tmp_path: Path) -> Path:
    return project(tmp_path)


def project(folder: Path, *, tests: str = TESTS, more: str = "", ini: str = AUTO) -> Path:
    (folder / "pyproject.toml").write_text(PROJECT.format(more=more) + ini)
    (folder / "lamps.py").write_text(LAMPS)
    (folder / "tests").mkdir()
    (folder / "tests" / "test_lamps.py").write_text(tests)
    return folder


def environment(**more: str) -> dict[str, str]:
    return clean_environment(PYTHONDONTWRITEBYTECODE="1", **more)


OTHERS = ("no:cacheprovider", "no:hypothesispytest", "no:schemathesis")
"""Plugins that take seconds to start and have nothing to do with this."""


def pytest_in(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    without = [part for name in OTHERS for part in ("-p", name)]
    command = [sys.executable, "-m", "pytest", "-q", *without, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(**more), text=True, capture_output=True, timeout=SECONDS, check=False
    )


def passed(done: subprocess.CompletedProcess[str], count: int) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(rf"\b{count} passed\b", done.stdout), done.stdout


@pytest.fixture
def chosen(database: str, request: pytest.FixtureRequest) -> str:
    """What to give as --sternpost-database."""
    return "sqlite" if database == "sqlite" else request.getfixturevalue("postgres_database")


def left(server: str) -> set[str]:
    """The databases of test runs that there are on a server."""

    async def ask() -> set[str]:
        connection = await asyncpg.connect(server)
        try:
            rows = await connection.fetch("SELECT datname FROM pg_database WHERE datname LIKE 'sternpost\\_test\\_%'")
        finally:
            await connection.close()
        return {row[0] for row in rows if row[0].count("_") > 2}

    return asyncio.run(ask())


def test_each_test_begins_in_the_same_state(lamps: Path, chosen: str) -> None:
    passed(pytest_in(lamps, f"--sternpost-database={chosen}"), 8)


@pytest.mark.slow
def test_in_another_order_and_with_one_loop_for_all(lamps: Path, chosen: str) -> None:
    (lamps / "conftest.py").write_text("def pytest_collection_modifyitems(items):\n    items.reverse()\n")
    scope = ("-o", "asyncio_default_test_loop_scope=session", "-o", "asyncio_default_fixture_loop_scope=session")
    passed(pytest_in(lamps, f"--sternpost-database={chosen}", *scope), 8)


@pytest.mark.slow
def test_in_several_processes(lamps: Path, chosen: str) -> None:
    passed(pytest_in(lamps, "-n", "2", f"--sternpost-database={chosen}"), 8)


FAILING = """
async def test_fails(client, data):
    await client.get("/health/ready")
    assert False, "on purpose"

async def test_raises_in_a_transaction(data):
    async with data.transaction():
        raise OSError("on purpose")
"""


@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.slow
def test_no_database_is_left_by_failing_tests(tmp_path: Path, postgres_url: str, processes: str) -> None:
    folder = project(tmp_path, tests=FAILING)
    before = left(postgres_url)
    done = pytest_in(folder, "-n", processes, STERNPOST_TEST_DATABASE_URL=postgres_url)
    assert "2 failed" in done.stdout, done.stdout + done.stderr
    assert "error" not in done.stdout.lower().replace("assertionerror", "").replace("oserror", "")
    assert left(postgres_url) <= before


WAITING = """
import asyncio, os, pathlib

async def test_waits(client):
    await client.get("/health/ready")
    pathlib.Path(os.environ["STARTED"]).touch()
    await asyncio.sleep(60)
"""


@pytest.mark.parametrize("processes", ["0", "2"])
@pytest.mark.slow
def test_no_database_is_left_after_an_interruption(tmp_path: Path, postgres_url: str, processes: str) -> None:
    folder = project(tmp_path, tests=WAITING)
    before, started = left(postgres_url), tmp_path / "started"
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-n", processes],
        cwd=folder,
        env=environment(STERNPOST_TEST_DATABASE_URL=postgres_url, STARTED=str(started)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_until(started.exists, SECONDS)
        assert left(postgres_url) - before
        os.killpg(process.pid, signal.SIGINT)  # as the terminal does at Ctrl-C
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 2, output.decode()
    assert left(postgres_url) <= before


ANYIO = """
import pytest

pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def lamp(client):
    ann = client.as_("ann", "lamps:read", "lamps:write", tenant="h1")
    yield (await ann.post("/api/v1/lamps", json={"place": "hall"})).data
    assert len((await ann.get("/api/v1/lamps")).data) == 1

async def test_with_anyio(client, lamp, data):
    assert lamp["place"] == "hall"

async def test_once_more(lamp):
    assert lamp["place"] == "hall"
"""

NEITHER = """
import asyncio

def test_without_a_library(client, data):
    from lamps import Lamp

    async def work():
        ann = client.as_("ann", "lamps:write", tenant="h1")
        assert (await ann.post("/api/v1/lamps", json={"place": "hall"})).status == 201
        assert await data.table(Lamp).count() == 1

    asyncio.run(work())

def test_without_a_call(client, clock):
    assert client.app.started
"""


@pytest.mark.parametrize("tests", [ANYIO, NEITHER])
@pytest.mark.slow
def test_with_another_library_for_event_loops_or_none(tmp_path: Path, chosen: str, tests: str) -> None:
    folder = project(tmp_path, tests=tests, ini="")
    passed(pytest_in(folder, "-p", "no:asyncio", f"--sternpost-database={chosen}"), 2)


TWO_LOOPS = """
import asyncio

def test_two(client):
    asyncio.run(client.get("/health/ready"))
    asyncio.run(client.get("/health/ready"))
"""


def test_says_what_a_second_loop_would_break(tmp_path: Path) -> None:
    done = pytest_in(project(tmp_path, tests=TWO_LOOPS))
    assert "Make all calls in one asynchronous function" in done.stdout


# -- what the databases hold

SEEDED = """
async def test_has_the_rows_of_the_seed(client):
    ann = client.as_("ann", "lamps:read", tenant="h1")
    assert [lamp["place"] for lamp in (await ann.get("/api/v1/lamps")).data] == ["hall", "kitchen"]
"""


def test_begins_with_the_seed(tmp_path: Path, chosen: str) -> None:
    folder = project(tmp_path, tests=SEEDED, ini=AUTO + "sternpost_seed = true\n")
    passed(pytest_in(folder, f"--sternpost-database={chosen}"), 1)


MIGRATED = """
async def test_has_been_migrated(client, data):
    assert (await client.get("/health/ready")).status == 200
    revisions = await data.sql("select version_num from alembic_version")
    assert [row["version_num"] for row in revisions] == ["0001_create_the_schema"]
"""
READY = 'async def test_ready(client):\n    assert (await client.get("/health/ready")).status == 200\n'


@pytest.mark.slow
def test_uses_the_migrations_and_says_when_they_are_behind(tmp_path: Path, chosen: str) -> None:
    folder = project(tmp_path, tests=MIGRATED)
    command = [sys.executable, "-m", "sternpost", "migrate", "plan"]
    subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True, timeout=SECONDS)
    passed(pytest_in(folder, f"--sternpost-database={chosen}"), 1)
    source = (folder / "lamps.py").read_text()
    (folder / "lamps.py").write_text(
        source.replace("    house: str", "    watts: int | None = field(default=None)\n    house: str")
    )
    (folder / "tests" / "test_lamps.py").write_text(READY)
    behind = pytest_in(folder, f"--sternpost-database={chosen}", "-o", "filterwarnings=")
    passed(behind, 1)
    assert "do not lead to the contract" in behind.stdout
    assert "sternpost migrate plan" in behind.stdout


# -- projects that have others, or none

OWN = """
import pytest

@pytest.fixture
def client():
    return "mine"

@pytest.fixture(scope="session")
def sternpost_settings():
    return {"max_body_bytes": 10}

def test_own(client, app):
    assert client == "mine"
    assert app.settings.max_body_bytes == 10
"""


@pytest.mark.slow
def test_a_projects_own_fixture_comes_first(tmp_path: Path) -> None:
    passed(pytest_in(project(tmp_path, tests=OWN)), 1)


def test_other_projects_get_nothing_and_pay_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_other(request):\n    assert not [name for name in sys.modules if 'pydantic' in name]\n"
        "    assert 'sternpost.testing.fixtures' not in sys.modules\n"
        "\ndef test_no_fixture(client):\n    pass\n"
    )
    done = pytest_in(tmp_path)
    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert "fixture 'client' not found" in done.stdout


def test_says_how_to_choose_a_database(lamps: Path) -> None:
    done = pytest_in(lamps, "--sternpost-database=postgresql", "-k", "transactions")
    assert "write sqlite, postgresql with STERNPOST_TEST_DATABASE_URL" in done.stdout + done.stderr
    gone = pytest_in(lamps, "--sternpost-database=postgresql://nobody@127.0.0.1:1/none", "-k", "transactions")
    assert "No database can be made on the server of 127.0.0.1:1/none" in gone.stdout
