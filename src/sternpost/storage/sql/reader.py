"""Reads of the storage port, on any connection that runs SQL text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, cast

from sternpost.errors import Internal, Unavailable
from sternpost.ids import decode, read_uuid
from sternpost.plan.model import RelationPlan, ResourcePlan
from sternpost.plan.query import Aggregate, Fact, Nested, Select, Through, begins_at
from sternpost.ports.budget import UNBOUNDED, Budget, TooLarge
from sternpost.ports.storage import (
    NO_ARGUMENTS,
    NO_TENANT,
    NOBODY,
    PART_ROWS,
    Allow,
    Arguments,
    Asking,
    Document,
    Position,
    Reader,
    Row,
    Rows,
    Slots,
    Statistics,
    Values,
    Visibility,
)
from sternpost.storage.sql.codecs import Decoder
from sternpost.storage.sql.failures import SCHEMA_MISSING, ConstraintFailed, refused_comparison, unnamed_error
from sternpost.storage.sql.keys import plain_key
from sternpost.storage.sql.measures import measured
from sternpost.storage.sql.raw import bound as bound_names
from sternpost.storage.sql.reads import BYTES, KEY, KEYS, POSITION, ROWS, PointStatement
from sternpost.storage.sql.statement import NO_VALUES, NOW, SUBJECT, TENANT, Statement
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sql.tenants import of_tenant
from sternpost.storage.sql.timed import Timed
from sternpost.storage.sql.written import Written

Q = TypeVar("Q", bound="Queries")

MANY = 2**31 - 1
"""Rows of a statement without a limit."""

ROWS_AT_ONCE = 2_000
"""How many rows of relations become documents before other calls get their turn: a few milliseconds' work."""

PART_ROWS_MIN = 10
"""How many rows of a streamed answer are fetched at a time at least, however wide they may be."""


class Queries(Protocol):
    """Runs SQL text that reads; a driver translates its own errors into those of `sternpost.errors`."""

    @property
    def shares(self) -> bool:
        """Whether what many ask for at the same time goes together."""
        ...

    def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Awaitable[Sequence[Any]]:
        """The rows of a statement. `short` says that it touches a few rows by their key."""
        ...

    def records(self, text: str, arguments: tuple[Any, ...]) -> Awaitable[list[dict[str, Any]]]:
        """The rows of an author's own statement by the names of its columns. Outside a transaction it can only read.

        Raises:
            OnlyReads: it wanted to write.
        """
        ...

    def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Awaitable[Any]:
        """The row of a read by key (`named[KEY]`), or None; such reads may be sent together with others."""
        ...


class Snapshot(Queries, Protocol):
    """Reads of one state of the data."""

    def parts(self, text: str, arguments: tuple[Any, ...], size: int) -> AsyncGenerator[Sequence[Any]]:
        """The rows of a statement, `size` at a time; the next are fetched when they are asked for."""
        ...


@dataclass(slots=True)
class _Along:
    """What goes along while relations are read: the values of the query, what was cut, how large the answer may become,
    and where in it the rows are that the relations belong to."""

    arguments: Arguments
    cut: set[str]
    path: str = ""


