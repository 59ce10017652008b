"""Reads and writes of one transaction, on any connection that runs SQL text."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol

from sternpost.errors import ConstraintViolated, Overlapping, ReferenceNotFound, SternpostError, Unavailable
from sternpost.ids import decode
from sternpost.plan.model import RelationPlan, ResourcePlan
from sternpost.plan.query import Assignment, Compare, Every, Modify, Node, Remove, Upsert, every, key_is, names_one_row
from sternpost.plan.row_errors import broken, check_error, refuse_broken
from sternpost.ports.outbox import Events
from sternpost.ports.storage import NO_TENANT, Document, Origin, Slots, Statistics, Values, Visibility
from sternpost.storage.sql.failures import ConstraintFailed, client_error, unnamed_error
from sternpost.storage.sql.keys import plain_key
from sternpost.storage.sql.reader import Queries, plainly, timed
from sternpost.storage.sql.references import References
from sternpost.storage.sql.removal import Removal
from sternpost.storage.sql.statement import NO_VALUES, Statement
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sql.tenants import of_tenant, refuse_move
from sternpost.storage.sql.writes import PARENT, ROWS_MAX, TARGET, VARIABLES_MAX
from sternpost.storage.sql.written import Written

_ONE_PART = (
    "Parts of a transaction come one after the other: await a transaction() inside another before the next begins"
)

_within: ContextVar[Mapping[SqlSession, str]] = ContextVar("sternpost_savepoints", default=MappingProxyType({}))
"""The savepoint that the running code is in, by session. It tells a part of a part, which another task may carry out,
from one that runs beside it: that would be undone with it, or kept."""


Write = Callable[[Statement, Mapping[str, Any]], Awaitable[Sequence[Any]]]
"""Runs a statement that writes a row; the row. Raises `ConstraintFailed`."""


class Connection(Queries, Protocol):
    """Runs SQL text inside a transaction."""

    def execute(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Awaitable[int]:
        """Runs a statement; how many rows it changed. `short` says that it touches a few rows by their key."""
        ...

    def attribute(self, origin: Origin) -> Awaitable[None]:
        """Says for whom everything is that is changed from here on."""
        ...

    def changed(self, text: str, arguments: tuple[Any, ...]) -> Awaitable[int]:
        """The same for an author's own statement, of any kind; 0 for one that changes no rows."""
        ...

    def command(self, text: str) -> Awaitable[None]:
        """Runs a statement about the transaction itself."""
        ...


