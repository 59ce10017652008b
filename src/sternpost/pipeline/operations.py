"""What each kind of operation does, once the caller is known and the input is valid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from sternpost.data.change import Change
from sternpost.data.context import Context, HttpContext
from sternpost.data.own_headers import OwnHeaders
from sternpost.data.pages import PageRequest
from sternpost.data.providers import CallProviders
from sternpost.data.writing import complete, prospective, stamp
from sternpost.deadline import Deadline
from sternpost.errors import (
    Conflict,
    ConstraintViolated,
    Detail,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    StillReferenced,
    Timeout,
    Unauthenticated,
    Unprocessable,
)
from sternpost.ids import decode, encode
from sternpost.kinds import KINDS
from sternpost.pipeline.authorize import ALLOW, DENY, Facts, fold_for
from sternpost.pipeline.call import Answer, Call, Step
from sternpost.pipeline.cursors import digest_of
from sternpost.pipeline.ending import Ending
from sternpost.pipeline.judgement import Judge
from sternpost.pipeline.links import keep_hidden, refuse_hidden
from sternpost.pipeline.own_answers import listed, own_answer
from sternpost.pipeline.runtime import Access, BoundOperation, Runtime
from sternpost.pipeline.selection import KEPT_CHARACTERS_MAX, KEPT_MAX, LIMIT, OFFSET, PARENT, Selection
from sternpost.pipeline.translation import WrongState
from sternpost.pipeline.views import EMPTY_TREE, can_see, holds_scope
from sternpost.plan.model import FieldPlan, OperationKind, Plan, ResourcePlan
from sternpost.plan.query import (
    Assignment,
    Compare,
    Constant,
    Fact,
    Modify,
    Node,
    Path,
    Remove,
    Select,
    Through,
    Under,
    begins_at,
    every,
    facts_of,
    in_order,
    key_is,
)
from sternpost.plan.shapes import ListMember
from sternpost.ports.authenticator import NO_SCOPES, Principal
from sternpost.ports.budget import Budget
from sternpost.ports.outbox import EVENT_PREFIX, NO_EVENTS, Event
from sternpost.ports.storage import (
    NO_ARGUMENTS,
    Arguments,
    Asking,
    Document,
    Position,
    Reader,
    Row,
    Session,
    Statistics,
    Visibility,
)
from sternpost.telemetry.observation import Observation

HIDDEN = "hidden"
"""The mark, for the log alone, of the error of a row that exists and that the caller may not see."""

EXPORT_PART_SECONDS = 60.0
"""How long a part of an export may take where the operation has no `timeout`; the first includes sorting the list."""


@dataclass
class Execution:
    """One call on its way: what is known of it by now. What is found out later stands on the class until then.

    Attributes:
        access: what the operation is for this caller.
        visibility: which rows of tenants there are for the caller.
        values: the valid input, by field name.
        withheld: what of it the caller may neither see nor set, and has left out.
        selection: what is asked for, checked.
        deadline: when all of it is to end, and who is told when a commit begins.
        steps: those of a batch, checked.
        shared_budget: what is left of the answer's budget, that of all steps of a batch; made when it is needed.
        left: what is left to do at the end, where there is something; that of the batch for its steps.
        valid: whether the input was validated.
        row_id: of a row that was created, as clients know it.
    """

    runtime: Runtime
    operation: BoundOperation
    call: Call
    principal: Principal | None
    access: Access
    visibility: Visibility
    observation: Observation
    statistics: Statistics
    deadline: Deadline
    values: dict[str, Any] = field(init=False)
    withheld: frozenset[str] = field(init=False, default=frozenset())
    selection: Selection = field(init=False)
    steps: Sequence[Step] = field(init=False, default=())
    shared_budget: Budget | None = field(init=False, default=None)
    left: Ending | None = field(init=False, default=None)
    valid: bool = field(init=False, default=False)
    row_id: str | None = field(init=False, default=None)
    _asking: Asking | None = field(init=False, default=None)

    @property
    def asking(self) -> Asking:
        """The caller and the instant, as policies compare rows with them: one instant for the whole call."""
        if self._asking is None:
            now = self.runtime.clock.now() if self.runtime.asks_now else None
            self._asking = Asking(self.subject, now, self.principal)
        return self._asking

    @property
    def budget(self) -> Budget:
        """How large the answer may still become."""
        if self.shared_budget is None:
            self.shared_budget = self.runtime.budget()
        return self.shared_budget

    def of(self, operation: BoundOperation, call: Call) -> Execution:
        """A step of the batch that this is: the same caller, and the same transaction."""
        step = replace(self, operation=operation, call=call, access=operation.access(self.principal))
        step.shared_budget, step._asking = self.budget, self.asking
        if operation.function is not None or operation.hooks is not None:
            step.left = self.ending
        return step

    def told(self, names: Sequence[str], row_id: str | None) -> list[Event]:
        """Its events: facts about the call, and no value of a row."""
        runtime, observation, now = self.runtime, self.observation, self.runtime.clock.now()
        resource, operation = self.operation.resource.name, self.operation.plan.id
        request = (observation.request_id, observation.trace_id, self.visibility.tenant, self.subject)
        return [
            Event(encode(EVENT_PREFIX, runtime.new_id()), name, resource, row_id, operation, *request, now)
            for name in names
        ]

    def later(self, function: Callable[[], Any]) -> None:
        """Has a function run after the commit."""
        self.ending.later(function)

    @property
    def ending(self) -> Ending:
        """What is left to do at the end."""
        if self.left is None:
            self.left = Ending()
        return self.left

    @property
    def policy(self) -> Node:
        """The operation's policy as far as it depends on the row."""
        return self.access.policy

    @property
    def subject(self) -> str | None:
        return self.principal.subject if self.principal else None

    @property
    def scopes(self) -> frozenset[str]:
        return self.principal.scopes if self.principal else NO_SCOPES

    @property
    def only_reads(self) -> bool:
        """Whether it is a batch that changes nothing, and so needs no transaction."""
        operations = self.runtime.operations
        return bool(self.steps) and all(operations[step.operation].reads for step in self.steps)

    @property
    def joins_others(self) -> bool:
        """Whether it is one new row that anybody who calls may write, so that it can share a statement with others."""
        return self.operation.writes_one_row and self.access.policy is ALLOW and not self.access.links


