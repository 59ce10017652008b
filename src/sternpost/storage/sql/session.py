"""Reads and writes of the storage port, on any connection that runs SQL text."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sternpost.errors import Detail, Invalid, ReferenceNotFound, SternpostError
from sternpost.ids import decode
from sternpost.plan.model import RelationPlan, ResourcePlan
from sternpost.plan.policy import Path
from sternpost.ports.data import DataReader, DataSession
from sternpost.ports.storage import (
    NO_TENANT,
    NOTHING_INCLUDED,
    PART_ROWS,
    Condition,
    Document,
    Include,
    IncludeValues,
    ListShape,
    ListValues,
    Origin,
    Reader,
    Row,
    Rows,
    Scope,
    Statistics,
    Values,
    View,
)
from sternpost.storage.sql.data_session import SqlDataReader, SqlDataSession
from sternpost.storage.sql.dialect import Codec, Statement
from sternpost.storage.sql.failures import ConstraintFailed, client_error
from sternpost.storage.sql.policy import SUBJECT
from sternpost.storage.sql.removal import Removal
from sternpost.storage.sql.statements import TENANT, Decoder, Listing, PointStatement, Statements
from sternpost.storage.sql.tenants import of_tenant, refuse_move


class Queries(Protocol):
    """Runs SQL text that reads; a driver translates its own errors into those of `sternpost.errors`."""

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        """The rows of a statement. `short` says that it touches a few rows by their key."""
        ...

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        """The rows of an author's own statement by the names of its columns. Outside a transaction it can only read.

        Raises:
            OnlyReads: it wanted to write.
        """
        ...

    async def fetch_one(self, statement: PointStatement, values: dict[str, Any]) -> Any:
        """The row of a read by key (`values["id"]`), or None; such reads may be sent together with others."""
        ...


class Snapshot(Queries, Protocol):
    """Reads of one state of the data."""

    def parts(self, text: str, arguments: tuple[Any, ...], size: int) -> AsyncGenerator[Sequence[Any]]:
        """The rows of a statement, `size` at a time; the next are fetched when they are asked for."""
        ...


class Connection(Queries, Protocol):
    """Runs SQL text inside a transaction."""

    async def execute(self, text: str, arguments: tuple[Any, ...]) -> int:
        """Runs a statement; how many rows it changed."""
        ...

    async def attribute(self, origin: Origin) -> None:
        """Says for whom everything is that is changed from here on."""
        ...

    async def changed(self, text: str, arguments: tuple[Any, ...]) -> int:
        """The same for an author's own statement, of any kind; 0 for one that changes no rows."""
        ...

    async def command(self, text: str) -> None:
        """Runs a statement about the transaction itself."""
        ...


ANSWER_ROWS_MAX = 50_000
"""Rows that the includes of one answer may hold, each counted as often as it stands there."""


NOTHING_STANDS: Mapping[str, Any] = {}


@dataclass(slots=True)
class _Along:
    """What goes along while includes are read: whose view it is, what was cut, and how large the answer becomes."""

    subject: str | None
    cut: set[str]
    values: Mapping[str, IncludeValues]
    rows: int = 0

    def count(self, rows: int, relation: str) -> None:
        """Raises `Invalid` once the answer would hold more than `ANSWER_ROWS_MAX` rows."""
        self.rows += rows
        if self.rows > ANSWER_ROWS_MAX:
            message = f"The answer would hold more than {ANSWER_ROWS_MAX} rows at {relation!r}: include less, or ask for smaller pages"
            raise Invalid("Invalid parameters", details=[Detail("include", "answer_too_large", message)])