class SqlSession(References):
    """The storage port's `Session`: what a transaction can do besides reading."""

    writes = True

    def __init__(
        self,
        connection: Connection,
        statements: Statements,
        statistics: Statistics,
        visibility: Visibility = NO_TENANT,
    ) -> None:
        noted = Written(statements.plan) if statements.plan.walked else None
        connection = timed(connection, statements, statistics)
        super().__init__(connection, statements, statistics, visibility, noted)
        self.connection = connection
        self.emitted = 0
        """How many events were written."""
        self._savepoints = 0
        self._open: list[str] = []
        """The savepoints that have begun and not ended, the innermost last."""

    async def attribute(self, origin: Origin) -> None:
        self.statistics.statements += 1
        await self.connection.attribute(origin)

    def next_step(self) -> None:
        if self.noted is not None:
            self.noted.next_step()

    def _note(self, change: Callable[..., None], *about: Any, **how: Any) -> None:
        """Remembers what was written, for policies; see `written.py`."""
        change(*about, **how)
        if self.noted and self.statements.setting_aside() is not self.statements:
            self.statements = self.statements.setting_aside()

    def _digits(self, resource: str, row: Mapping[str, Any]) -> str | None:
        """The digits of the id of a row, or of its document."""
        found = row.get("id")
        return decode(self.plan.by_name[resource].prefix, found) or found if isinstance(found, str) else None

    async def emit(self, events: Events) -> None:
        emission = self.statements.emission
        for event in events:
            self.statistics.statements += 1
            await self.connection.execute(emission.text, emission.values(event), short=True)
        self.emitted += len(events)

    # -- new rows

    async def insert(self, resource: str, values: Values) -> Document:
        return await self.insert_by(self.written, resource, values)

    async def insert_by(self, write: Write, resource: str, values: Values) -> Document:
        """`insert`, with what runs its statement."""
        plan = self.plan.by_name[resource]
        values = of_tenant(self.plan, plan, values, self.visibility)
        if plan.checks:
            refuse_broken(plan, values)
        await self.refuse_missing(plan, values)
        statement, decoder = self.statements.insert(resource, tuple(sorted(values)))
        try:
            rows = await write(statement, values)
        except ConstraintFailed as failure:
            raise await self.explained(failure, plan, values) from failure
        if not rows:
            raise ConstraintViolated.dropped()
        document = decoder.document(rows[0])
        if self.noted is not None:
            self._note(self.noted.added, resource, self._digits(resource, document))
        return document

    async def insert_rows(
        self, resource: str, rows: Sequence[Values], *, skip: bool, returning: tuple[str, ...] = ()
    ) -> tuple[int, list[Document]]:
        plan = self.plan.by_name[resource]
        rows = [of_tenant(self.plan, plan, row, self.visibility) for row in rows]
        for row in rows if plan.checks else ():
            refuse_broken(plan, row)
        missing = await self.missing(plan, rows)
        if self.noted is not None:
            for row in rows:
                self._note(self.noted.added, resource, self._digits(resource, row))
        if skip and plan.no_overlap:  # of several rows a database may refuse all where one of them overlaps
            return await self._insert_one_by_one(plan, rows, missing, returning)
        if any(missing):
            if skip:
                return await self._insert_one_by_one(plan, rows, missing, returning)
            first = next(names for names in missing if names)
            raise client_error(ConstraintFailed("foreign key", first), plan)
        added = 0
        documents: list[tuple[int, Document]] = []
        for names, numbers in _by_members(rows).items():
            size = min(ROWS_MAX, VARIABLES_MAX // max(len(names), 1))
            for start in range(0, len(numbers), size):
                part = numbers[start : start + size]
                found = await self._insert_part(plan, names, [rows[number] for number in part], skip, returning)
                added += len(found)
                # rows come back in the order in which they were given; those that were left out cannot be told apart
                documents += zip(part, found, strict=False)
        return added, [document for _, document in sorted(documents, key=lambda pair: pair[0])] if returning else []

    async def _insert_part(
        self, plan: ResourcePlan, names: tuple[str, ...], rows: list[Values], skip: bool, returning: tuple[str, ...]
    ) -> list[Document]:
        encoded = self.statements.codecs.encoded
        text, decoder = self.statements.insert_rows(plan.name, names, len(rows), skip=skip, returning=returning)
        bound = self.statements.dialect.bind_rows([[encoded(plan, name, row[name]) for name in names] for row in rows])
        self.statistics.statements += 1
        try:
            found = await self.connection.fetch(text, bound, short=True)
        except ConstraintFailed as failure:
            raise client_error(failure, plan) from failure
        return decoder.documents(found)

    async def _insert_one_by_one(
        self, plan: ResourcePlan, rows: Sequence[Values], missing: Sequence[tuple[str, ...]], returning: tuple[str, ...]
    ) -> tuple[int, list[Document]]:
        """Rows some of which refer to nothing: that is an error of those alone that are not left out anyway."""
        documents: list[Document] = []
        async with self.savepoint():
            for row, names in zip(rows, missing, strict=True):
                nothing = client_error(ConstraintFailed("foreign key", names), plan)
                try:
                    found = await self._insert_part(plan, tuple(sorted(row)), [row], skip=True, returning=returning)
                except ConstraintViolated as error:  # an id that was not made here need not be a value of the column
                    raise (nothing if names else error) from error
                except Overlapping:
                    continue  # it is left out, as one that another row is equal to
                if names and found:
                    raise nothing
                documents += found
        return len(documents), documents if returning else []

    async def upsert(self, upsert: Upsert, values: Values, slots: Slots) -> Document:
        plan = self.plan.by_name[upsert.resource]
        values = of_tenant(self.plan, plan, values, self.visibility)
        refuse_move(plan, [entry.field for entry in upsert.assignments])
        refuse_broken(plan, values)
        await self._refuse_what_an_upsert_writes(plan, upsert, values, slots)
        key = upsert.key if upsert.key == ("id",) else plan.unique_in_tenant(upsert.key)
        whole = Upsert(plan.name, tuple(sorted(values)), key, upsert.assignments, upsert.returning)
        statement, decoder = self.statements.upsert(whole)
        try:
            rows = await self.written(statement, values, slots)
        except ConstraintFailed as failure:
            raise client_error(failure, plan) from failure
        if not rows:  # the existing row cannot be seen: it is deleted, or another tenant's
            raise client_error(ConstraintFailed("unique", upsert.key), plan)
        if self.noted is not None:
            self._note(self.noted.changed, plan.name, self._digits(plan.name, values) if "id" in upsert.key else None)
        return decoder.document(rows[0])

    # -- changes and removals

    async def modify(self, modify: Modify, slots: Slots) -> tuple[int, list[Document]]:
        plan = self.plan.by_name[modify.resource]
        refuse_move(plan, [entry.field for entry in modify.assignments])
        if plan.checks and (found := broken(plan, _assigned(modify.assignments, slots))):
            if not await self.any_row(plan, modify.where, slots):  # nothing is written
                return 0, []
            raise check_error(plan, found)
        missing = await self.missing(plan, [_assigned(modify.assignments, slots)])
        if any(missing):
            if not await self.any_row(plan, modify.where, slots):  # nothing is written
                return 0, []
            raise client_error(ConstraintFailed("foreign key", missing[0]), plan)
        if self.noted is not None:
            self._note(self.noted.changed, plan.name, _key_of(modify.where, slots))
        statement, decoder = self.statements.modify(modify)
        try:
            if modify.returning:
                rows = await self.written(statement, NO_VALUES, slots)
                return len(rows), decoder.documents(rows)
            return await self.run(statement, NO_VALUES, slots, short=names_one_row(modify.where)), []
        except ConstraintFailed as failure:
            raise await self.explained(failure, plan, _assigned(modify.assignments, slots)) from failure

    async def remove(self, remove: Remove, slots: Slots, *, at: datetime | None = None) -> int:
        plan = self.plan.by_name[remove.resource]
        if self.noted is not None:
            self._note(self.noted.removed, plan.name)
        single = remove.where == key_is(0)
        if plan.name in self.plan.removed_with_care or (plan.name in self.plan.removed_by_each_other and not single):
            if single:
                keys = [self.key(plan.name, slots[0])]
            else:
                keys = await self.keys(self.statements.matching_keys(remove), NO_VALUES, slots)
            return await Removal(self, at).remove(plan, keys)
        # what refers to it goes with it, or is changed, and may be any number of rows
        alone = all(field.on_delete == "restrict" for _, field in self.plan.referrers[plan.name])
        short = alone and names_one_row(remove.where)
        try:
            return await self.run(self.statements.remove(remove), NO_VALUES, slots, short=short)
        except ConstraintFailed as failure:
            raise client_error(failure, plan, deleting=True) from failure

    async def _refuse_what_an_upsert_writes(
        self, plan: ResourcePlan, upsert: Upsert, values: Values, slots: Slots
    ) -> None:
        """Raises `ReferenceNotFound` where what is written refers to nothing: the new row or, where there is one, the
        change of it."""
        new, change = await self.missing(plan, [values, _assigned(upsert.assignments, slots)])
        if new or change:
            where = every(Compare((name,), "eq", index) for index, name in enumerate(upsert.key))
            exists = await self.any_row(plan, where, [values[name] for name in upsert.key])
            if names := change if exists else new:
                raise client_error(ConstraintFailed("foreign key", names), plan)

    async def restore(self, resource: str, id: str) -> bool:
        if self.noted is not None:
            self._note(self.noted.restored, resource)
        return await Removal(self, None).restore(self.plan.by_name[resource], self.key(resource, id))

    # -- lists that belong to a row

    async def replace_owned(self, resource: str, relation: str, id: str, rows: Sequence[Values]) -> list[Document]:
        plan = self.plan.by_name[resource].relations_by_name[relation]
        await self.run(self.statements.delete_owned(plan), {PARENT: self.key(resource, id)}, short=True)
        position = self.plan.by_name[plan.target].position_column
        documents: list[Document] = []
        for index, row in enumerate(rows):
            values = {**row, plan.remote_field: id, **({position: index} if position else {})}
            try:
                documents.append(await self.insert(plan.target, values))
            except SternpostError as error:
                error.details = tuple(detail.within(f"{plan.public_name}.{index}") for detail in error.details)
                raise
        if self.noted is not None:
            items = [str(self._digits(plan.target, document)) for document in documents]
            self._note(self.noted.owned, resource, plan, id, items)
        return documents

    async def replace_links(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        plan = self.plan.by_name[resource].relations_by_name[relation]
        if self.noted is not None:
            self._note(self.noted.linked, resource, plan, id, own=True)
        parent = self.key(resource, id)
        wanted = list(dict.fromkeys(targets))
        missing = await self.unseen(plan.target, wanted)
        keys = [self.key(plan.target, digits) for digits in wanted]
        present = set(await self.keys(self.statements.linked(plan), {PARENT: parent}))
        gone = present - set(map(plain_key, keys))
        await self._remove_links(plan, parent, gone, every=len(gone) == len(present))
        for index, (digits, key) in enumerate(zip(wanted, keys, strict=True)):
            path = f"{plan.input_name or plan.public_name}.{index}"
            if digits in missing:
                raise ReferenceNotFound.at([path])
            if plain_key(key) not in present:
                await self._add_link(plan, parent, key, path)

    async def link(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        plan = self.plan.by_name[resource].relations_by_name[relation]
        if await self.unseen(resource, [id]) or await self.unseen(plan.target, targets):
            raise ReferenceNotFound
        if self.noted is not None:
            self._note(self.noted.linked, resource, plan, id, own=False)
        parent = self.key(resource, id)
        for target in dict.fromkeys(targets):
            await self._add_link(plan, parent, self.key(plan.target, target))

    async def unlink(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        plan = self.plan.by_name[resource].relations_by_name[relation]
        if await self.unseen(resource, [id]):
            return
        if self.noted is not None:
            self._note(self.noted.linked, resource, plan, id, own=False)
        statement, parent = self.statements.delete_link(plan), self.key(resource, id)
        for target in dict.fromkeys(targets):
            await self.run(statement, {PARENT: parent, TARGET: self.key(plan.target, target)}, short=True)

    async def _add_link(self, plan: RelationPlan, parent: Any, key: Any, path: str | None = None) -> None:
        """A pair that is there already, perhaps since another transaction added it from the other side, stays as it is.

        Raises:
            ReferenceNotFound: there is no such row (any more).
        """
        try:
            await self.run(self.statements.insert_link(plan), {PARENT: parent, TARGET: key}, short=True)
        except ConstraintFailed as failure:
            log = {"database": failure.text}
            raise ReferenceNotFound(log=log) if path is None else ReferenceNotFound.at([path], log) from failure

    async def _remove_links(self, plan: RelationPlan, parent: Any, keys: set[Any], *, every: bool) -> None:
        if keys and every:
            await self.run(self.statements.delete_links(plan), {PARENT: parent}, short=True)
            return
        for key in sorted(keys):
            await self.run(self.statements.delete_link(plan), {PARENT: parent, TARGET: key}, short=True)

    # -- the author's own SQL, and parts of a transaction

    async def execute(self, text: str, values: Mapping[str, Any]) -> int:
        statement, arguments = self.raw(text, values)
        self.statistics.statements += 1
        try:
            return await self.connection.changed(statement, arguments)
        except ConstraintFailed as failure:
            raise unnamed_error(failure, self.plan) from failure
        except Unavailable as error:
            raise plainly(error) from error

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        outside = _within.get()
        if outside.get(self) != (self._open[-1] if self._open else None):
            raise RuntimeError(_ONE_PART)
        self._savepoints += 1
        name = f"sp_{self._savepoints}"
        await self.connection.command(f"SAVEPOINT {name}")
        self._open.append(name)
        _within.set({**outside, self: name})
        try:
            yield
            await self.connection.command(f"RELEASE SAVEPOINT {name}")
        except BaseException:
            with suppress(Unavailable):  # a connection that is gone has undone it, and what was raised counts
                await self.connection.command(f"ROLLBACK TO SAVEPOINT {name}")
                await self.connection.command(f"RELEASE SAVEPOINT {name}")
            raise
        finally:
            self._open.remove(name)
            _within.set(outside)

    # -- statements, also for removals

    async def run(
        self, statement: Statement, named: Mapping[str, Any], slots: Slots = (), *, short: bool = False
    ) -> int:
        """Runs a statement that gives no rows; how many it changed. `short`: a few rows by their key."""
        self.statistics.statements += 1
        return await self.connection.execute(statement.text, self.bind(statement, named, slots), short=short)

    async def written(self, statement: Statement, named: Mapping[str, Any], slots: Slots = ()) -> Sequence[Any]:
        """The rows that a statement has written. Raises `ConstraintFailed`."""
        self.statistics.statements += 1
        return await self.connection.fetch(statement.text, self.bind(statement, named, slots), short=True)

    async def fetch(self, statement: Statement, named: Mapping[str, Any], slots: Slots = ()) -> Sequence[Any]:
        """The rows of a short statement."""
        return await self._fetch(statement, named, slots, short=True)


def _key_of(where: Node, slots: Slots) -> str | None:
    """The id that a condition names; None where it may be about several rows."""
    for part in where.parts if isinstance(where, Every) else (where,):
        if isinstance(part, Compare) and part.path == ("id",) and part.operator == "eq" and type(part.operand) is int:
            return slots[part.operand]
    return None


def _assigned(assignments: Iterable[Assignment], slots: Slots) -> Values:
    """The values that a change sets."""
    return {entry.field: slots[entry.slot] for entry in assignments if entry.arithmetic == "set"}


def _by_members(rows: Sequence[Values]) -> dict[tuple[str, ...], list[int]]:
    """The numbers of the rows by the members that they have: one statement writes rows of the same members."""
    found: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        found.setdefault(tuple(sorted(row)), []).append(number)
    return found