async def browse(run: Execution, reader: Reader) -> Answer:
    """A page of the rows that the policy lets the caller see; by number, or from where a cursor stands."""
    selection = run.selection
    if run.call.export:
        return await _export(run, reader)
    parent = await _visible_parent(run, reader) if run.call.parent is not None else None
    query = _list_query(run)
    bound_to = selection.bound_to if parent is None else selection.bound_to + parent.encode()
    by_cursor = selection.cursor is not None
    position = await _position(run, reader, query, bound_to) if selection.cursor else None
    offset = 0 if by_cursor else (selection.page - 1) * selection.page_size
    arguments = Arguments((selection.page_size, offset, parent, *selection.values), run.asking, position, run.budget)
    rows = await reader.select(
        query if position is None else _behind(run, query, position),
        arguments,
        count=selection.count or not by_cursor,
        resume=True,
    )
    if query.calls:
        rows.documents = await completed(run, reader, query, rows.documents)
    meta: dict[str, Any]
    if by_cursor:
        meta = {"pageSize": selection.page_size, "nextCursor": None}
        if rows.total is not None:
            meta["totalCount"] = rows.total
    else:
        meta = _page_of(selection, rows.total or 0)
    if rows.next is not None:
        meta["nextCursor"] = run.runtime.cursors.write(bound_to, rows.next, selection.order)
    if rows.cut:
        meta["truncated"] = sorted(rows.cut)
    return Answer(documents=rows.documents, meta=meta)


async def read_row(run: Execution, reader: Reader) -> Answer:
    """One row."""
    access, tree = run.access, run.selection.tree
    view = access.view
    if tree is not EMPTY_TREE:
        view = run.runtime.views.of(run.operation.resource, run.principal, access.facts, tree)
    row = await _load(run, reader, view)
    if view.calls:
        (row.document,) = await completed(run, reader, view, [row.document])
    meta = {"truncated": sorted(row.cut)} if row.cut else {}
    version = None if run.operation.resource.version_field is None else _version(run, row)
    return Answer(document=row.document, meta=meta, version=version)


