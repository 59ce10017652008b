"""What PostgreSQL is asked for by many requests at once: rows by key, equal lists, new rows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from sternpost.deadline import Deadline
from sternpost.errors import ConstraintViolated, OutcomeUnknown, Timeout, Unavailable
from sternpost.plan.model import ResourcePlan
from sternpost.ports.outbox import NO_EVENTS, Events
from sternpost.ports.storage import Document, Values
from sternpost.storage.postgresql.outbox import bind_events, with_events
from sternpost.storage.sql.codecs import Decoder
from sternpost.storage.sql.grouping import Apart, Grouping
from sternpost.storage.sql.keys import plain_key
from sternpost.storage.sql.reads import PointStatement
from sternpost.storage.sql.statements import Statements

Fetch = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]
Write = Callable[[str, tuple[Any, ...], float | None], Awaitable[Sequence[Any]]]
InsertOne = Callable[[str, Values, float | None, Events], Awaitable[Document]]

_IMPATIENT = "(SELECT set_config('lock_timeout', '100ms', true)) IS NOT NULL"
"""A group waits for another transaction only shortly: no row is to wait for one that another row would wait for. As a
condition it is evaluated once, before the first row is written, and holds until the statement has ended."""

_Part = tuple[Values, Deadline | None, Events]
"""A new row, when its request is to be answered, and what is to be told of it."""

_Kind = tuple[str, tuple[str, ...], float | None]
"""The resource, the fields that have a value, and the time limit."""


class PointReads:
    """Rows by key: `id = ANY(…)` for all that are asked for together."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.grouping: Grouping[tuple[PointStatement, tuple[Any, ...]], Any, Any] = Grouping(self._run)

    async def read(self, statement: PointStatement, key: Any, others: tuple[Any, ...]) -> Any:
        """The row with this key (a UUID as 32 hexadecimal digits), or None; `others` are the statement's other
        parameters."""
        try:
            return await self.grouping.join((statement, others), key)
        except asyncio.CancelledError:
            self.grouping.forsake()
            raise

    async def _run(self, kind: tuple[PointStatement, tuple[Any, ...]], take: Callable[[], list[Any]]) -> Sequence[Any]:
        (statement, others), keys = kind, take()
        try:
            return await self._read_all(statement, others, keys)
        except (Unavailable, Timeout):
            raise
        except Exception as error:  # one of the keys may be at fault
            if len(keys) == 1:
                raise
            raise Apart from error

    async def _read_all(self, statement: PointStatement, others: tuple[Any, ...], keys: list[Any]) -> list[Any]:
        rows = await self._fetch(statement.many.text, statement.bind_many(keys, others))
        plain = [row[-1].hex for row in rows] if statement.uuid_keys else [plain_key(row[-1]) for row in rows]
        found = dict(zip(plain, rows, strict=True))
        return [found.get(key) for key in keys]


class EqualReads:
    """The same statement with the same values, such as the first page of a list: read once for all who wait for it."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.grouping: Grouping[tuple[str, tuple[Any, ...]], None, Sequence[Any]] = Grouping(self._run)

    async def read(self, text: str, arguments: tuple[Any, ...]) -> Sequence[Any]:
        """The rows, which are not to be changed."""
        key = (text, arguments)
        try:
            is_free = self.grouping.is_free(key)
        except TypeError:  # a list among the arguments has no hash: such a read goes alone
            return await self._fetch(text, arguments)
        if is_free:
            return await self.grouping.first(key, partial(self._fetch, text, arguments))
        try:
            return await self.grouping.join(key, None)
        except asyncio.CancelledError:
            self.grouping.forsake()
            raise

    async def _run(self, kind: tuple[str, tuple[Any, ...]], take: Callable[[], list[None]]) -> Sequence[Sequence[Any]]:
        parts = take()
        return [await self._fetch(*kind)] * len(parts)


class GroupedInserts:
    """New rows of one resource, written by one statement and one commit.

    Where a row of a group is refused, or has to wait for another transaction, nothing is written, and each is tried
    alone, so that only the one at fault fails or waits.

    Args:
        write: runs a statement, which the server is asked to give up at a time of the event loop.
        insert_one: writes one row by itself, in the same way.
    """

    def __init__(self, statements: Statements, write: Write, insert_one: InsertOne) -> None:
        self._statements = statements
        self._write = write
        self._insert_one = insert_one
        self.grouping: Grouping[_Kind, _Part, Document] = Grouping(self._run)

    def insert(
        self, resource: str, values: Values, deadline: Deadline | None = None, events: Events = NO_EVENTS
    ) -> asyncio.Future[Document]:
        """Adds a row and gives it back. Raises `Timeout` where it is not written by then, and never will be."""
        kind = (resource, tuple(values), None if deadline is None else deadline.seconds)
        return self.grouping.join_within(deadline, kind, (values, deadline, events))

    async def _run(self, kind: _Kind, take: Callable[[], list[_Part]]) -> Sequence[Document | Exception]:
        (resource, names, seconds), taken = kind, take()
        if not taken:
            return []
        rows = [row for row, _, _ in taken]
        first = taken[0][1]  # the time of the others is the same, or later
        until = None if first is None or seconds is None else first.at
        if len(rows) == 1:
            return [await self._insert_one(resource, rows[0], until, taken[0][2])]
        plan = self._statements.plan.by_name[resource]
        text, decoder = self._text(resource, names)
        columns = self._columns(plan, names, rows)
        told = [(row["id"], events) for row, _, events in taken if events]
        if told:
            text = with_events(text, len(plan.fields) + 1, len(plan.fields), len(columns))
            columns += bind_events(told)
        try:
            written = await self._write(text, columns, until)
        except (Unavailable, Timeout, OutcomeUnknown):
            raise
        except Exception as error:  # whichever row it was: the same error comes again, for that row alone
            raise Apart from error
        documents = dict(zip((row[-1].hex for row in written), decoder.documents(written), strict=True))
        dropped = ConstraintViolated.dropped()  # by a trigger, which has not refused it
        return [documents.get(row["id"], dropped) for row in rows]

    def _columns(self, plan: ResourcePlan, names: tuple[str, ...], rows: list[Values]) -> tuple[list[Any], ...]:
        columns: list[list[Any]] = []
        for name in names:
            encode = self._statements.codecs.encode(plan.fields_by_name[name])
            values = [row[name] for row in rows]
            columns.append(values if encode is None else [None if value is None else encode(value) for value in values])
        return tuple(columns)

    def _text(self, resource: str, names: tuple[str, ...]) -> tuple[str, Decoder]:
        fields = tuple(field.name for field in self._statements.plan.by_name[resource].fields)
        return self._statements.insert_rows(resource, names, 0, skip=False, returning=fields, where=_IMPATIENT)
