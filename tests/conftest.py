"""Databases for tests, and the account of what could not be tested."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import shutil
import signal
import sys
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

IN_MEMORY = Path("/dev/shm")
IN_MEMORY_BYTES_MIN = 4 * 2**30
if (
    "TMPDIR" not in os.environ
    and os.access(IN_MEMORY, os.W_OK)
    and shutil.disk_usage(IN_MEMORY).free > IN_MEMORY_BYTES_MIN
):
    # Most of what tests wait for is files of databases that are made and dropped: in memory the suite takes half the time.
    os.environ["TMPDIR"] = tempfile.tempdir = str(IN_MEMORY)

pytest.register_assert_rewrite("sternpost.testing.storage", "tests.support")

from sternpost import Settings  # noqa: E402  (after assertions are made to explain themselves)
from tests.support.postgres import NoPostgres, postgres_server  # noqa: E402

SECRET = "test-only-4f9d2c7b8a6e1035d2c4b6a8e0f1"
DATABASES = ("sqlite", "postgresql")

UNHEARD_SECONDS = 5
"""How long a test that was cancelled because its time is up may go on."""

_not_run: dict[str, str] = {}
_SERVER = pytest.StashKey[dict[str, str]]()


def not_run(suite: str, reason: str) -> None:
    """Notes a suite that could not run: it is named at the end, and with CI=true that is a failure."""
    _not_run[suite] = reason
    pytest.skip(f"{suite}: {reason}")


WAITING = ("process", "replication", "faults")
"""Folders whose tests wait more than they compute."""

LONG = ("test_openapi.py", "test_examples.py", "test_conflicts.py", "test_deadlines.py", "test_suite.py")
"""Other files that take long for the number of their tests."""


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _not_run:
        terminalreporter.section("NOT TESTED")
        for suite, reason in _not_run.items():
            terminalreporter.write_line(f"{suite}: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["not_run"] = _not_run
    elif _not_run and os.environ.get("CI") == "true" and exitstatus == 0:
        session.exitstatus = 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spreads the files that mostly wait, for processes and servers, among those that compute: so that two of a kind
    seldom run at the same time. A file with many tests comes before one with few; at the end only short ones are left,
    or one worker would wait for the other."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    ordered = sorted(files, key=lambda file: -len(files[file]))
    waiting = [file for file in ordered if file.parent.name in WAITING or file.name in LONG]
    others = [file for file in ordered if file not in waiting]
    every = len(others) // 2 // max(len(waiting), 1)
    for number, file in enumerate(waiting):
        others.insert(number * (every + 1), file)
    items[:] = [item for file in others for item in files[file]]


def pytest_collection_finish() -> None:
    """What has been imported and collected stays: the collector need not walk through it for each test."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker where the one server of the run is, which the first of them starts."""
    node.workerinput["postgres"] = _run_server(node.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes over what a worker could not run."""
    _not_run.update(getattr(node, "workeroutput", {}).get("not_run", {}))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Closes what a failed test has left open. Its warnings would fail whatever test happens to run next."""
    failed = item.session.testsfailed
    result = yield
    if item.session.testsfailed > failed:
        for name in ("last_exc", "last_type", "last_value", "last_traceback"):  # they hold its frames
            vars(sys).pop(name, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    return result


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_timeout_set_timer(settings: Any) -> Generator[None, Any, Any]:
    """Cancels what runs in an event loop when its time is up, and raises only where that does not end it.

    An exception that a signal raises in the middle of the loop's own code is lost, and a task that was about to be
    scheduled with it: the loop would then wait for that task for ever.
    """
    result = yield
    raising = signal.getsignal(signal.SIGALRM)
    if not callable(raising) or not signal.getitimer(signal.ITIMER_REAL)[0]:
        return result
    asked = False

    def handler(number: int, frame: Any) -> None:
        nonlocal asked
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop is None or asked:
            raising(number, frame)
        else:
            asked = True
            loop.call_soon_threadsafe(_cancel_all, loop, f"Timeout (>{settings.timeout}s)")

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, UNHEARD_SECONDS)
    return result


def _cancel_all(loop: asyncio.AbstractEventLoop, why: str) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel(why)


def _run_server(config: pytest.Config) -> dict[str, str]:
    """The server of this run, by `url`, or why there is none, by `problem`; it is stopped when the run ends."""
    if hasattr(config, "workerinput"):
        return config.workerinput["postgres"]
    if _SERVER not in config.stash:
        stack = ExitStack()
        config.add_cleanup(stack.close)
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what was started is stopped
        try:
            config.stash[_SERVER] = {"url": stack.enter_context(postgres_server())}
        except NoPostgres as error:
            config.stash[_SERVER] = {"problem": str(error)}
    return config.stash[_SERVER]


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    """A PostgreSQL server's maintenance database."""
    server = _run_server(pytestconfig)
    if "problem" in server:
        not_run("PostgreSQL", server["problem"])
    return server["url"]


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """The kind of database a test runs on: every test that uses it runs on each."""
    return request.param


@pytest.fixture
async def database_url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """An empty database for this test alone."""
    if database == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.sqlite'}"
        return
    async for url in new_postgres_database(request.getfixturevalue("postgres_url")):
        yield url


@pytest.fixture
async def postgres_database(postgres_url: str) -> AsyncIterator[str]:
    """An empty PostgreSQL database for this test alone."""
    async for url in new_postgres_database(postgres_url):
        yield url


async def new_postgres_database(server: str, template: str = "template1") -> AsyncIterator[str]:
    name = f"sternpost_test_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(server)
    try:
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield server.rpartition("/")[0] + "/" + name
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


@contextmanager
def shared_database(kind: str, request: pytest.FixtureRequest, template: str = "template1") -> Iterator[str]:
    """A new database of a kind, for fixtures that are no coroutines; PostgreSQL's has what its template has."""
    if kind == "sqlite":
        yield f"sqlite:///{request.getfixturevalue('tmp_path_factory').mktemp('shared') / 'test.sqlite'}"
        return
    databases = new_postgres_database(request.getfixturevalue("postgres_url"), template)

    async def following() -> str | None:
        return await anext(databases, None)

    with asyncio.Runner() as runner:
        url = str(runner.run(following()))
        try:
            yield url
        finally:
            runner.run(following())


@dataclass
class LogLines:
    """Takes the log lines of an application under test."""

    raw: list[bytes] = field(default_factory=list)

    def __call__(self, line: bytes) -> None:
        self.raw.append(line)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.raw]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The one line of each request."""
        return [line for line in self.lines if "method" in line]


@pytest.fixture
def log_lines() -> LogLines:
    return LogLines()


@pytest.fixture
def make_settings(database_url: str) -> Callable[..., Settings]:
    """Settings for an application under test."""

    def make(**more: Any) -> Settings:
        return Settings(
            **{"env": "test", "database_url": database_url, "jwt_secret": SECRET, "log_repeats_a_second": 0, **more}
        )

    return make