async def insert(run: Execution) -> Answer:
    """A new row that shares a statement, or a transaction, with those of other calls. It keeps the time limit by
    itself: what is not under way by then is not written, and what is, is waited for."""
    resource = run.operation.resource
    row = complete(resource, run.values, run.runtime.new_id, run.runtime.clock)
    # What belongs to this row alone (its events) travels with it here, to be written by the group. A call with an
    # idempotency key does not come here: what it keeps would have to be in the same statement.
    emits = run.operation.emits
    document = await run.runtime.storage.insert(
        resource.name,
        row,
        run.statistics,
        visibility=run.visibility,
        deadline=run.deadline,
        events=NO_EVENTS if emits is None else run.told(emits, encode(resource.prefix, row["id"])),
    )
    return _stored_answer(run, document)


async def create(run: Execution, session: Session) -> Answer:
    """A new row, with all that belongs to it.

    A policy that looks through references is asked only of what the caller may refer to, so that its answer tells
    nothing of another row; one that looks at the row's own values alone is asked first.
    """
    resource = run.operation.resource
    _keep_withheld(run, None)
    if any(isinstance(fact, Through) or len(fact) > 1 for fact in facts_of(run.policy)):
        await refuse_hidden(run.access.links, run.values, session, run.asking, run.scopes)
        await _require_allowed(run, session)
    else:
        await _require_allowed(run, session)
        await refuse_hidden(run.access.links, run.values, session, run.asking, run.scopes)
    change: Change[Any] = Change(run.runtime.data, session, resource, run.values, None, None)
    document = await _apply(run, session, change)
    run.row_id = document["id"]
    return await _row_answer(run, session, document)


async def _require_allowed(run: Execution, session: Session) -> None:
    """Raises `Forbidden` or `Unauthenticated` where the caller may not create the row as it would be."""
    if run.policy is not ALLOW:
        row: Mapping[str, Any] = run.values
        asked = in_order(facts_of(run.policy))
        if any(begins_at(fact)[0] not in row for fact in asked):  # it looks at what the server puts in
            row = prospective(run.runtime.plan, run.operation.resource, row, run.runtime.clock)
        facts = await session.facts(run.operation.resource.name, row, asked, run.asking)
        if not run.operation.check.allows(run.policy, facts, run.asking):
            raise denied(run, facts)


async def change_row(run: Execution, session: Session) -> Answer:
    """A replacement or a merge patch of one row."""
    resource = run.operation.resource
    row = await _load(run, session, run.runtime.views.full(resource, run.access.facts, lock=True))
    _keep_withheld(run, row.document)
    await refuse_hidden(run.access.links, run.values, session, run.asking, run.scopes, row.document)
    await keep_hidden(resource.name, run.access.hiding, run.values, session, run.asking, _digits(run))
    change: Change[Any] = Change(run.runtime.data, session, resource, run.values, row.document, _digits(run))
    document = await _apply(run, session, change)
    facts = await _facts_after(run, session, row, document, also=run.policy)
    if not run.operation.check.allows(run.policy, facts, run.asking):
        raise denied(run, facts)  # nobody can change a row into one that is not theirs; the transaction is rolled back
    if _sees(run, row.facts) or _sees(run, facts):
        return await _row_answer(run, session, document)
    return _id_alone(run, document)


async def delete(run: Execution, session: Session) -> Answer:
    """Removes one row, and what it owns."""
    resource = run.operation.resource
    row = await _load(run, session, run.runtime.views.full(resource, run.access.facts, lock=True))
    if run.operation.function is not None:
        await _call(run, _context(run, session), run.runtime.instances.row(resource, row.document))
    try:
        removed = await session.remove(Remove(resource.name, key_is(0)), (_digits(run),), at=run.runtime.clock.now())
    except StillReferenced as error:
        error.row = (resource.name, _digits(run))
        raise
    if not removed:  # although it was there, and is locked
        raise ConstraintViolated.dropped()
    return Answer()


async def restore(run: Execution, session: Session) -> Answer:
    """Brings a deleted row back, with what was deleted along with it."""
    resource = run.operation.resource
    view = run.runtime.views.full(resource, run.access.facts, lock=True)
    try:
        row = await _load(run, session.with_deleted(), view)
    except (Forbidden, Unauthenticated):
        await _load(run, session, view)  # a deleted row is seen by nobody: for who may not restore it, there is none
        raise
    if not await session.restore(resource.name, _digits(run)):
        raise Conflict(
            f"The {resource.name.lower()} is not deleted", details=[Detail("", "not_deleted", "The row is not deleted")]
        )
    document = await _again(run, session)
    if run.operation.function is not None:
        await _call(run, _context(run, session), run.runtime.instances.row(resource, document))
        document = await _again(run, session)
    return await _changed_answer(run, session, row, document)


