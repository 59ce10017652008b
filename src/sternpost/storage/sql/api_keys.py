"""The table of API keys, and the statements on it, for every SQL driver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)

from sternpost.ports.keys import StoredKey
from sternpost.storage.sql.dialect import ColumnType, Dialect
from sternpost.storage.sql.statement import Statement, compile_statement

API_KEYS_TABLE = "sternpost_api_keys"

_COLUMNS = (
    ("id", False),
    ("name", False),
    ("digest", False),
    ("start", False),
    ("subject", False),
    ("tenant", True),
    ("scopes", False),
    ("created_at", False),
    ("expires_at", True),
    ("revoked_at", True),
    ("last_used_at", True),
)
_INSTANTS = ("created_at", "expires_at", "revoked_at", "last_used_at")

Run = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]
"""Runs one statement in a transaction of its own."""


def api_keys_table(metadata: MetaData, dialect: Dialect) -> Table:
    """The table. Everything in it is text, as instants are in ISO 8601: a few rows, read by their digest."""
    return Table(
        API_KEYS_TABLE,
        metadata,
        *(Column(name, ColumnType("TEXT"), nullable=nullable) for name, nullable in _COLUMNS),
        PrimaryKeyConstraint("id", name=f"pk_{API_KEYS_TABLE}"),
        UniqueConstraint("digest", name=f"uq_{API_KEYS_TABLE}_digest"),
        **dialect.table_options,
    )


class SqlKeys:
    """The port's `KeyStore` on any SQL database.

    Args:
        read, write: run a statement that reads, or writes; a write gives the rows it returns.
    """

    def __init__(self, dialect: Dialect, read: Run, write: Run) -> None:
        table = api_keys_table(MetaData(), dialect)
        by_id = table.c.id == bindparam("key")
        self._read = read
        self._write = write
        self._add = self._compiled(insert(table).values({name: bindparam(name) for name, _ in _COLUMNS}), dialect)
        self._find = self._compiled(select(table).where(table.c.digest == bindparam("digest")), dialect)
        self._all = self._compiled(select(table).order_by(table.c.created_at, table.c.id), dialect)
        self._revoke = self._compiled(
            update(table)
            .where(by_id, table.c.revoked_at.is_(None))
            .values(revoked_at=bindparam("at"))
            .returning(table.c.id),
            dialect,
        )
        self._used = self._compiled(update(table).where(by_id).values(last_used_at=bindparam("at")), dialect)

    async def add(self, key: StoredKey) -> None:
        values = {name: getattr(key, name) for name, _ in _COLUMNS}
        values["scopes"] = orjson.dumps(list(key.scopes)).decode()
        values.update({name: _text(values[name]) for name in _INSTANTS})
        await self._write(self._add.text, self._add.bind(values))

    async def find(self, digest: str) -> StoredKey | None:
        rows = await self._read(self._find.text, self._find.bind({"digest": digest}))
        return _stored(rows[0]) if rows else None

    async def all(self) -> list[StoredKey]:
        return [_stored(row) for row in await self._read(self._all.text, ())]

    async def revoke(self, id: str, at: datetime) -> bool:
        return bool(await self._write(self._revoke.text, self._revoke.bind({"key": id, "at": _text(at)})))

    async def used(self, id: str, at: datetime) -> None:
        await self._write(self._used.text, self._used.bind({"key": id, "at": _text(at)}))

    def _compiled(self, element: Any, dialect: Dialect) -> Statement:
        return compile_statement(element, dialect)


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")


def _stored(row: Sequence[Any]) -> StoredKey:
    values: dict[str, Any] = {name: value for (name, _), value in zip(_COLUMNS, row, strict=True)}
    values["scopes"] = tuple(orjson.loads(values["scopes"]))
    values.update({name: values[name] and datetime.fromisoformat(values[name]) for name in _INSTANTS})
    return StoredKey(**values)