class SqlReader:
    """The storage port's `Reader` over one connection, or a pool of them."""

    def __init__(
        self,
        queries: Queries,
        statements: Statements,
        statistics: Statistics | None = None,
        scope: Scope = NO_TENANT,
    ) -> None:
        self.queries = queries
        self.scope = scope
        self.statements = statements.of(scope)
        self.plan = statements.plan
        self.statistics = statistics or Statistics()
        self.standing: Mapping[str, Any] = NOTHING_STANDS
        if self.statements.tenant_kinds:
            self.standing = {
                f"{TENANT}_{kind}": self._subject_as(kind, scope.tenant) for kind in self.statements.tenant_kinds
            }
        """What the conditions that every statement has are bound to."""

    # -- reading

    def data(self) -> DataReader:
        """What the data client reads with."""
        return SqlDataReader(self)

    def with_deleted(self) -> Reader:
        """The same, and deleted rows are there for it, too."""
        scope = replace(self.scope, deleted=True)
        return SqlReader(self.queries, self.statements, self.statistics, scope)

    async def get(
        self,
        view: View,
        id: str,
        *,
        subject: str | None = None,
        lock: bool = False,
        included: Mapping[str, IncludeValues] = NOTHING_INCLUDED,
    ) -> Row | None:
        statement = self.statements.get(view, lock=lock)
        self.statistics.statements += 1
        key = id if statement.key is None else statement.key(id)
        standing = self.standing
        found = await self.queries.fetch_one(statement, {"id": key, **standing} if standing else {"id": key})
        if found is None:
            return None
        decoder = statement.decoder
        row = Row(decoder.document(found), decoder.facts_of(found) if decoder.facts else {})
        if view.includes:
            await self._attach(view, decoder, [found], [row.document], _Along(subject, row.cut, included), (1,))
        return row

    async def browse(self, shape: ListShape, values: ListValues, *, count: bool = False) -> Rows:
        listing = self.statements.listing(shape)
        # Whether the list goes on is told by the number of its rows; where they are not counted, by one row more.
        ahead = values.resume and values.limit is not None and (shape.after is not None or not count)
        bound = self._list_bound(shape, listing, values, values.limit + ahead if values.limit is not None else 2**31)
        statement = listing.counted if count else listing.page
        self._bind_subject(statement, values.subject, bound)
        rows = await self._fetch(statement, bound, short=False)
        result = Rows([])
        if count:
            result.total = rows[0][-1] if rows else await self._total(listing.count, bound, values)
        if values.resume and rows and values.limit is not None:
            more = len(rows) > values.limit if ahead else values.offset + len(rows) < (result.total or 0)
            rows = rows[: values.limit]
            result.next = listing.position(rows[-1]) if more else None
        result.documents = documents = [listing.decoder.document(row) for row in rows]
        if shape.view.includes:
            along = _Along(values.subject, result.cut, values.included or NOTHING_INCLUDED)
            await self._attach(shape.view, listing.decoder, rows, documents, along, (1,) * len(rows))
        return result

    async def export(self, snapshot: Snapshot, shape: ListShape, values: ListValues) -> AsyncGenerator[list[Document]]:
        """The rows of a list in parts, for `Storage.export`."""
        listing = self.statements.listing(shape)
        bound = self._list_bound(shape, listing, values, 2**31)
        self._bind_subject(listing.page, values.subject, bound)
        self.statistics.statements += 1
        async with aclosing(snapshot.parts(listing.page.text, self.bind(listing.page, bound), PART_ROWS)) as parts:
            async for rows in parts:
                documents = [listing.decoder.document(row) for row in rows]
                if shape.view.includes:
                    along = _Along(values.subject, set(), values.included or NOTHING_INCLUDED)
                    await self._attach(shape.view, listing.decoder, rows, documents, along, (1,) * len(rows))
                yield documents

    async def facts(self, resource: str, values: Values, paths: Sequence[Path]) -> dict[Path, Any]:
        plan = self.plan.by_name[resource]
        values = of_tenant(self.plan, plan, values, self.scope)
        found: dict[Path, Any] = {}
        for path in paths:
            if len(path) == 1:
                field = plan.fields_by_name[path[0]]
                value = values.get(path[0])
                found[path] = (
                    f"{self.plan.by_name[field.references].prefix}_{value}"
                    if field.references and value is not None
                    else value
                )
        for path, statement, codec in self.statements.facts(resource, tuple(paths)):
            key = values.get(path[0])
            key = _encode(self.statements.encoders[resource][path[0]], key)
            rows = await self._fetch(statement, {"id": key}, short=True) if key is not None else ()
            value = rows[0][0] if rows else None
            found[path] = value if codec is None or value is None else codec(value)
        return found

    # -- parts

    async def _fetch(self, statement: Statement, values: dict[str, Any], *, short: bool) -> Sequence[Any]:
        self.statistics.statements += 1
        return await self.queries.fetch(statement.text, self.bind(statement, values), short=short)

    def bind(self, statement: Statement, values: dict[str, Any]) -> tuple[Any, ...]:
        """The parameters of a statement, with those that the scope gives."""
        return statement.bind({**values, **self.standing} if self.standing else values)

    async def _total(self, statement: Statement, bound: dict[str, Any], values: ListValues) -> int:
        """The count for a page without rows; known without asking where that page is the first."""
        if values.offset == 0 and values.limit != 0 and values.after is None:
            return 0
        self._bind_subject(statement, values.subject, bound)
        return (await self._fetch(statement, bound, short=False))[0][0]

    async def _attach(
        self,
        view: View,
        decoder: Decoder,
        rows: Sequence[Any],
        documents: list[Document],
        along: _Along,
        weights: Sequence[int],
    ) -> None:
        """Reads the included relations, one statement each for all rows together, and puts them into the documents.

        `weights` says how often each document will stand in the answer: a row that many refer to is read once, but
        written for each of them.
        """
        resource = self.plan.by_name[view.resource]
        key_fields = self.statements.key_fields(view)
        first_key = len(decoder.names) + len(decoder.facts)
        for include in view.includes:
            relation = resource.relations_by_name[include.relation]
            column = first_key + key_fields.index(relation.local_field)
            keys = [_hex(row[column]) for row in rows]
            weight_of: dict[Any, int] = {}
            for key, weight in zip(keys, weights, strict=True):
                if key is not None:
                    weight_of[key] = weight_of.get(key, 0) + weight
            children = await self._children(resource, include, relation, weight_of, along)
            for document, key in zip(documents, keys, strict=True):
                found: list[Document] = [] if key is None else children.get(key, [])
                document[relation.public_name] = (found[0] if found else None) if relation.kind == "one" else found

    async def _children(
        self,
        resource: ResourcePlan,
        include: Include,
        relation: RelationPlan,
        weight_of: dict[Any, int],
        along: _Along,
    ) -> dict[Any, list[Document]]:
        """The rows of a relation by the key of the row they belong to."""
        if not weight_of:
            return {}
        statement, decoder = self.statements.included(resource.name, include)
        bound: dict[str, Any] = {"keys": self.statements.dialect.bind_array(list(weight_of))}
        most = relation.max_items
        if include.key:
            values = along.values[include.key]
            self._bind_filters(self.plan.by_name[relation.target], include.conditions, values.conditions, bound)
            if values.limit is not None:
                most = values.limit
                bound["most"] = most + 1
        self._bind_subject(statement, along.subject, bound)
        rows = await self._fetch(statement, bound, short=False)
        grouped: dict[Any, list[tuple[Any, Document]]] = {}
        for row in rows:
            grouped.setdefault(_hex(row[-1]), []).append((row, decoder.document(row)))
        if relation.kind in ("many", "linked") or include.limited:
            for found in grouped.values():
                if len(found) > most:
                    along.cut.add(relation.public_name)
                    del found[most:]
        along.count(sum(len(found) * weight_of[key] for key, found in grouped.items()), relation.public_name)
        if include.view.includes and grouped:
            kept = [(row, document, weight_of[key]) for key, found in grouped.items() for row, document in found]
            kept_rows, kept_documents, weights = zip(*kept, strict=True)
            await self._attach(include.view, decoder, kept_rows, list(kept_documents), along, weights)
        return {key: [document for _, document in found] for key, found in grouped.items()}

    def _list_bound(self, shape: ListShape, listing: Listing, values: ListValues, limit: int) -> dict[str, Any]:
        bound: dict[str, Any] = {
            "limit": limit,
            "offset": values.offset,
            "parent": self._key(shape.parent[0], values.parent) if shape.parent and values.parent else None,
        }
        self._bind_filters(self.plan.by_name[shape.view.resource], shape.conditions, values.conditions, bound)
        if values.after is not None:
            for (name, codec), value in zip(listing.after, values.after, strict=True):
                bound[name] = value if codec is None or value is None else codec(value)
        return bound

    def _bind_filters(
        self, resource: ResourcePlan, conditions: Sequence[Condition], values: Sequence[Any], bound: dict[str, Any]
    ) -> None:
        for index, (condition, value) in enumerate(zip(conditions, values, strict=True)):
            bound[f"filter_{index}"] = self._filter_value(resource, condition.field, condition.operator, value)

    def _bind_subject(self, statement: Statement, subject: str | None, bound: dict[str, Any]) -> None:
        """The caller's id in each form that a policy of the statement compares it with."""
        for name in statement.parameters:
            if name.startswith(f"{SUBJECT}_") and name not in bound:
                kind = name.removeprefix(f"{SUBJECT}_")
                bound[name] = self._subject_as(kind, subject)

    def _subject_as(self, kind: str, subject: str | None) -> Any:
        if subject is None or kind == "string":
            return subject
        if kind == "uuid":
            return _uuid_or_none(subject)
        digits = decode(self.plan.by_name[kind].prefix, subject)
        return None if digits is None else self._key(kind, digits)

    def _key(self, resource: str, digits: str) -> Any:
        """What the key's column is compared with."""
        return _encode(self.statements.encoders[resource]["id"], digits)

    def _filter_value(self, resource: ResourcePlan, name: str, operator: str, value: Any) -> Any:
        encode = self.statements.encoders[resource.name][name]
        if operator == "in":
            return self.statements.dialect.bind_array([_encode(encode, item) for item in value])
        return _encode(encode, value)


