"""Databases of a server: made, copied and dropped from outside, for proofs and tests."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sternpost.errors import StartupError


def on_server(url: str, *statements: str) -> list[Any]:
    """Runs statements on a connection of their own, outside of a transaction; the rows of the last one.

    Raises:
        StartupError: the server cannot be used.
    """

    async def run() -> list[Any]:
        import asyncpg

        connect: Any = getattr(asyncpg, "connect")  # noqa: B009  (its own annotations are incomplete)
        rows: list[Any] = []
        try:
            connection = await connect(url, timeout=10)
            try:
                for statement in statements:
                    rows = await connection.fetch(statement)
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError) as error:
            raise StartupError(f"No database can be made on the server of {shown_address(url)}: {error}") from error
        return rows

    return asyncio.run(run())


def copy_database(url: str, name: str, template: str = "template0") -> str:
    """Makes a database beside that of `url`, with all that is in the template, which nobody may be using; its
    address."""
    on_server(url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return database_beside(url, name)


def drop_databases(url: str, *names: str) -> None:
    """Drops databases, whoever is connected to them."""
    on_server(url, *(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)' for name in names))


def databases_named(url: str, prefix: str) -> list[str]:
    """The names of the server's databases that begin so: letters, digits and underscores."""
    pattern = prefix.replace("_", r"\_")
    return [row[0] for row in on_server(url, f"SELECT datname FROM pg_database WHERE datname LIKE '{pattern}%'")]


def database_beside(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def shown_address(url: str) -> str:
    """Server and database of an address, without user and password."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5432}{parts.path}"
