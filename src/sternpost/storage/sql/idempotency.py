"""The statements on the table of idempotency keys, for every SQL driver."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import MetaData, bindparam, delete, select

from sternpost.ports.idempotency import KeptAnswer, Transaction
from sternpost.storage.sql.dialect import Dialect
from sternpost.storage.sql.idempotency_table import ANSWER, FIELDS, idempotency_table
from sternpost.storage.sql.session import SqlSession
from sternpost.storage.sql.statement import Statement

CLEANING_LOCK = int.from_bytes(b"sternkey", "big", signed=True)
"""The advisory lock of who removes what has expired."""

Run = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]
Find = Callable[[bytes, datetime], Awaitable[Sequence[Any] | None]]
"""Reads the answer with an id, unless it has expired, outside a transaction."""


class _Statements:
    """The statements, made once for a driver."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        table = self.table = idempotency_table(MetaData(), dialect)
        fresh = table.c.expires_at > bindparam("now")
        self.find = self._compiled(
            select(*(table.c[name] for name in ANSWER)).where(table.c.id == bindparam("id"), fresh)
        )
        added = dialect.insert(table).values({name: bindparam(name) for name in FIELDS})
        self.keep = self._compiled(
            added.on_conflict_do_update(
                index_elements=[table.c.id],
                set_={name: added.excluded[name] for name in (*ANSWER, "expires_at")},
                where=table.c.expires_at <= bindparam("now"),
            )
        )
        oldest = select(table.c.id).where(table.c.expires_at <= bindparam("now")).order_by(table.c.expires_at)
        oldest = oldest.limit(bindparam("most")).offset(bindparam("none"))  # SQLite has no LIMIT alone
        if dialect.locks_rows:  # one that is being overwritten just now is not waited for
            oldest = oldest.with_for_update(skip_locked=True)
        self.remove = self._compiled(delete(table).where(table.c.id.in_(oldest.scalar_subquery())))

    def _compiled(self, element: Any) -> Statement:
        compiled = element.compile(dialect=self.dialect.compiler, compile_kwargs={"render_postcompile": False})
        instant = self.dialect.encode(FIELDS["expires_at"])
        names = tuple(compiled.positiontup or ())
        return Statement(
            str(compiled), tuple((name, instant if name in ("now", "expires_at") else None) for name in names)
        )


class SqlAnswers:
    """The port's `AnswerStore` on any SQL database.

    Args:
        read: runs a statement that reads.
        find: a shorter way to read an answer, where the driver has one.
    """

    def __init__(self, dialect: Dialect, read: Run, find: Find | None = None) -> None:
        self._statements = _Statements(dialect)
        self._read = read
        self._find = find or self._find_alone
        self._try_lock = dialect.try_lock

    async def find(self, id: bytes, now: datetime) -> KeptAnswer | None:
        row = await self._find(id, now)
        return None if row is None else KeptAnswer(row[0], row[1], row[2])

    async def claim(self, session: Transaction, id: bytes, now: datetime) -> KeptAnswer | bool:
        # The lock in a statement of its own: one that looked, too, would look as it was before the lock was free.
        if not await self._take(session, int.from_bytes(id[:8], "big", signed=True)):
            return False
        rows = await self._fetch(session, self._statements.find, {"id": id, "now": now})
        return KeptAnswer(*rows[0]) if rows else True

    async def keep(
        self, session: Transaction, id: bytes, answer: KeptAnswer, *, now: datetime, expires_at: datetime
    ) -> bool:
        values = {"id": id, "now": now, "expires_at": expires_at}
        values |= {name: getattr(answer, name) for name in ANSWER}
        return await self._execute(session, self._statements.keep, values, short=True) == 1

    async def remove_expired(self, session: Transaction, now: datetime, most: int) -> int:
        if not await self._take(session, CLEANING_LOCK):
            return 0
        return await self._execute(session, self._statements.remove, {"now": now, "most": most, "none": 0}, short=False)

    async def _take(self, session: Transaction, lock: int) -> bool:
        """Takes an advisory lock until the end of the transaction, where there is not but one transaction that
        writes."""
        if self._try_lock is None:
            return True
        own = _own(session)
        rows = await own.connection.fetch(self._try_lock, (lock,), short=True)
        return bool(rows[0][0])

    async def _find_alone(self, id: bytes, now: datetime) -> Sequence[Any] | None:
        statement = self._statements.find
        rows = await self._read(statement.text, statement.bind({"id": id, "now": now}))
        return rows[0] if rows else None

    async def _fetch(self, session: Transaction, statement: Statement, values: dict[str, Any]) -> Sequence[Any]:
        return await _own(session).connection.fetch(statement.text, statement.bind(values), short=True)

    async def _execute(self, session: Transaction, statement: Statement, values: dict[str, Any], *, short: bool) -> int:
        return await _own(session).connection.execute(statement.text, statement.bind(values), short=short)


def _own(session: Transaction) -> SqlSession:
    """The session as that of a SQL driver, with one more statement counted."""
    assert isinstance(session, SqlSession), "a transaction of the same storage"
    session.statistics.statements += 1
    return session
