"""The fixtures of the pytest plugin. A project that defines one of the same name has its own."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import pytest

from sternpost.testing.project import RUN, application_of

if TYPE_CHECKING:
    from sternpost.app.application import Sternpost
    from sternpost.data.database import Database
    from sternpost.ports.storage import Storage
    from sternpost.settings import Settings
    from sternpost.testing.client import Caller, Client
    from sternpost.testing.clock import ManualClock
    from sternpost.testing.databases import Copies
    from sternpost.testing.lifetime import Lifetime

SECRET = "only-for-tests-0123456789abcdefghijklmnop"  # noqa: S105
ADDRESS = "STERNPOST_TEST_DATABASE_URL"
TEST_IDS, TEMPLATE_IDS = 1, 0


class BehindWarning(UserWarning):
    """The project's migrations do not lead to its contract."""


# -- for the whole run


@pytest.fixture(scope="session")
def sternpost_settings() -> Mapping[str, Any]:
    """Settings for tests beside database and secret, by their names. The environment and `.env` are not read."""
    return {}


@pytest.fixture(scope="session")
def sternpost_prepare(pytestconfig: pytest.Config) -> Callable[[Sternpost], None]:
    """Fills the empty database that each test gets a copy of: the project's migrations, or else tables made from the
    contract; then the seed, if pytest's setting `sternpost_seed` is true. A project may have another one, such as for
    tables that the contract only uses."""
    from sternpost.app.loading import seed_of
    from sternpost.errors import StartupError
    from sternpost.testing.databases import prepare

    folder = pytestconfig.rootpath

    def fill(app: Sternpost) -> None:
        seed = seed_of(app, folder) if pytestconfig.getini("sternpost_seed") else None
        if seed is None and pytestconfig.getini("sternpost_seed"):
            raise StartupError(
                'sternpost_seed is set, and there is no seed: write Sternpost(…, seed=…) or [tool.sternpost] seed = "…"'
            )
        problem = prepare(app, str(application_of(pytestconfig)), folder, seed)
        if problem is not None:
            warnings.warn(BehindWarning(problem), stacklevel=2)

    return fill


@pytest.fixture(scope="session")
def sternpost_application(pytestconfig: pytest.Config) -> Sternpost:
    """The application of the project, as its module makes it."""
    from sternpost.app.loading import load_application

    return load_application(str(application_of(pytestconfig)), folder=pytestconfig.rootpath)


@pytest.fixture(scope="session")
def sternpost_copies(
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    sternpost_application: Sternpost,
    sternpost_settings: Mapping[str, Any],
    sternpost_prepare: Callable[[Sternpost], None],
) -> Generator[Copies]:
    """The database of this run: prepared once in each process, and copied for each test."""
    from sternpost.testing.clock import CountedIds, ManualClock
    from sternpost.testing.databases import PostgresqlCopies, SqliteCopies

    server = server_of(pytestconfig)
    if server is None:
        copies: Copies = SqliteCopies(tmp_path_factory.mktemp("sternpost"))
    else:
        worker = getattr(pytestconfig, "workerinput", {}).get("workerid", "main")
        copies = PostgresqlCopies(server, f"{pytestconfig.stash[RUN]}_{worker}")
    try:
        clock = ManualClock()
        settings = _settings(copies.template, sternpost_settings)
        with sternpost_application.replaced(settings, clock=clock, new_id=CountedIds(clock, TEMPLATE_IDS)):
            sternpost_prepare(sternpost_application)
        yield copies
    finally:
        copies.close()


# -- for each test


@pytest.fixture
def clock() -> ManualClock:
    """The application's clock, which stands still until the test moves it: `clock.travel(hours=3)`."""
    from sternpost.testing.clock import ManualClock

    return ManualClock()


@pytest.fixture
def sternpost_lifetime(
    clock: ManualClock,
    sternpost_application: Sternpost,
    sternpost_copies: Copies,
    sternpost_settings: Mapping[str, Any],
) -> Generator[Lifetime]:
    """The application, open on a database of this test alone."""
    from sternpost.app.drivers import make_storage
    from sternpost.testing.clock import CountedIds
    from sternpost.testing.lifetime import Lifetime, LoopStorage

    url = sternpost_copies.copy()
    with ExitStack() as stack:
        stack.callback(sternpost_copies.drop, url)
        lifetime = Lifetime(sternpost_application)
        settings = _settings(url, sternpost_settings)
        storage = cast("Storage", LoopStorage(make_storage(settings, serving=True), lifetime.enter))
        ids = CountedIds(clock, TEST_IDS)
        stack.enter_context(sternpost_application.replaced(settings, clock=clock, new_id=ids, storage=storage))
        lifetime.open()
        stack.callback(lifetime.close)
        yield lifetime


@pytest.fixture
def app(sternpost_lifetime: Lifetime) -> Sternpost:
    """The application of the project, open on a database of this test alone."""
    return sternpost_lifetime.app


@pytest.fixture
def client(app: Sternpost, sternpost_lifetime: Lifetime) -> Client:
    """Calls the application without a socket: `await client.get("/api/v1/…")`."""
    from sternpost.testing.lifetime import LoopClient

    return LoopClient(app, sternpost_lifetime)


@pytest.fixture
def caller(client: Client) -> Callable[..., Caller]:
    """Makes callers: `caller("ada", "tasks:write")` is the client with the token of such a one."""
    return client.as_


@pytest.fixture
def data(app: Sternpost, pytestconfig: pytest.Config) -> Database:
    """The data client on the test's database, of the generated class where the project has one; with tenants, the rows
    of all of them."""
    from sternpost.app.loading import data_class
    from sternpost.data.access import DataAccess
    from sternpost.ports.storage import EVERY_TENANT, NO_TENANT

    visibility = EVERY_TENANT if app.plan.tenanted else NO_TENANT
    return data_class(pytestconfig.rootpath)(DataAccess(app.running.runtime.data, visibility=visibility))


# -- the end of the run


def pytest_unconfigure(config: pytest.Config) -> None:
    """Drops databases that a process of xdist has left, because it was ended."""
    if not hasattr(config, "workerinput") and config.pluginmanager.hasplugin("dsession"):
        server = server_of(config)
        if server is not None:
            from sternpost.testing.databases import drop_all

            drop_all(server, f"{config.stash[RUN]}_")


def server_of(config: pytest.Config) -> str | None:
    """The PostgreSQL server to make databases on; None for SQLite. Raises `UsageError`."""
    chosen: str = config.getoption("--sternpost-database") or config.getini("sternpost_database") or ""
    address = os.environ.get(ADDRESS, "")
    chosen = chosen or address or "sqlite"
    if chosen == "sqlite":
        return None
    if chosen == "postgresql":
        chosen = address
    if not chosen.startswith(("postgresql://", "postgres://")):
        raise pytest.UsageError(
            f"--sternpost-database: write sqlite, postgresql with {ADDRESS}=postgresql://user:password@host/name, or "
            "such an address itself"
        )
    return chosen


def _settings(url: str, more: Mapping[str, Any]) -> Settings:
    from sternpost.settings import Settings

    return Settings.model_validate({"env": "test", "jwt_secret": SECRET, **more, "database_url": url})