class SqlSession(SqlReader):
    """The storage port's `Session`: what a transaction can do besides reading."""

    def __init__(
        self, connection: Connection, statements: Statements, statistics: Statistics, scope: Scope = NO_TENANT
    ) -> None:
        super().__init__(connection, statements, statistics, scope)
        self.connection = connection
        self._data: SqlDataSession | None = None

    def data(self) -> DataSession:
        """What the data client reads and writes with."""
        if self._data is None:
            self._data = SqlDataSession(self)
        return self._data

    async def insert(self, view: View, values: Values) -> Document:
        values = of_tenant(self.plan, self.plan.by_name[view.resource], values, self.scope)
        await self.refuse_unseen(view.resource, [values])
        statement, decoder = self.statements.insert(view, tuple(sorted(values)))
        try:
            rows = await self._fetch(statement, self._encoded(view.resource, values), short=True)
        except ConstraintFailed as failure:
            raise await self._explained(failure, view.resource, values) from failure
        return decoder.document(rows[0])

    async def update(
        self, view: View, id: str, values: Values, *, state: tuple[str, Sequence[str]] | None = None
    ) -> Document | None:
        refuse_move(self.plan.by_name[view.resource], values)
        await self.refuse_unseen(view.resource, [values])
        guard = (state[0], tuple(state[1])) if state else None
        statement, decoder = self.statements.update(view, tuple(sorted(values)), guard)
        try:
            rows = await self._fetch(
                statement, {**self._encoded(view.resource, values), "key": self._key(view.resource, id)}, short=True
            )
        except ConstraintFailed as failure:
            raise await self._explained(failure, view.resource, values) from failure
        return decoder.document(rows[0]) if rows else None

    async def attribute(self, origin: Origin) -> None:
        self.statistics.statements += 1
        await self.connection.attribute(origin)

    async def delete(self, resource: str, id: str, *, at: datetime | None = None) -> bool:
        if resource in self.plan.removed_with_care:
            return await Removal(self, at).remove(self.plan.by_name[resource], [self._key(resource, id)]) > 0
        try:
            return await self._execute(self.statements.delete(resource), {"id": self._key(resource, id)}) > 0
        except ConstraintFailed as failure:
            raise client_error(failure, self.plan.by_name[resource], deleting=True) from failure

    async def restore(self, resource: str, id: str) -> bool:
        return await Removal(self, None).restore(self.plan.by_name[resource], self._key(resource, id))

    async def replace_owned(
        self, resource: str, relation: str, id: str, view: View, rows: Sequence[Values]
    ) -> list[Document]:
        plan = self.plan.by_name[resource].relations_by_name[relation]
        await self._execute(self.statements.delete_owned(plan), {"parent": self._key(resource, id)})
        position = self.plan.by_name[plan.target].position_column
        return [
            await self.insert(view, {**row, plan.remote_field: id, **({position: index} if position else {})})
            for index, row in enumerate(rows)
        ]

    async def replace_links(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        plan = self.plan.by_name[resource].relations_by_name[relation]
        parent = self._key(resource, id)
        wanted = list(dict.fromkeys(targets))
        missing = await self.unseen(plan.target, wanted)
        await self._execute(self.statements.delete_links(plan), {"parent": parent})
        for index, target in enumerate(wanted):
            try:
                if target in missing:
                    raise ConstraintFailed("foreign key", ())
                await self._execute(
                    self.statements.insert_link(plan), {"parent": parent, "target": self._key(plan.target, target)}
                )
            except ConstraintFailed as failure:
                path = f"{plan.input_name or plan.public_name}.{index}"
                raise ReferenceNotFound(
                    details=[Detail(path, "reference_not_found", "There is no such resource")]
                ) from failure

    async def increment(self, resource: str, id: str, field: str, by: Any, at_least: Any | None) -> bool:
        statement = self.statements.increment(resource, field, guarded=at_least is not None)
        encode = self.statements.encoders[resource][field]
        values = {"id": self._key(resource, id), "by": _encode(encode, by), "at_least": _encode(encode, at_least)}
        try:
            return bool(await self._fetch(statement, values, short=True))
        except ConstraintFailed as failure:
            raise client_error(failure, self.plan.by_name[resource]) from failure

    # -- references

    async def refuse_unseen(self, resource: str, rows: Sequence[Values]) -> None:
        """Raises `ReferenceNotFound` where a row refers to one that there is, but not for this scope.

        The database's own check of a foreign key knows no tenants.
        """
        missing = [
            field.name
            for field in self.statements.checked_references[resource]
            if await self.unseen(str(field.references), [row[field.name] for row in rows if row.get(field.name)])
        ]
        if missing:
            raise client_error(ConstraintFailed("foreign key", tuple(missing)), self.plan.by_name[resource])

    async def unseen(self, resource: str, ids: Sequence[str]) -> set[str]:
        """Those of the rows that there are not for this scope; for rows that are everybody's the database tells."""
        wanted = set(ids)
        if not wanted or not self.statements.guards(resource):
            return set()
        keys = {digits: self._key(resource, digits) for digits in wanted}
        bound = {"ids": self.statements.dialect.bind_array(list(keys.values()))}
        found = {_hex(row[0]) for row in await self._fetch(self.statements.present(resource), bound, short=True)}
        return {digits for digits, key in keys.items() if _hex(key) not in found}

    # -- for removing with care

    async def fetch(self, statement: Statement, values: dict[str, Any]) -> Sequence[Any]:
        return await self._fetch(statement, values, short=True)

    async def execute(self, statement: Statement, values: dict[str, Any]) -> int:
        return await self._execute(statement, values)

    async def keys(self, statement: Statement, values: dict[str, Any]) -> list[Any]:
        """The first column of a statement's rows, as keys are bound."""
        return [_hex(row[0]) for row in await self._fetch(statement, values, short=True)]

    def digits(self, key: Any) -> Any:
        """A key of one of Sternpost's own ids as its digits."""
        return _hex(key)

    # -- parts

    async def _execute(self, statement: Statement, values: dict[str, Any]) -> int:
        self.statistics.statements += 1
        return await self.connection.execute(statement.text, self.bind(statement, values))

    async def _explained(self, failure: ConstraintFailed, resource: str, values: Values) -> SternpostError:
        """The client's error. SQLite does not say which reference is missing, so it is looked up."""
        plan = self.plan.by_name[resource]
        if failure.kind == "foreign key" and not failure.columns:
            references = [plan.fields_by_name[name] for name in values if name in plan.fields_by_name and name != "id"]
            missing = [
                field.name
                for field in references
                if field.references
                and values[field.name] is not None
                and await self.get(View(field.references, ("id",)), values[field.name]) is None
            ]
            failure = ConstraintFailed("foreign key", tuple(missing), failure.text)
        return client_error(failure, plan)

    def _encoded(self, resource: str, values: Values) -> dict[str, Any]:
        encoders = self.statements.encoders[resource]
        encoded = {name: _encode(encoders.get(name), value) for name, value in values.items()}
        for name, nowhere in self.statements.hidden_keys[resource].items():
            if name in encoded and encoded[name] == nowhere:  # an id that was not made here refers to nothing
                raise client_error(ConstraintFailed("foreign key", (name,)), self.plan.by_name[resource])
        return encoded


def _encode(encode: Codec, value: Any) -> Any:
    return value if encode is None or value is None else encode(value)


def _hex(key: Any) -> Any:
    """A key as it is bound: UUIDs as their digits, others as they are."""
    return key.hex if isinstance(key, uuid.UUID) else key


def _uuid_or_none(text: str) -> Any:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
