"""`sternpost contract infer`: reads a database's tables and writes the contract that serves them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sternpost.app.drivers import check_database_url
from sternpost.compile.compiler import CONTRACT_NAME
from sternpost.errors import StartupError
from sternpost.infer.model import Inferred
from sternpost.infer.prove import infer_proven
from sternpost.settings import Settings
from sternpost.storage.sql.tables import Found, Selection

CONNECT_SECONDS = 10.0


def infer_contract(
    url: str,
    *,
    schemas: Sequence[str] = (),
    tables: Sequence[str] = (),
    exclude: Sequence[str] = (),
    name: str | None = None,
    write: bool = False,
) -> tuple[str, Inferred]:
    """The text of a contract for the tables of a database, and what was decided about them.

    Args:
        schemas: of PostgreSQL; by default the one that is searched first.
        tables: by default all.
        exclude: patterns of tables to leave out, such as `tmp_*` or `sales.*`.
        name: the contract's; by default made from that of the database.
        write: whether the contract offers to create, change and delete rows.

    Raises:
        StartupError: the name is malformed, or the database cannot be read, or holds nothing that a contract can serve.
    """
    if name is not None and not CONTRACT_NAME.fullmatch(name):
        raise StartupError(f"{name!r} is no name of a contract: use lower case and dashes, such as user-service")
    found = read_database(url, schemas, Selection(frozenset(tables) or None, tuple(exclude)))
    present = {table.name for table in found.tables} | {table.shown for table in found.tables}
    present |= {name for shown, _ in found.left_out for name in (shown, shown.rpartition(".")[2])}
    missing = [wanted for wanted in tables if wanted not in present]
    if missing:
        raise StartupError(f"The database has no table {', '.join(missing)}")
    inferred, text = infer_proven(found, name or _name(url), write=write)
    if not inferred.tables:
        reasons = "".join(f"\n  {what}: {why}" for what, why in inferred.left_out)
        raise StartupError(f"The database contains no table that a contract can serve.{reasons}")
    return text, inferred


def read_database(url: str, schemas: Sequence[str], selection: Selection) -> Found:
    """The tables of a database, which is only read. Raises `StartupError`."""
    check_database_url(Settings(database_url=url))  # pyright: ignore[reportArgumentType]
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite":
        return _read_postgresql(url, schemas, selection)
    if schemas:
        raise StartupError("--schema is for PostgreSQL: a SQLite file has no schemas")
    from sternpost.storage.sqlite.tables import read_tables

    path = Path(unquote(rest.removeprefix("/")))
    if not path.is_file():
        raise StartupError(f"There is no file {path}")
    return read_tables(path, selection)


def _read_postgresql(url: str, schemas: Sequence[str], selection: Selection) -> Found:
    import asyncio

    try:
        import asyncpg

        from sternpost.storage.postgresql.tables import read_tables
    except ModuleNotFoundError as error:
        raise StartupError("PostgreSQL needs its driver. Run: pip install 'sternpost[postgresql]'") from error

    async def read() -> Found:
        connect: Any = getattr(asyncpg, "connect")  # noqa: B009  (its own annotations are incomplete)
        connection = await connect(url, timeout=CONNECT_SECONDS)
        try:
            async with connection.transaction(readonly=True, isolation="repeatable_read"):
                existing = {row[0] for row in await connection.fetch("SELECT nspname FROM pg_namespace")}
                missing = [schema for schema in schemas if schema not in existing]
                if missing:
                    raise StartupError(f"The database has no schema {', '.join(missing)}")
                return await read_tables(connection, schemas, selection)
        finally:
            await connection.close()

    try:
        return asyncio.run(read())
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StartupError(f"The database cannot be read: {type(error).__name__}: {error}") from error


def _name(url: str) -> str:
    """A contract's name from the name of the database or the file."""
    path = unquote(urlsplit(url).path) if not url.startswith("sqlite") else Path(url).stem
    words = [word for word in re.split("[^a-z0-9]+", path.lower()) if word]
    name = "-".join(words).lstrip("0123456789-")
    return name or "service"