async def transition(run: Execution, session: Session) -> Answer:
    """Moves one row from a state to another, by an update that only matches the states it may start from."""
    resource, plan = run.operation.resource, run.operation.plan
    row = await _load(run, session, run.runtime.views.full(resource, run.access.facts, lock=True))
    moved = await _move(run, session)
    if moved is None:
        raise _not_moved(run, row)
    document = {**row.document, **moved}
    if run.operation.function is not None:
        previous = row.document[resource.fields_by_name[str(plan.state_field)].public_name]
        context = _context(run, session, previous_state=previous)
        given = () if plan.input is None else (run.runtime.instances.payload(plan.input, run.values),)
        await _call(run, context, run.runtime.instances.row(resource, document), *given)
        document = await _again(run, session)
        answer = await _changed_answer(run, session, row, document)
        answer.headers = tuple(context.headers.items())
        return answer
    return await _changed_answer(run, session, row, document)


async def custom(run: Execution, reader: Reader) -> Answer:
    """An author's own operation: a POST with a session, a GET with a reader."""
    plan, resource = run.operation.plan, run.operation.resource
    arguments: list[Any] = []
    row = None
    if plan.on_item:
        view = run.runtime.views.full(resource, run.access.facts, lock=not run.operation.reads)
        row = await _load(run, reader, view)
        arguments.append(run.runtime.instances.row(resource, row.document))
    elif run.policy is not ALLOW and not run.operation.check.allows(run.policy, {}, run.asking):
        raise denied(run)
    if plan.input is not None:
        arguments.append(run.runtime.instances.payload(plan.input, run.values))
    if plan.is_paged:
        arguments.append(PageRequest(run.selection.page, run.selection.page_size))
    context = _context(run, reader)
    result = await _call(run, context, *arguments)
    if plan.returns_nothing:
        answer = Answer()
    elif plan.media is not None or plan.redirects:
        answer = own_answer(plan, result)
    elif not plan.gives_own_row:
        answer = await declared_answer(run, reader, result)
    else:
        assert row is not None, "without an output it is about a row"
        answer = await _changed_answer(run, reader, row, await _again(run, reader))
    answer.headers = tuple(context.headers.items())
    return answer


async def declared_answer(run: Execution, reader: Reader, result: Any) -> Answer:
    """What an author's function gives as its output: one, a list, or a page of a list; of payloads, or of rows, of
    which the caller gets what they may read.

    Raises:
        NotFound: it is one row, which the caller may not see.
        RuntimeError: it does not fit the declaration, which is the author's mistake.
    """
    plan = run.operation.plan
    items, total = listed(plan, result, run.selection.page_size)
    if plan.output is not None:
        documents = [run.runtime.data.checks.answer(plan.output, item) for item in items]
        for document in documents:
            run.budget.take(document)
    else:
        documents = await _visible_rows(run, reader, run.runtime.plan.by_name[str(plan.output_rows)], items)
    if plan.output_form == "list":
        return Answer(documents=documents)
    if plan.is_paged:
        return Answer(documents=documents, meta=_page_of(run.selection, total))
    if not documents:
        raise NotFound
    return Answer(document=documents[0])


