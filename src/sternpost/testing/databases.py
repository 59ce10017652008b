"""The databases of a test run: one is prepared, and each test gets a copy of it."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Protocol

from sternpost.app.application import Seed, Sternpost
from sternpost.app.loading import migrations_folder
from sternpost.app.migrating import is_current, runner_of
from sternpost.app.seeding import run_seed
from sternpost.migrations.history import History, read_history
from sternpost.testing.apart import apart, run_apart

NOT_CURRENT = (
    "The migrations in {folder} do not lead to the contract, so the tests use tables made from the contract itself. "
    "Run: sternpost migrate plan"
)


class Copies(Protocol):
    """Makes databases that all begin in the same state."""

    @property
    def template(self) -> str:
        """The address of the database that is copied; prepared before the first copy."""
        ...

    def copy(self) -> str:
        """The address of a new copy."""
        ...

    def drop(self, url: str) -> None:
        """Removes a copy."""
        ...

    def close(self) -> None:
        """Removes what is left."""
        ...


class SqliteCopies:
    """Files in a folder of the run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)

    @property
    def template(self) -> str:
        return f"sqlite:///{self.folder / 'template.sqlite'}"

    def copy(self) -> str:
        path = self.folder / f"{next(self._numbers)}.sqlite"
        template = self.folder / "template.sqlite"
        if template.exists():  # where nothing was prepared, the test begins without a file
            shutil.copyfile(template, path)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        path = Path(url.removeprefix("sqlite:///"))
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgresqlCopies:
    """Databases on a server, all of whose names begin alike.

    Args:
        server: a database on it, which is only connected to.
        prefix: what the names begin with.
    """

    def __init__(self, server: str, prefix: str) -> None:
        from sternpost.storage.postgresql import server as databases

        self.server = server
        self.prefix = prefix
        self._databases = databases
        self._numbers = itertools.count(1)
        self._template = apart(lambda: databases.copy_database(server, f"{prefix}_template"))

    @property
    def template(self) -> str:
        return self._template

    def copy(self) -> str:
        name = f"{self.prefix}_{next(self._numbers)}"
        return apart(lambda: self._databases.copy_database(self.server, name, f"{self.prefix}_template"))

    def drop(self, url: str) -> None:
        apart(lambda: self._databases.drop_databases(self.server, url.rpartition("/")[2].partition("?")[0]))

    def close(self) -> None:
        drop_all(self.server, f"{self.prefix}_")


def drop_all(server: str, prefix: str) -> None:
    """Drops every database of the server whose name begins so."""
    from sternpost.storage.postgresql.server import databases_named, drop_databases

    apart(lambda: drop_databases(server, *databases_named(server, prefix)))


def prepare(app: Sternpost, name: str, folder: Path, seed: Seed | None) -> str | None:
    """Makes the tables in the application's database, and fills them.

    Args:
        name: the application's, as module:attribute.
        folder: that of its project.

    Returns:
        What is wrong with the project's migrations, so that they were not used.
    """
    history = _history(app, name, folder)
    current = is_current(history, app.plan)
    if current:
        url = app.settings.database_url.get_secret_value()
        apart(lambda: runner_of(app.plan, history, url).apply())
    elif not app.plan.external:
        run_apart(_create(app))
    if seed is not None:
        run_apart(run_seed(app, seed))
    return None if current or not history.revisions else NOT_CURRENT.format(folder=history.folder)


def _history(app: Sternpost, name: str, folder: Path) -> History:
    migrations = migrations_folder(name, folder)
    return History(migrations, ()) if app.plan.external else read_history(migrations)


async def _create(app: Sternpost) -> None:
    async with app.opened() as storage:
        await storage.create_schema()
