"""What PostgreSQL is asked for by many requests at once: rows by key, equal lists, new rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sqlalchemy import bindparam, func, insert, select
from sqlalchemy.sql.expression import cast

from sternpost.errors import Timeout, Unavailable
from sternpost.ports.storage import Document, Values, View
from sternpost.storage.sql.dialect import ColumnType, Statement, compile_statement
from sternpost.storage.sql.grouping import Grouping
from sternpost.storage.sql.statements import Decoder, PointStatement, Statements

Fetch = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]
InsertOne = Callable[[View, Values], Awaitable[Document]]


class PointReads:
    """Rows by key: `id = ANY(…)` for all that are asked for together."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.grouping: Grouping[tuple[PointStatement, tuple[Any, ...]], Any, Any] = Grouping(self._run)

    async def read(self, statement: PointStatement, key: Any, others: tuple[Any, ...]) -> Any:
        """The row with this key (a UUID as 32 hexadecimal digits), or None; `others` are the statement's other parameters."""
        return await self.grouping.join((statement, others), key)

    async def _run(self, kind: tuple[PointStatement, tuple[Any, ...]], take: Callable[[], list[Any]]) -> Sequence[Any]:
        (statement, others), keys = kind, take()
        rows = await self._fetch(statement.many.text, statement.bind_many(keys, others))
        found = {row[-1].hex: row for row in rows} if statement.uuid_keys else {row[-1]: row for row in rows}
        return [found.get(key) for key in keys]


class EqualReads:
    """The same statement with the same values, such as the first page of a list: read once for all who wait for it."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.grouping: Grouping[tuple[str, tuple[Any, ...]], None, Sequence[Any]] = Grouping(self._run)

    async def read(self, text: str, arguments: tuple[Any, ...]) -> Sequence[Any]:
        """The rows, which are not to be changed."""
        try:
            rows = self.grouping.join((text, arguments), None)
        except TypeError:  # a list among the arguments has no hash: such a read goes alone
            return await self._fetch(text, arguments)
        return await rows

    async def _run(self, kind: tuple[str, tuple[Any, ...]], take: Callable[[], list[None]]) -> Sequence[Sequence[Any]]:
        parts = take()
        return [await self._fetch(*kind)] * len(parts)


class GroupedInserts:
    """New rows of one resource, written by one statement and one commit.

    Where a row of a group is refused nothing is written, and each is tried alone, so that only the one at fault fails.

    Args:
        insert_one: writes one row by itself.
    """

    def __init__(self, statements: Statements, fetch: Fetch, insert_one: InsertOne) -> None:
        self._statements = statements
        self._fetch = fetch
        self._insert_one = insert_one
        self._texts: dict[tuple[View, tuple[str, ...]], tuple[Statement, Decoder]] = {}
        self.grouping: Grouping[tuple[View, tuple[str, ...]], Values, Document] = Grouping(self._run)

    async def insert(self, view: View, values: Values, timeout_seconds: float | None = None) -> Document:
        """Adds a row and gives it back. Raises `Timeout` where it is not on its way by then, and never will be."""
        return await self.grouping.join_within(timeout_seconds, (view, tuple(sorted(values))), values)

    async def _run(
        self, kind: tuple[View, tuple[str, ...]], take: Callable[[], list[Values]]
    ) -> Sequence[Document | Exception]:
        (view, names), rows = kind, take()
        if not rows:
            return []
        if len(rows) == 1:
            return [await self._insert_one(view, rows[0])]
        statement, decoder = self._statement(view, names)
        encoders = self._statements.encoders[view.resource]
        columns = {name: [row[name] for row in rows] for name in names}
        for name, values in columns.items():
            encode = encoders[name]
            if encode is not None:
                columns[name] = [None if value is None else encode(value) for value in values]
        try:
            written = await self._fetch(statement.text, statement.bind(columns))
        except (Unavailable, Timeout):
            raise
        except Exception:  # noqa: BLE001  (whichever row it was: the same error comes again, for that row alone)
            return [await self._alone(view, row) for row in rows]
        documents = {row[-1].hex: decoder.document(row) for row in written}
        return [documents[row["id"]] for row in rows]

    async def _alone(self, view: View, row: Values) -> Document | Exception:
        try:
            return await self._insert_one(view, row)
        except Exception as error:  # noqa: BLE001  (raised where the row's result is awaited)
            return error

    def _statement(self, view: View, names: tuple[str, ...]) -> tuple[Statement, Decoder]:
        found = self._texts.get((view, names))
        if found is None:
            statements, dialect = self._statements, self._statements.dialect
            table = statements.schema.tables[view.resource]
            fields = statements.plan.by_name[view.resource].fields_by_name
            types = {name: dialect.column_type(fields[name]).name.partition(" COLLATE")[0] for name in names}
            arrays = [cast(bindparam(name), ColumnType(f"{types[name]}[]")) for name in names]
            rows = func.unnest(*arrays).table_valued(*names).render_derived(name="rows")
            columns = [table.c[name] for name in view.fields]
            query = (
                insert(table)
                .from_select(list(names), select(*(rows.c[name] for name in names)))
                .returning(*columns, table.c.id.label("key_id"))
            )
            found = self._texts[(view, names)] = (compile_statement(query, dialect), statements.decoder(view))
        return found
