"""Runs the data client's statements on the connection of a reader or a session."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sternpost.errors import Internal, ReferenceNotFound, Unavailable
from sternpost.plan.model import FieldPlan, ResourcePlan
from sternpost.plan.values import from_plan
from sternpost.ports.data import Aggregation, Assignment, Inclusion, Measure, Node, Query, RowsUpdate, Slots, Upsert
from sternpost.ports.storage import Document, Values
from sternpost.storage.sql.data import ROWS_MAX, VARIABLES_MAX, DataStatements
from sternpost.storage.sql.dialect import Codec, Statement
from sternpost.storage.sql.failures import SCHEMA_MISSING, ConstraintFailed, client_error, unnamed_error
from sternpost.storage.sql.raw import bound as bound_names
from sternpost.storage.sql.removal import Removal
from sternpost.storage.sql.tenants import of_tenant, refuse_move

if TYPE_CHECKING:
    from sternpost.storage.sql.session import SqlReader, SqlSession


class SqlDataReader:
    """The port's `DataReader` over a reader of the storage port."""

    def __init__(self, reader: SqlReader) -> None:
        self.reader = reader
        self.plan = reader.plan
        self.statements = DataStatements(reader.statements)
        self.dialect = reader.statements.dialect

    async def select(self, query: Query, slots: Slots) -> list[Document]:
        values = self._bound(slots)
        statement, decoder = self.statements.select(query)
        rows = await self._fetch(statement, values)
        documents = [decoder.document(row) for row in rows]
        await self._attach(query, rows, documents, values)
        return documents

    async def count(self, resource: str, where: Node, slots: Slots) -> int:
        return (await self._fetch(self.statements.count(resource, where), self._bound(slots)))[0][0]

    async def aggregate(self, aggregation: Aggregation, slots: Slots) -> list[list[Any]]:
        rows = await self._fetch(self.statements.aggregate(aggregation), self._bound(slots))
        resource = self.plan.by_name[aggregation.resource]
        return [self._measures(resource, aggregation.measures, row) for row in rows]

    async def sql(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        statement, arguments = self._raw(text, values)
        self.reader.statistics.statements += 1
        try:
            return await self.reader.queries.records(statement, arguments)
        except ConstraintFailed as failure:
            raise unnamed_error(failure) from failure
        except Unavailable as error:
            raise _plainly(error) from error

    def decoded(self, resource: str, row: Mapping[str, Any]) -> Document:
        plan = self.plan.by_name[resource]
        document: Document = {}
        for name, value in row.items():
            field = plan.fields_by_name[name]
            decode = self._decode(field)
            document[field.public_name] = value if decode is None or value is None else decode(value)
        return document

    def key(self, resource: str, digits: str) -> Any:
        encode = self.reader.statements.encoders[resource]["id"]
        return _encode(encode, digits)

    # -- parts

    def _decode(self, field: FieldPlan) -> Codec:
        return self.dialect.decode(field, self.plan.by_name[field.references].prefix if field.references else None)

    async def _fetch(self, statement: Statement, values: dict[str, Any]) -> Sequence[Any]:
        return await self._run(statement.text, self.reader.bind(statement, values))

    async def _run(self, text: str, arguments: tuple[Any, ...]) -> Sequence[Any]:
        self.reader.statistics.statements += 1
        return await self.reader.queries.fetch(text, arguments, short=False)

    def _bound(self, slots: Slots) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for number, slot in enumerate(slots):
            if slot.field is None or slot.resource is None:
                values[f"w{number}"] = slot.value
                continue
            encode = self.reader.statements.encoders[slot.resource][slot.field]
            match slot.form:
                case "value":
                    values[f"w{number}"] = _encode(encode, slot.value)
                case "list":
                    values[f"w{number}"] = self.dialect.bind_array([_encode(encode, item) for item in slot.value])
                case "average":
                    values[f"w{number}"] = self._average_bound(slot.resource, slot.field, slot.value)
                case "factor":
                    values[f"w{number}"], part, whole = slot.value
                    values |= {f"w{number}_twice": 2 * part, f"w{number}_whole": whole, f"w{number}_double": 2 * whole}
        return values

    def _average_bound(self, resource: str, name: str, value: Any) -> Any:
        """What an average is compared with: on SQLite one of decimals is one of whole numbers."""
        field = self.plan.by_name[resource].fields_by_name[name]
        if self.dialect.name != "sqlite":
            return float(value) if field.kind == "number" else Decimal(value)
        return float(Decimal(value) * 10 ** (field.decimal_places or 0)) if field.kind == "decimal" else float(value)

    async def _attach(
        self, query: Query, rows: Sequence[Any], documents: list[Document], values: dict[str, Any]
    ) -> None:
        """Reads the included relations, one statement each for all rows together, and puts them into the documents."""
        if not query.includes:
            return
        resource = self.plan.by_name[query.resource]
        key_fields = self.statements.key_fields(query)
        for inclusion in query.includes:
            relation = resource.relations_by_name[inclusion.relation]
            column = len(query.fields) + key_fields.index(relation.local_field)
            keys = [_hex(row[column]) for row in rows]
            children = await self._children(resource, inclusion, list(dict.fromkeys(keys)), values)
            for document, key in zip(documents, keys, strict=True):
                found = [] if key is None else children.get(key, [])
                document[relation.public_name] = (found[0] if found else None) if relation.kind == "one" else found

    async def _children(
        self, resource: ResourcePlan, inclusion: Inclusion, keys: list[Any], values: dict[str, Any]
    ) -> dict[Any, list[Document]]:
        wanted = [key for key in keys if key is not None]
        if not wanted:
            return {}
        statement, decoder = self.statements.included(resource.name, inclusion)
        rows = await self._fetch(statement, {**values, "keys": self.dialect.bind_array(wanted)})
        documents = [decoder.document(row) for row in rows]
        await self._attach(inclusion.query, rows, documents, values)
        grouped: dict[Any, list[Document]] = {}
        for row, document in zip(rows, documents, strict=True):
            grouped.setdefault(_hex(row[self._parent_column(inclusion.query)]), []).append(document)
        return grouped

    def _parent_column(self, query: Query) -> int:
        return len(query.fields) + len(self.statements.key_fields(query))

    def _measures(self, resource: ResourcePlan, measures: Sequence[Measure], row: Sequence[Any]) -> list[Any]:
        found: list[Any] = []
        column = 0
        for measure in measures:
            field = resource.fields_by_name.get(measure.field)
            if measure.function == "avg" and field is not None:
                found.append(self._average(field, row[column], row[column + 1]))
                column += 2
                continue
            found.append(row[column] if field is None else self._measured(field, measure, row[column]))
            column += 1
        return found

    def _measured(self, field: FieldPlan, measure: Measure, value: Any) -> Any:
        if value is None:
            return None
        if measure.function == "sum" and field.kind == "integer":
            return int(value)
        decode = self._decode(field)
        return from_plan(field, decode(value) if decode else value)

    def _average(self, field: FieldPlan, total: Any, count: int) -> Any:
        if not count:
            return None
        if field.kind == "number":
            return total / count
        exact = Decimal(int(total)) if field.kind == "integer" else self._measured(field, Measure("min"), total)
        return exact / count

    def _raw(self, text: str, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        statement, names = bound_names(text, values, numbered=self.dialect.name == "postgresql")
        return statement, tuple(self.dialect.raw(values[name]) for name in names)


class SqlDataSession(SqlDataReader):
    """The port's `DataSession` over a session of the storage port."""

    def __init__(self, session: SqlSession) -> None:
        super().__init__(session)
        self.session = session
        self._savepoints = 0

    async def insert_rows(
        self, resource: str, rows: Sequence[Values], *, skip: bool, fields: tuple[str, ...] = ()
    ) -> tuple[int, list[Document]]:
        if not rows:
            return 0, []
        plan = self.plan.by_name[resource]
        rows = [of_tenant(self.plan, plan, row, self.session.scope) for row in rows]
        await self.session.refuse_unseen(resource, rows)
        names = tuple(sorted(rows[0]))
        encoders = [self.reader.statements.encoders[resource].get(name) for name in names]
        size = min(ROWS_MAX, VARIABLES_MAX // len(names))
        documents: list[Document] = []
        added = 0
        for start in range(0, len(rows), size):
            chunk = [
                [_encode(encode, row[name]) for name, encode in zip(names, encoders, strict=True)]
                for row in rows[start : start + size]
            ]
            found, decoder = await self._insert_chunk(resource, names, chunk, skip, fields)
            added += len(found)
            documents += [decoder.document(row) for row in found] if fields else []
        return added, documents

    async def _insert_chunk(
        self, resource: str, names: tuple[str, ...], chunk: list[list[Any]], skip: bool, fields: tuple[str, ...]
    ) -> tuple[Sequence[Any], Any]:
        text, decoder = self.statements.insert_rows(resource, names, len(chunk), skip=skip, fields=fields)
        by_column = self.dialect.name == "postgresql"
        arguments: tuple[Any, ...] = (
            tuple([list(column) for column in zip(*chunk, strict=True)])
            if by_column
            else tuple([value for row in chunk for value in row])
        )
        try:
            return await self._run(text, arguments), decoder
        except ConstraintFailed as failure:
            raise self._explained(failure, resource) from failure

    async def update_rows(self, update: RowsUpdate, slots: Slots) -> tuple[int, list[Document]]:
        refuse_move(self.plan.by_name[update.resource], [entry.field for entry in update.assignments])
        await self._refuse_unseen(update.resource, update.assignments, slots)
        statement, decoder = self.statements.update(update)
        values = self._bound(slots)
        try:
            if update.fields:
                rows = await self._fetch(statement, values)
                return len(rows), [decoder.document(row) for row in rows]
            return await self._change(statement, values), []
        except ConstraintFailed as failure:
            raise self._explained(failure, update.resource) from failure

    async def delete_rows(self, resource: str, where: Node, slots: Slots, *, at: datetime) -> int:
        if resource in self.plan.removed_with_care:
            keys = await self.session.keys(self.statements.keys(resource, where), self._bound(slots))
            return await Removal(self.session, at).remove(self.plan.by_name[resource], keys)
        try:
            return await self._change(self.statements.delete(resource, where), self._bound(slots))
        except ConstraintFailed as failure:
            raise client_error(failure, self.plan.by_name[resource], deleting=True) from failure

    async def upsert(self, upsert: Upsert, values: Values, slots: Slots) -> Document:
        plan = self.plan.by_name[upsert.resource]
        refuse_move(plan, [entry.field for entry in upsert.assignments])
        values = of_tenant(self.plan, plan, values, self.session.scope)
        await self.session.refuse_unseen(upsert.resource, [values])
        await self._refuse_unseen(upsert.resource, upsert.assignments, slots)
        key = upsert.key if upsert.key == ("id",) else plan.unique_in_tenant(upsert.key)
        statement, decoder = self.statements.upsert(replace(upsert, names=tuple(sorted(values)), key=key))
        encoders = self.reader.statements.encoders[upsert.resource]
        encoded = {name: _encode(encoders.get(name), value) for name, value in values.items()}
        try:
            rows = await self._fetch(statement, {**encoded, **self._bound(slots)})
        except ConstraintFailed as failure:
            raise self._explained(failure, upsert.resource) from failure
        if not rows:  # what is there is not to be seen: deleted, or of another tenant
            raise client_error(ConstraintFailed("unique", upsert.key), self.plan.by_name[upsert.resource])
        return decoder.document(rows[0])

    async def link(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        plan = self.plan.by_name[resource].relations_by_name[relation]
        if await self.session.unseen(resource, [id]) or await self.session.unseen(plan.target, targets):
            raise ReferenceNotFound
        for target in dict.fromkeys(targets):
            try:
                await self._change(
                    self.statements.link(plan),
                    {"parent": self.key(resource, id), "target": self.key(plan.target, target)},
                )
            except ConstraintFailed as failure:
                raise ReferenceNotFound(log={"database": failure.text}) from failure

    async def unlink(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        plan = self.plan.by_name[resource].relations_by_name[relation]
        if await self.session.unseen(resource, [id]):
            return
        for target in dict.fromkeys(targets):
            await self._change(
                self.statements.unlink(plan),
                {"parent": self.key(resource, id), "target": self.key(plan.target, target)},
            )

    async def execute(self, text: str, values: Mapping[str, Any]) -> int:
        statement, arguments = self._raw(text, values)
        self.reader.statistics.statements += 1
        try:
            return await self.session.connection.changed(statement, arguments)
        except ConstraintFailed as failure:
            raise unnamed_error(failure) from failure
        except Unavailable as error:
            raise _plainly(error) from error

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        self._savepoints += 1
        name = f"sp_{self._savepoints}"
        await self.session.connection.command(f"SAVEPOINT {name}")
        try:
            yield
            await self.session.connection.command(f"RELEASE SAVEPOINT {name}")
        except BaseException:
            with suppress(Unavailable):  # a connection that is gone has undone it, and what was raised counts
                await self.session.connection.command(f"ROLLBACK TO SAVEPOINT {name}")
                await self.session.connection.command(f"RELEASE SAVEPOINT {name}")
            raise

    # -- parts

    async def _refuse_unseen(self, resource: str, assignments: Sequence[Assignment], slots: Slots) -> None:
        given = {entry.field: slots[entry.slot].value for entry in assignments if entry.arithmetic == "set"}
        await self.session.refuse_unseen(resource, [given])

    async def _change(self, statement: Statement, values: dict[str, Any]) -> int:
        self.reader.statistics.statements += 1
        return await self.session.connection.execute(statement.text, self.session.bind(statement, values))

    def _explained(self, failure: ConstraintFailed, resource: str) -> Exception:
        return client_error(failure, self.plan.by_name[resource])


def _plainly(error: Unavailable) -> Exception:
    """An author's statement that names what does not exist is the author's mistake, not a missing schema."""
    if error.log.get("reason") != SCHEMA_MISSING:
        return error
    return Internal(log={"reason": "the statement names what does not exist", **error.log})


def _encode(encode: Codec, value: Any) -> Any:
    return value if encode is None or value is None else encode(value)


def _hex(key: Any) -> Any:
    """A key as it is bound: UUIDs as their digits, others as they are."""
    return key.hex if isinstance(key, UUID) else key