def _page_of(selection: Selection, total: int) -> dict[str, Any]:
    """What is told of a page that is asked for by its number."""
    size = selection.page_size
    return {"page": selection.page, "pageSize": size, "totalCount": total, "totalPages": -(-total // size)}


async def _visible_rows(run: Execution, reader: Reader, resource: ResourcePlan, items: Sequence[Any]) -> list[Document]:
    """The rows that a function names, in its order, as far as the caller may read them."""
    instances = run.runtime.instances
    digits = [instances.digits(resource.name, getattr(item, "id", item)) for item in items]
    view = run.runtime.views.of(resource, run.principal)
    policy = fold_for(resource.seeing, run.principal)
    if not digits or policy is DENY:
        return []
    query = replace(view, where=every((Compare(("id",), "in", 0), policy)))
    rows = await reader.select(query, Arguments((digits,), run.asking, budget=run.budget))
    if query.calls:
        rows.documents = await completed(run, reader, query, rows.documents)
    by_id = {document["id"]: document for document in rows.documents}
    named = (encode(resource.prefix, each) for each in digits)
    return [by_id[each] for each in named if each in by_id]


READS: dict[OperationKind, Callable[[Execution, Reader], Awaitable[Answer]]] = {
    "browse": browse,
    "read": read_row,
    "custom": custom,
}

CHANGES: dict[OperationKind, Callable[[Execution, Session], Awaitable[Answer]]] = {
    "create": create,
    "replace": change_row,
    "update": change_row,
    "delete": delete,
    "restore": restore,
    "transition": transition,
    "custom": custom,
}


def fill_in_caller(run: Execution) -> None:
    """Fills in references whose default is the caller; they are required if the caller's id does not fit."""
    kept = run.operation.plan.kind == "replace"
    for default in run.operation.caller_defaults:
        if run.values.get(default.name) is not None or (kept and default.name in run.withheld):
            continue
        digits = _own_id(run, default)
        if digits is None and not default.nullable:
            message = "The default of this field is the caller, but your token does not identify a valid one"
            message += "" if default.write == "never" else ": send a value"
            raise Unprocessable(message, details=[Detail(default.public_name, "caller_not_usable", message)])
        run.values[default.name] = digits


def caller_defaults(run: Execution, operation: BoundOperation) -> dict[str, str | None]:
    """What an operation fills in for references whose default is the caller."""
    return {default.name: _own_id(run, default) for default in operation.caller_defaults}


def _own_id(run: Execution, default: FieldPlan) -> str | None:
    return decode(run.runtime.plan.by_name[str(default.references)].prefix, run.subject or "")


def denied(run: Execution, facts: Facts | None = None) -> Forbidden | Unauthenticated:
    """What a caller is told who may not do this: to say who they are, or that they may not, and why, where the policy
    has names for that.

    Args:
        facts: of the row, where the caller may know of it.
    """
    if run.principal is None:
        return Unauthenticated()
    judge = Judge(run.operation.check, run.principal, run.asking, facts)
    unmet = judge.clause(run.operation.plan.policy).unmet()
    return Forbidden(details=[Detail("", policy.name, policy.text) for policy in unmet])


def hidden() -> NotFound:
    """What a caller is told of a row that exists and that they may not see. The log alone knows the difference."""
    return NotFound(log={HIDDEN: True})


# -- parts


async def _move(run: Execution, session: Session) -> Document | None:
    """The row in its new state; None where it is in none of the states that the transition starts from."""
    resource, plan = run.operation.resource, run.operation.plan
    state = str(plan.state_field)
    changes = stamp(resource, {state: plan.target}, run.runtime.clock)
    modify = Modify(
        resource.name,
        every((key_is(0), Compare((state,), "in", Constant(plan.sources)))),
        tuple(Assignment(name, "set", slot) for slot, name in enumerate(changes, start=1)),
        tuple(field.name for field in resource.fields),
    )
    _, documents = await session.modify(modify, (_digits(run), *changes.values()))
    return documents[0] if documents else None


async def _apply(run: Execution, session: Session, change: Change[Any]) -> Document:
    if run.operation.function is None:
        return await change.write()
    await _call(run, _context(run, session), change)
    if change.document is None:
        name = run.operation.function.__name__
        raise RuntimeError(
            f"{name} returned without applying the change: end it with `return await change.apply()`, "
            "or raise an error to reject the change"
        )
    return change.document


def _keep_withheld(run: Execution, document: Document | None) -> None:
    """Completes the items of the input with what the caller may not see or set; `document`: the row as it is."""
    guards = run.operation.input.guards if run.operation.input is not None else None
    if guards is None:
        return
    data, plan = run.runtime.data, run.runtime.newest

    def present(each: ListMember) -> list[dict[str, Any]]:
        name = run.operation.resource.relations_by_name[each.name].public_name
        items: list[Document] = [] if document is None else document[name]
        return data.instances.written_rows(plan.by_name[each.target], items)

    guards.keep(run.values, run.scopes, present)


async def _facts_after(
    run: Execution, reader: Reader, before: Row, after: Document, *, also: Node = ALLOW
) -> Mapping[Fact, Any]:
    """What the policy for seeing the row, and another one, look at in a row that was changed.

    Raises:
        NotFound: an author's function has deleted it.
    """
    resource, facts = run.operation.resource, facts_of(run.access.seeing) | facts_of(also)
    paths = [fact for fact in facts if not isinstance(fact, Through)]
    looked_at = {resource.fields_by_name[path[0]].public_name for path in paths}
    into_lists = len(paths) < len(facts)
    # What a function has changed besides can be anything that a policy looks at; without one it is in the row.
    if not facts or (run.operation.function is None and not into_lists and before.document == after):
        return before.facts
    unchanged = (
        run.operation.function is None
        and not into_lists
        and all(before.document[name] == after[name] for name in looked_at)
    )
    if unchanged and not any(_comes_back(run.runtime.newest, resource, path) for path in paths):
        return before.facts
    row = await reader.get(
        Select(resource.name, ("id",), facts=in_order(facts)), _digits(run), Arguments(asking=run.asking)
    )
    if row is None:
        raise NotFound
    return row.facts


def _comes_back(plan: Plan, resource: ResourcePlan, path: Path) -> bool:
    """Whether a path leads to a row of the same resource, which may be the very row that was changed."""
    at = resource
    for name in path[:-1]:
        at = plan.by_name[str(at.fields_by_name[name].references)]
        if at.name == resource.name:
            return True
    return False


def _sees(run: Execution, facts: Mapping[Fact, Any]) -> bool:
    return run.access.seeing is ALLOW or run.operation.check.allows(run.access.seeing, facts, run.asking)


async def _changed_answer(run: Execution, reader: Reader, before: Row, document: Document) -> Answer:
    """A row that was there before, for a caller who may read it as it was or as it is; others get its id."""
    if _sees(run, before.facts) or _sees(run, await _facts_after(run, reader, before, document)):
        return await _row_answer(run, reader, document)
    return _id_alone(run, document)


def _id_alone(run: Execution, document: Document) -> Answer:
    """What a caller is answered who may do this, but not read the row."""
    return Answer(document={"id": document["id"]})


async def load_row(run: Execution, reader: Reader) -> Row:
    """What the policy looks at in the row of a call. Raises as `_load`."""
    return await _load(run, reader, Select(run.operation.resource.name, ("id",), facts=in_order(run.access.facts)))


async def _load(run: Execution, reader: Reader, view: Select) -> Row:
    """The row that the call is about.

    Raises:
        NotFound: there is none, or the caller may not see it.
        Forbidden, Unauthenticated: the caller sees it, but may not do this with it.
        PreconditionFailed: it is not in the version that the call is about.
    """
    digits = decode(run.operation.resource.prefix, run.call.id or "")
    arguments = NO_ARGUMENTS
    if run.access.into_lists or view.computed:
        arguments = Arguments(asking=run.asking)
    if view.relations:  # what is read for the service's own use is no answer, and owned lists have a length
        budget = run.budget if run.operation.reads else None
        arguments = Arguments((None, None, None, *run.selection.values), run.asking, budget=budget)
    allow = None if run.access.policy is ALLOW else partial(_require_row_allowed, run)
    row = await reader.get(view, digits, arguments, allow=allow) if digits is not None else None
    if row is None and view.lock and run.runtime.plan.external and digits is not None:
        # row security may show a row that it lets nobody lock
        row = await reader.get(replace(view, lock=False), digits, arguments, allow=allow)
        if row is not None:
            raise Forbidden(log={"database": "the row can be read, but not locked: row level security"})
    if row is None:
        raise NotFound
    if run.call.precondition is not None and not run.call.precondition.holds(_version(run, row)):
        raise PreconditionFailed
    return row


def _require_row_allowed(run: Execution, facts: Mapping[Fact, Any]) -> None:
    """Raises `Forbidden`, `Unauthenticated` or `NotFound` where the caller may not do this with a row."""
    check = run.operation.check
    if not check.allows(run.access.policy, facts, run.asking):
        raise denied(run, facts) if check.allows(run.access.seeing, facts, run.asking) else hidden()


def _version(run: Execution, row: Row) -> int | None:
    field = run.operation.resource.version_field
    return None if field is None else row.facts[(field.name,)]


def _list_query(run: Execution) -> Select:
    """The list that is requested. Equal requests get the same object, so that the cached statement is found quickly."""
    selection, access = run.selection, run.access
    parent = run.call.parent[:2] if run.call.parent else None
    key = (selection.conditions, selection.order, parent, selection.tree)
    found = access.shapes.get(key)
    if found is not None:
        return found
    view = run.runtime.views.of(run.operation.resource, run.principal, tree=selection.tree)
    under = () if parent is None else (Under(*parent, PARENT),)
    query = replace(
        view,
        where=every((*selection.conditions, access.policy, *under)),
        order=selection.order,
        limit=LIMIT,
        offset=OFFSET,
    )
    if run.call.query.size <= KEPT_CHARACTERS_MAX:
        if len(access.shapes) >= KEPT_MAX:
            access.shapes.clear()
        access.shapes[key] = query
    return query


async def _export(run: Execution, reader: Reader) -> Answer:
    """The whole list, in parts that are read when they are asked for."""
    selection, plan, resource = run.selection, run.runtime.plan, run.operation.resource
    details = [
        Detail(name, "invalid_parameter", "An export always contains the whole list; leave this parameter out")
        for name in selection.paging
    ]
    query = replace(_list_query(run), limit=None, offset=None)
    cut = _cut_relation(plan, query)
    if cut is not None:
        message = f"An export cannot include {cut}, because long lists would be truncated: export {cut} separately"
        details.append(Detail("include", "invalid_parameter", message))
    if details:
        raise Invalid("Invalid parameters", details=details)
    parent = await _visible_parent(run, reader) if run.call.parent is not None else None
    fields = [resource.shown_by_name[name] for name in query.shown]
    relations = [resource.relations_by_name[nested.relation].public_name for nested in query.relations]
    return Answer(
        parts=_parts(
            run,
            reader,
            query,
            Arguments((None, None, parent, *selection.values), run.asking, budget=run.budget),
        ),
        columns=(
            *((field.public_name, KINDS[field.kind].free_text) for field in fields),
            *((name, True) for name in relations),
        ),
    )


async def _parts(run: Execution, reader: Reader, query: Select, arguments: Arguments) -> AsyncGenerator[list[Document]]:
    statistics = Statistics(0, run.observation.timings)
    seconds = run.operation.plan.timeout_seconds or EXPORT_PART_SECONDS
    try:
        async with aclosing(
            run.runtime.storage.export(query, arguments, statistics, visibility=run.visibility)
        ) as parts:
            while True:
                async with asyncio.timeout(seconds):
                    part = await anext(parts, None)
                    if part and query.calls:
                        part = await completed(run, reader, query, part)
                if part is None:
                    return
                yield part
    except TimeoutError as error:
        raise Timeout(log={"timeoutSeconds": seconds}) from error
    finally:
        run.observation.statements += statistics.statements


def _cut_relation(plan: Plan, query: Select) -> str | None:
    """A relation of the query that is given only in part where it is long."""
    for nested in query.relations:
        relation = plan.by_name[query.resource].relations_by_name[nested.relation]
        if nested.most is not None:
            return relation.public_name
        if below := _cut_relation(plan, nested.query):
            return below
    return None


def _behind(run: Execution, query: Select, position: Position) -> Select:
    """The list from behind a position on; the same object again, as with whole lists."""
    kept, key = run.access.shapes, (query, tuple([value is None for value in position]))
    found = kept.get(key)
    if found is None:
        if len(kept) >= KEPT_MAX:
            kept.clear()
        found = kept[key] = query.behind(position)
    return found


async def _position(run: Execution, reader: Reader, query: Select, bound_to: bytes) -> Position:
    """Where the cursor of a call stands. Of a position that was too long for it, the whole is that of its row, as long
    as that is where it was; else the list goes on from the part that the cursor holds.

    Raises:
        Invalid: it is no cursor of this list.
    """
    try:
        place = run.runtime.cursors.read(bound_to, run.selection.cursor or "")
    except ValueError:
        message = (
            "This is not a valid cursor for this list: send meta.nextCursor unchanged, with the same sort and filters, "
            "or start again with an empty cursor"
        )
        raise Invalid("Invalid parameters", details=[Detail("cursor", "invalid_cursor", message)]) from None
    if place.digest is None:
        return place.position
    whole = await reader.position_now(query, place.position)
    return whole if whole is not None and digest_of(whole) == place.digest else place.position


async def _visible_parent(run: Execution, reader: Reader) -> str:
    """The id of the row that a nested list is under.

    Raises:
        NotFound: the caller may not see it.
        Forbidden, Unauthenticated: nor which rows refer to which.
    """
    assert run.call.parent is not None
    name, relation, sent = run.call.parent
    parent = run.runtime.plan.by_name[name]
    reference = run.runtime.newest.reference_of(parent, parent.relations_by_name[relation])
    if reference is not None and not holds_scope(reference, run.scopes):
        raise Unauthenticated if run.principal is None else Forbidden
    policy = fold_for(parent.seeing, run.principal)
    if policy is DENY:
        raise Unauthenticated if run.principal is None else Forbidden
    digits = decode(parent.prefix, sent)
    check = run.runtime.checks[name]
    query = Select(name, ("id",), facts=in_order(facts_of(policy)))
    row = await reader.get(query, digits, Arguments(asking=run.asking)) if digits is not None else None
    if digits is None or row is None or not check.allows(policy, row.facts, run.asking):
        raise NotFound
    return digits


async def _again(run: Execution, reader: Reader) -> Document:
    """The row as it now is, after an author's function may have changed it."""
    row = await reader.get(run.runtime.views.full(run.operation.resource), _digits(run))
    if row is None:
        raise NotFound
    return row.document


async def _row_answer(run: Execution, reader: Reader, document: Document) -> Answer:
    """The operation's row as it now is, as the caller may see it; what is computed of it is read again."""
    answer, view = _stored_answer(run, document), run.access.computes
    if view is not None:
        digits = decode(run.operation.resource.prefix, document["id"])
        assert digits is not None, "the row has an id of its own"
        row = await reader.get(view, digits, Arguments(asking=run.asking))
        if row is None:
            raise NotFound
        answer.document = row.document
        if view.calls:
            (answer.document,) = await completed(run, reader, view, [row.document])
    return answer


async def completed(run: Execution, reader: Reader, query: Select, documents: list[Document]) -> list[Document]:
    """The rows of a query with what authors' functions compute of them."""
    runtime = run.runtime
    assert runtime.computing is not None, "a contract with such a field has its function"
    context = Context(runtime.data, run.principal, reader, run.observation.logger(), reads_only=True)
    # a document of a change is counted as a whole, and an export, which has begun, must not break off
    budget = run.budget if run.operation.reads and not run.call.export else None
    return await runtime.computing.complete(runtime.data, query, documents, context, budget)


def _stored_answer(run: Execution, document: Document) -> Answer:
    """The same of what is stored alone."""
    field = run.operation.resource.version_field
    version = None if field is None else document[field.public_name]
    return Answer(document=_visible(run, document), version=version)


def _visible(run: Execution, document: Document) -> Document:
    """Takes out what the caller may not see; what was read for the service's own use holds every field."""
    if run.access.sees_all:
        return document
    return _only(run.access.view, run.operation.resource, document, run.runtime)


def _only(view: Select, resource: ResourcePlan, document: Document, runtime: Runtime) -> Document:
    names = [resource.fields_by_name[name].public_name for name in view.fields]
    kept = {name: document[name] for name in names if name in document}
    for nested in view.relations:
        relation = resource.relations_by_name[nested.relation]
        target = runtime.newest.by_name[relation.target]
        kept[relation.public_name] = [
            _only(nested.query, target, item, runtime) for item in document.get(relation.public_name, [])
        ]
    return kept


def _not_moved(run: Execution, row: Row) -> WrongState | ConstraintViolated:
    resource, plan = run.operation.resource, run.operation.plan
    field = resource.fields_by_name[str(plan.state_field)]
    if row.document[field.public_name] in plan.sources:  # it is locked: the database has dropped the change
        return ConstraintViolated.dropped()
    told = can_see(field, run.scopes) and _sees(run, row.facts)
    return WrongState(resource, field, row.document[field.public_name] if told else None, plan.sources)


def _digits(run: Execution) -> str:
    digits = decode(run.operation.resource.prefix, run.call.id or "")
    assert digits is not None, "the row was loaded by this id"
    return digits


async def _call(run: Execution, context: Context, *arguments: Any) -> Any:
    """Calls the author's function, with what is provided for it."""
    function, needs = run.operation.function, run.operation.injected
    assert function is not None, "only an operation with a function comes here"
    if not needs:
        return await function(context, *arguments)
    providers = CallProviders(run.runtime.providers, context)
    run.ending.provided(providers)
    return await function(context, *arguments, **await providers.arguments(needs))


def _context(run: Execution, reader: Reader, *, previous_state: str | None = None) -> Context:
    model, log = run.runtime.data, run.observation.logger()
    headers = OwnHeaders(tuple(name for name, _ in run.operation.plan.headers))
    if run.operation.plan.uses_request:
        return HttpContext(model, run.principal, reader, log, previous_state, run.later, headers, run.call.exchange)
    return Context(model, run.principal, reader, log, previous_state, run.later, headers)