class SqlReader:
    """The storage port's `Reader` over one connection, or a pool of them."""

    writes = False

    def __init__(
        self,
        queries: Queries,
        statements: Statements,
        statistics: Statistics | None = None,
        visibility: Visibility = NO_TENANT,
        noted: Written | None = None,
    ) -> None:
        self.statistics = statistics or Statistics()
        self.queries = timed(queries, statements, self.statistics)
        self.visibility = visibility
        self.statements = statements.of(visibility, aside=True) if noted else statements.of(visibility)
        self.noted = noted
        self.plan = statements.plan
        self.tenant_values: Mapping[str, Any] = NO_VALUES
        """What the tenant is bound as, in each form that statements ask for."""
        if kinds := self.statements.gate.tenant_kinds:
            self.tenant_values = {f"{TENANT}{kind}": self._identity(kind, visibility.tenant) for kind in kinds}

    def with_deleted(self) -> Reader:
        """The same, and deleted rows are there for it, too."""
        visibility = replace(self.visibility, deleted=True)
        return SqlReader(self.queries, self.statements, self.statistics, visibility, self.noted)

    # -- rows

    async def get(
        self, query: Select, key: str, arguments: Arguments = NO_ARGUMENTS, *, allow: Allow | None = None
    ) -> Row | None:
        if allow is not None and query.lock and self.statements.dialect.locks_rows:
            unlocked = replace(query, fields=("id",), relations=(), lock=False)
            if await self.get(unlocked, key, arguments, allow=allow) is None:
                return None
        statement = self.statements.point(query)
        self.statistics.statements += 1
        own = key if statement.key is None else statement.key(key)
        tenant = self.tenant_values
        named = {KEY: own, **tenant} if tenant else {KEY: own}
        if statement.asks:
            named.update(self._of_call(statement.one, arguments.asking, (query.resource, key)))
        if statement.computes:  # not in the event loop, nor together with others
            rows = await self.queries.fetch(statement.one.text, statement.one.bind(named), short=False)
            found = rows[0] if rows else None
        else:
            found = await self.queries.fetch_one(statement, named)
        if found is None:
            return None
        decoder = statement.decoder
        row = Row(decoder.document(found), decoder.facts_of(found) if decoder.facts else {})
        if allow is not None:
            allow(row.facts)
        if query.relations:
            along = _Along(arguments, set())
            await self._attach(query, decoder, [found], [row.document], along, (1,))
            row.cut = along.cut
        return row

    async def select(
        self, query: Select, arguments: Arguments = NO_ARGUMENTS, *, count: bool = False, resume: bool = False
    ) -> Rows:
        listing = self.statements.listing(query)
        limit = arguments.slots[query.limit] if query.limit is not None else None
        # Whether the list goes on is told by the number of its rows; where they are not counted, by one row more.
        ahead = resume and (query.after is not None or not count)
        slots = _with(arguments.slots, query.limit, limit + 1) if ahead and limit is not None else arguments.slots
        budget, decoder, named = arguments.budget, listing.decoder, _position_of(arguments)
        most_bytes = None
        if budget is None or limit is None or query.lock or budget.allows(limit * decoder.row_bytes_max):
            statement = listing.counted if count else listing.page
        else:
            statement = listing.measured_counted if count else listing.measured_page
            most_bytes = budget.bytes_left
            named = {**named, BYTES: most_bytes}
        rows = await self._fetch(statement, named, slots, asking=arguments.asking)
        result = Rows([])
        if count:
            result.total = rows[0][-1] if rows else await self._total(query, arguments)
        if resume and rows and limit is not None:
            offset = arguments.slots[query.offset] if query.offset is not None else 0
            more = len(rows) > limit if ahead else offset + len(rows) < (result.total or 0)
            rows = rows[:limit]
            result.next = listing.position(rows[-1]) if more else None
        if budget is not None and most_bytes is not None and rows and rows[-1][-2 if count else -1] > most_bytes:
            raise budget.too_large()
        result.documents = documents = decoder.documents(rows)
        if budget is not None:
            budget.take_bytes(documents, decoder.names, decoder.row_bytes_max, decoder.names_bytes)
        if query.relations:
            along = _Along(arguments, set())
            await self._attach(query, decoder, rows, documents, along, (1,) * len(rows))
            result.cut = along.cut
        return result

    async def count(self, query: Select, arguments: Arguments = NO_ARGUMENTS) -> int:
        statement = self.statements.listing(query).count
        found = await self._fetch(statement, NO_VALUES, arguments.slots, asking=arguments.asking)
        return found[0][0]

    async def export(self, snapshot: Snapshot, query: Select, arguments: Arguments) -> AsyncGenerator[list[Document]]:
        """The rows of a query in parts, for `Storage.export`."""
        listing = self.statements.listing(query)
        bound = self.bind(listing.page, _position_of(arguments), arguments.slots, asking=arguments.asking)
        self.statistics.statements += 1
        size = _part_rows(listing.decoder.row_bytes_max, arguments.budget)
        noted = timed(snapshot, self.statements, self.statistics)
        async with aclosing(noted.parts(listing.page.text, bound, size)) as parts:
            async for rows in parts:
                async for documents in self._parts(query, listing.decoder, rows, arguments):
                    yield documents

    async def _parts(
        self, query: Select, decoder: Decoder, rows: Sequence[Any], arguments: Arguments
    ) -> AsyncGenerator[list[Document]]:
        """The documents of rows with their relations; in halves where they would be too large together."""
        documents = decoder.documents(rows)
        if query.relations:
            budget = arguments.budget.fresh(bounded=len(rows) > 1) if arguments.budget is not None else None
            along = _Along(replace(arguments, budget=budget), set())
            try:
                await self._attach(query, decoder, rows, documents, along, (1,) * len(rows))
            except TooLarge:
                if len(rows) == 1:
                    raise
                middle = len(rows) // 2
                for half in (rows[:middle], rows[middle:]):
                    async for part in self._parts(query, decoder, half, arguments):
                        yield part
                return
        yield documents

    async def position(self, query: Select, key: str, slots: Slots = ()) -> Position | None:
        listing = self.statements.listing(query)
        named, short = {KEY: self.key(query.resource, key)}, all(entry.search is None for entry in query.order)
        rows = await self._fetch(self.statements.place(query), named, slots, short=short)
        return listing.position_of(rows[0]) if rows else None

    async def position_now(self, query: Select, position: Position) -> Position | None:
        listing = self.statements.listing(query)
        rows = await self._fetch(self.statements.place(query), {KEY: listing.key_of(position)}, short=True)
        return listing.position_of(rows[0]) if rows else None

    async def facts(
        self, resource: str, values: Values, facts: Sequence[Fact], asking: Asking = NOBODY
    ) -> dict[Fact, Any]:
        plan = self.plan.by_name[resource]
        values = of_tenant(self.plan, plan, values, self.visibility)
        found: dict[Fact, Any] = {}
        for path in facts:
            if not isinstance(path, Through) and len(path) == 1:
                field = plan.fields_by_name[path[0]]
                value = values.get(path[0])
                found[path] = (
                    f"{self.plan.by_name[field.references].prefix}_{value}"
                    if field.references and value is not None
                    else value
                )
        for fact, statement, codec in self.statements.facts(resource, tuple(facts)):
            first = begins_at(fact)[0]
            key = self.statements.codecs.encoded(plan, first, values.get(first))
            rows = await self._fetch(statement, {KEY: key}, asking=asking, short=True) if key is not None else ()
            nowhere = fact.none if isinstance(fact, Through) else None  # the reference leads to nothing
            value = rows[0][0] if rows else nowhere
            found[fact] = value if codec is None or value is None else codec(value)
        return found

    # -- groups

    async def aggregate(self, query: Aggregate, slots: Slots = ()) -> list[list[Any]]:
        statement = self.statements.aggregate(query)
        self.statistics.statements += 1
        rows = await self.queries.fetch(statement.text, self.bind(statement, NO_VALUES, slots), short=False)
        resource = self.plan.by_name[query.resource]
        return [measured(self.statements, resource, query.measures, row) for row in rows]

    # -- the author's own SQL

    async def sql(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        statement, arguments = self.raw(text, values)
        self.statistics.statements += 1
        try:
            return await self.queries.records(statement, arguments)
        except ConstraintFailed as failure:
            raise unnamed_error(failure, self.plan) from failure
        except Unavailable as error:
            raise plainly(error) from error

    def key(self, resource: str, digits: str) -> Any:
        return self.statements.codecs.encoded(self.plan.by_name[resource], "id", digits)

    def decoded(self, resource: str, row: Mapping[str, Any]) -> Document:
        plan = self.plan.by_name[resource]
        document: Document = {}
        for name, value in row.items():
            field = plan.fields_by_name[name]
            decode = self.statements.codecs.decode(field)
            document[field.public_name] = value if decode is None or value is None else decode(value)
        return document

    def raw(self, text: str, values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """An author's statement with the driver's placeholders, and its values as they are bound."""
        dialect = self.statements.dialect
        statement, names = bound_names(text, values, numbered=dialect.numbers_parameters)
        return statement, tuple(dialect.raw(values[name]) for name in names)

    # -- parts

    async def _fetch(
        self,
        statement: Statement,
        named: Mapping[str, Any],
        slots: Slots = (),
        *,
        asking: Asking = NOBODY,
        short: bool = False,
    ) -> Sequence[Any]:
        self.statistics.statements += 1
        bound = self.bind(statement, named, slots, asking=asking)
        try:
            return await self.queries.fetch(statement.text, bound, short=short)
        except ConstraintFailed as failure:
            raise refused_comparison(failure) from failure

    def bind(
        self, statement: Statement, named: Mapping[str, Any], slots: Slots = (), *, asking: Asking = NOBODY
    ) -> tuple[Any, ...]:
        """The parameters of a statement, with the tenant, the caller and the instant."""
        if statement.asks:
            named = {**named, **self.tenant_values, **self._of_call(statement, asking)}
        elif self.tenant_values:
            named = {**named, **self.tenant_values}
        return statement.bind(named, slots)

    def _of_call(self, statement: Statement, asking: Asking, row: tuple[str, str] | None = None) -> dict[str, Any]:
        """What a statement asks of the call, by the names of its parameters; `row` where it is about a single one."""
        named: dict[str, Any] = {
            f"{SUBJECT}{kind}": self._identity(kind, asking.subject) for kind in statement.subjects
        }
        named[NOW] = asking.now
        for name, value in statement.of_caller:
            named[name] = value.read(asking.caller)
        for name in statement.written:
            named[name] = (self.noted or Written(self.plan)).value(name, row, self._keys)
        return named

    def _keys(self, resource: str, ids: Iterable[str]) -> Any:
        return self.statements.dialect.bind_array([self.key(resource, digits) for digits in ids])

    async def _total(self, query: Select, arguments: Arguments) -> int:
        """The count for a page without rows; known without asking where that page is the first."""
        slots = arguments.slots
        first = query.offset is None or slots[query.offset] == 0
        if first and query.after is None and (query.limit is None or slots[query.limit] != 0):
            return 0
        return await self.count(query, arguments)

    def _identity(self, kind: str, identity: str | None) -> Any:
        """The caller's or the tenant's id in the form that a statement compares."""
        if identity is None or kind not in self.plan.by_name:
            return _uuid_text(identity) if kind == "uuid" else identity
        digits = decode(self.plan.by_name[kind].prefix, identity)
        return None if digits is None else self.key(kind, digits)

    # -- relations

    async def _attach(
        self,
        query: Select,
        decoder: Decoder,
        rows: Sequence[Any],
        documents: list[Document],
        along: _Along,
        weights: Sequence[int],
    ) -> None:
        """Reads the relations, one statement each for all rows together, and puts them into the documents.

        `weights` says how often each document will be in the answer: a row that many refer to is read once, but written
        for each of them.
        """
        resource = self.plan.by_name[query.resource]
        key_fields = self.statements.key_fields(query)
        first_key = len(decoder.names) + len(decoder.facts)
        for nested in query.relations:
            relation = resource.relations_by_name[nested.relation]
            column = first_key + key_fields.index(relation.local_field)
            keys = [plain_key(row[column]) for row in rows]
            weight_of: dict[Any, int] = {}
            for key, weight in zip(keys, weights, strict=True):
                if key is not None:
                    weight_of[key] = weight_of.get(key, 0) + weight
            children = await self._children(resource, nested, relation, weight_of, along)
            for document, key in zip(documents, keys, strict=True):
                found: list[Document] = [] if key is None else children.get(key, [])
                document[relation.public_name] = (found[0] if found else None) if relation.kind == "one" else found

    async def _children(
        self,
        resource: ResourcePlan,
        nested: Nested,
        relation: RelationPlan,
        weight_of: dict[Any, int],
        along: _Along,
    ) -> dict[Any, list[Document]]:
        """The rows of a relation by the key of the row they belong to."""
        if not weight_of:
            return {}
        if not self.statements.knows(resource.name, nested):
            await asyncio.sleep(0)  # other calls get their turn
        found_by = self.statements.nested(resource.name, nested)
        decoder = found_by.decoder
        arguments, query, budget = along.arguments, nested.query, along.arguments.budget
        path = along.path + relation.public_name
        # one more row for each parent tells that its list was cut, and one more of all that there are too many
        most_rows = MANY if budget is None else budget.rows_left + len(weight_of) + 1
        most_bytes = UNBOUNDED if budget is None else budget.bytes_left
        keys = self.statements.dialect.bind_array(list(weight_of))
        named = {KEYS: keys, ROWS: most_rows, BYTES: most_bytes}
        rows = await self._fetch(found_by.statement, named, arguments.slots, asking=arguments.asking)
        if budget is not None and found_by.measured and any(row[-2] > most_bytes for row in rows):
            raise budget.too_large()
        grouped: dict[Any, list[tuple[Any, Document]]] = {}
        for start in range(0, len(rows), ROWS_AT_ONCE):
            if start:
                await asyncio.sleep(0)  # other calls get their turn
            some = rows[start : start + ROWS_AT_ONCE]
            for row, document in zip(some, decoder.documents(some), strict=True):
                grouped.setdefault(plain_key(row[-1]), []).append((row, document))
        if nested.most is not None and relation.kind != "one":
            most = nested.most if query.limit is None else arguments.slots[query.limit]
            if _shortened(grouped.values(), most):
                along.cut.add(path)
        if budget is not None:
            budget.take_rows(sum(len(found) * weight_of[key] for key, found in grouped.items()), path)
            budget.take_bytes(
                [document for found in grouped.values() for _, document in found],
                decoder.names,
                decoder.row_bytes_max,
                decoder.names_bytes,
                [weight_of[key] for key, found in grouped.items() for _ in found],
            )
        if query.relations and grouped:
            kept = [(row, document, weight_of[key]) for key, found in grouped.items() for row, document in found]
            kept_rows, kept_documents, weights = zip(*kept, strict=True)
            below = replace(along, path=f"{path}.")
            await self._attach(query, decoder, kept_rows, list(kept_documents), below, weights)
        return {key: [document for _, document in found] for key, found in grouped.items()}


def timed(queries: Q, statements: Statements, statistics: Statistics) -> Q:
    """The same, and each statement is noted with its time where that is asked for."""
    if statistics.timings is None or isinstance(queries, Timed):
        return queries
    return cast("Q", Timed(queries, statistics.timings, statements.dialect.name))


def _shortened(lists: Iterable[list[Any]], most: int) -> bool:
    """Cuts lists to so many members; whether one had more."""
    longer = [found for found in lists if len(found) > most]
    for found in longer:
        del found[most:]
    return bool(longer)


def _position_of(arguments: Arguments) -> Mapping[str, Any]:
    """The values of a position by the names that they are bound under."""
    if arguments.position is None:
        return NO_VALUES
    return {f"{POSITION}{index}": value for index, value in enumerate(arguments.position)}


def _part_rows(row_bytes_max: float, budget: Budget | None) -> int:
    """How many rows of a streamed answer are fetched at a time: fewer of those that may be wide."""
    if budget is None:
        return PART_ROWS
    return int(max(min(PART_ROWS, budget.bytes_max / max(row_bytes_max, 1)), PART_ROWS_MIN))


def plainly(error: Unavailable) -> Exception:
    """An author's statement that names what does not exist is the author's mistake, not a missing schema."""
    if error.log.get("reason") != SCHEMA_MISSING:
        return error
    return Internal(log={"reason": "the statement names what does not exist", **error.log})


def _with(slots: Slots, index: int | None, value: Any) -> Slots:
    """The slots with another value in one."""
    changed = list(slots)
    changed[index or 0] = value
    return changed


def _uuid_text(identity: str | None) -> str | None:
    found = read_uuid(identity or "")
    return None if found is None else str(found)
