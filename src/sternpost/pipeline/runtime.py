"""Everything a running service needs, put together once at start from the plan and its drivers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sternpost.clock import Clock
from sternpost.data.backoff import Backoff
from sternpost.data.computing import ComputedKey, Computing
from sternpost.data.hooks import Hooks
from sternpost.data.instances import Instances
from sternpost.data.model import DataModel
from sternpost.data.providers import AppProviders, Injected, Needs
from sternpost.deadline import Alarms
from sternpost.ids import NewId
from sternpost.pipeline.authorize import ALLOW, DENY, RowCheck, decided, fold_for, questions, row_check
from sternpost.pipeline.cursors import Cursors
from sternpost.pipeline.inputs import Input, Inputs
from sternpost.pipeline.keys import NO_DEPENDENCE, Depends, Keys, depends_of, seed_of
from sternpost.pipeline.limits import BoundLimits, LimitBinder, Limiter
from sternpost.pipeline.links import Link, links_of
from sternpost.pipeline.list_query import ListQuery
from sternpost.pipeline.overrides import LimitOverrides
from sternpost.pipeline.selection import Selection, Selector
from sternpost.pipeline.translation import NO_CONVERSIONS, Conversions, Translation
from sternpost.pipeline.views import Views
from sternpost.plan.caller import OfCaller
from sternpost.plan.model import FieldPlan, OperationPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import DENY as DENIED
from sternpost.plan.policy import CallerIs, PolicyNode, fold
from sternpost.plan.query import Fact, Node, Path, Select, Through, facts_of
from sternpost.plan.shapes import WRITABLE
from sternpost.ports.authenticator import NO_SCOPES, Authenticator, Principal
from sternpost.ports.budget import Budget
from sternpost.ports.limits import LimitStore
from sternpost.ports.storage import NO_TENANT, Storage, Visibility
from sternpost.telemetry.measured import Tally

Function = Callable[..., Awaitable[Any]]


ANSWER_ROWS_MAX = 50_000
"""Rows that the relations of one answer may hold, each counted as often as it occurs."""

ANSWER_BYTES_MAX = 8_000_000
"""Bytes that an answer may have, where nothing else is set."""

ACCESS_MAX = 1000
"""Sets of scopes whose access is kept."""

NO_ROWS = ResourcePlan(
    name="",
    table="",
    path="",
    prefix="",
    description="",
    owner_field=None,
    owned_by=None,
    position_column=None,
    fields=(),
    relations=(),
    operations=(),
    unique_together=(),
)
"""What an operation is about that is about no resource."""

ANYBODY = Principal("", NO_SCOPES)
"""A caller who is known, and has no scope and no claim."""


@dataclass(frozen=True, slots=True)
class Access:
    """What an operation is for all callers with the same rights.

    Attributes:
        policy: the operation's policy, as far as it depends on the row. `ALLOW` and `DENY` are the very constants.
        seeing: the same for whether a row exists for the caller at all.
        refused: whether it is refused whatever the row, so that saying so tells nothing about one.
        facts: what the two look at.
        into_lists: whether they look into lists, so that the database is told who asks.
        view: what the caller gets to see, without relations.
        sees_all: whether that is everything.
        computes: what to read again of a row that was written, because a part of what the caller gets is computed then;
            None where all of it is stored.
        selections: what was asked for before, checked.
        shapes: lists that came before.
        links: the references of an input, with what each asks of the row; without those that anybody may refer to.
        hiding: the lists of ids of rows that may be hidden from the caller, with what a row must be not to be.
        privileged: whether scopes, or claims, let these callers do more than everybody who is known; of an audited
            operation.
    """

    policy: Node
    seeing: Node
    refused: bool
    facts: frozenset[Fact]
    into_lists: bool
    view: Select
    sees_all: bool
    computes: Select | None
    selections: dict[ListQuery, Selection]
    shapes: dict[Hashable, Select]
    links: tuple[tuple[Link, Node], ...]
    hiding: tuple[tuple[Link, Node], ...]
    privileged: bool


@dataclass(frozen=True, slots=True)
class BoundOperation:
    """An operation with all that its calls need, so that a call decides nothing twice.

    Attributes:
        resource: the one it is about; `NO_ROWS` for a batch.
        seconds: how long a call may take; None for no limit.
        reads: whether it changes nothing, and so needs no transaction.
        needs_caller: without credentials it is refused, whatever the row.
        seeing: the policy that says which rows there are for a caller, that of the same version of the API.
        input: None where it takes no body, or one that is no data of a resource.
        caller_defaults: the references that an input may leave out, where the caller is who is meant.
        function: the author's, or None.
        writes_one_row: a creation that is one row and nothing else, and whose answer cannot fail, so that it may share
            a statement, and the commit, with others.
        links: the references of its input.
        tried_again: whether it may run once more after a conflict in the database.
        hooks: None where it has none.
        emits: the events of its changes; None where it has none.
        audited: whether each call, or a step of a batch, is told with who called.
        injected: parameters of the function that are provided; empty for none.
        translation: for an operation of an older version; None for one whose words are those of the newest.
    """

    plan: OperationPlan
    resource: ResourcePlan
    seconds: float | None
    reads: bool
    needs_caller: bool
    seeing: PolicyNode
    check: RowCheck
    selector: Selector
    input: Input | None
    caller_defaults: tuple[FieldPlan, ...]
    function: Function | None
    writes_one_row: bool
    views: Views
    links: tuple[Link, ...] = ()
    tried_again: bool = True
    translation: Translation | None = None
    tenanted: ResourcePlan | None = None
    """Whose field says whose its rows are; None where they are everybody's."""
    hooks: Hooks | None = None
    emits: tuple[str, ...] | None = None
    audited: bool = False
    injected: Needs = ()
    limits: BoundLimits | None = None
    """Its rate limits; None where it has none."""
    depends: Depends = NO_DEPENDENCE
    """What of a caller its answer depends on; of a change."""
    key_seed: Any = None
    """What the ids of its idempotency keys begin with; of a change."""
    keys_first: bool = False
    """Whether its idempotency key is looked up before its input is validated: nothing that has to happen for a replay,
    too, looks at the input."""
    needs_key: bool = False
    """Whether it, or a step that it may have, has to come with an idempotency key."""
    asks: tuple[OfCaller | CallerIs, ...] | None = None
    """What policies ask of callers, beside their ids and scopes; None where that is nothing."""
    runs_own_code: bool = False
    """Whether something of the author's runs for it: a function, a hook, or what computes a field of its answer."""
    _access: dict[Hashable, Access] = field(default_factory=lambda: {})

    @property
    def looks_at_http(self) -> bool:
        """Whether something of the author's may look at the request of HTTP."""
        return self.plan.http_only or self.hooks is not None

    def access(self, principal: Principal | None) -> Access:
        """What the operation is for this caller; decided for the first with these scopes, and with as much of what else
        policies ask for."""
        rights: Hashable = None if principal is None else principal.scopes
        if self.asks is not None and principal is not None:
            rights = (rights, tuple([decided(principal, asked) for asked in self.asks]))
        found = self._access.get(rights)
        if found is None:
            if len(self._access) >= ACCESS_MAX:
                self._access.clear()
            found = self._access[rights] = self._decide(principal)
        return found

    def _decide(self, principal: Principal | None) -> Access:
        policy = fold_for(self.plan.policy, principal)
        seeing = fold_for(self.seeing, principal)
        refused = policy is DENY and (seeing is DENY or not self.plan.on_item)
        facts = facts_of(policy) | facts_of(seeing) | _version(self.resource, self.plan)
        no_rows = self.resource is NO_ROWS
        view = Select("", ()) if no_rows else self.views.of(self.resource, principal, facts)
        sees_all = no_rows or self.views.is_whole(view)
        links = ((link, fold_for(link.policy, principal)) for link in self.links)
        checked = tuple((link, node) for link, node in links if node is not ALLOW)
        known = ((link, fold_for(link.known, principal)) for link in self.links if link.relation.kind == "linked")
        hiding = tuple((link, node) for link, node in known if node is not ALLOW)
        into_lists = any(isinstance(fact, Through) for fact in facts)
        computes = replace(view, facts=()) if view.computes else None
        privileged = self.audited and principal is not None and policy != fold_for(self.plan.policy, ANYBODY)
        own: tuple[dict[ListQuery, Selection], dict[Hashable, Select]] = {}, {}
        return Access(
            policy, seeing, refused, facts, into_lists, view, sees_all, computes, *own, checked, hiding, privileged
        )


class Runtime:
    """A plan, bound to storage, authentication, time and randomness."""

    def __init__(
        self,
        plan: Plan,
        classes: Mapping[str, type],
        functions: Mapping[str, Function],
        *,
        storage: Storage,
        authenticator: Authenticator,
        clock: Clock,
        new_id: NewId,
        cursor_key: bytes,
        newest: Plan | None = None,
        conversions: Conversions = NO_CONVERSIONS,
        timeout_seconds: float | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        hooks: Mapping[str, Hooks] | None = None,
        injected: Mapping[str, Needs] | None = None,
        providers: AppProviders | None = None,
        computing: Mapping[ComputedKey, Injected] | None = None,
        limits: LimitStore | None = None,
        keys: Keys | None = None,
        overrides: LimitOverrides | None = None,
        decisions: Tally | None = None,
    ) -> None:
        self.plan = plan
        self.timeout_seconds = timeout_seconds
        self.answer_bytes_max = answer_bytes_max
        """How long an operation may take that says nothing of that; None for no limit."""
        self.hooks = hooks or {}
        self.injected = injected or {}
        self.providers = providers or AppProviders()
        self.alarms = Alarms()
        self.newest = newest or plan
        self.versioned = plan.api_version if newest else None
        self.gone_at = first_instant(plan.sunset) if plan.sunset and plan.gone_after_sunset else None
        """From when on nothing of this version is served; None for no such time."""
        self.storage = storage
        self.keys = keys
        """The idempotency keys of changes; None where none are kept."""
        self.authenticator = authenticator
        self.clock = clock
        self.new_id = new_id
        self.cursors = Cursors(cursor_key)
        self.views = Views(plan, self.newest)
        self.inputs = Inputs(plan)
        self.limiter = None if limits is None else Limiter(limits, clock, overrides, decisions=decisions)
        """What counts calls; None where nothing has a limit."""
        self._limits = None if self.limiter is None else LimitBinder(plan, self.limiter, self.inputs)
        self.instances = Instances(self.newest, classes)
        self.backoff = Backoff()
        self.computing = Computing(computing, self.providers) if computing else None
        self.data = DataModel(self.newest, self.instances, storage, clock, new_id, self.computing)
        self._computing_in = leading_to(
            plan, {name for name, _ in self.computing.functions} if self.computing else set()
        )
        older = newest is not None and newest is not plan
        self.translation = Translation(plan, self.newest, conversions, self.data.checks) if older else None
        plans = {plan.api_version: plan, self.newest.api_version: self.newest}
        self.asks_now = any(each.asks_now for each in plans.values())
        self.questions = questions(plans.values()) or None
        self.checks = {resource.name: row_check(plan, resource) for resource in plan.resources}
        self.operations = {
            operation_id: self._bind(resource, operation, functions.get(operation_id))
            for operation_id, (resource, operation) in plan.operations.items()
        }
        if plan.batch is not None:
            self.operations[plan.batch.id] = self._bind_batch(plan.batch)

    def _bind(self, resource: ResourcePlan, operation: OperationPlan, function: Function | None) -> BoundOperation:
        seconds, reads = operation.timeout_seconds or self.timeout_seconds, self._input(resource, operation)
        limits = self._limits and self._limits.bind(resource, operation, reads, seconds)
        return BoundOperation(
            plan=operation,
            resource=self.newest.by_name[resource.name],
            seconds=seconds,
            reads=operation.method == "GET",
            needs_caller=fold(operation.policy, known=False, scopes=NO_SCOPES, decide=lambda asked: False) == DENIED,
            seeing=resource.seeing,
            check=self.checks[resource.name],
            selector=Selector(resource, operation, self.inputs, self.views),
            input=reads,
            caller_defaults=_caller_defaults(self.newest.by_name[resource.name], operation),
            function=function,
            writes_one_row=operation.kind == "create"
            and function is None
            and operation.id not in self.hooks
            and not self.newest.external  # a row that no answer can be made of is undone
            and not resource.computed  # the answer is read again
            and not resource.shape.lists
            and resource.name not in self.newest.audited
            and not self.newest.checked_references(self.newest.by_name[resource.name])
            and not (self.translation is not None and self.translation.converts(resource.name)),
            views=self.views,
            links=links_of(self.newest, resource.name, self.plan) if operation.kind in WRITABLE else (),
            tried_again=function is None or operation.retry_safe,
            translation=self.translation,
            tenanted=self._tenanted(resource.name),
            hooks=self.hooks.get(operation.id),
            emits=operation.emits or None,
            audited=operation.audited,
            injected=self.injected.get(operation.id, ()),
            depends=depends_of(self.plan, self.newest, resource.name, operation),
            key_seed=seed_of(self.plan.api_version, operation.id),
            keys_first=operation.method != "GET"
            and operation.id not in self.hooks
            and (limits is None or not limits.at_valid),
            needs_key=operation.idempotency == "required",
            asks=self.questions,
            runs_own_code=function is not None or operation.id in self.hooks or resource.name in self._computing_in,
            limits=limits,
        )

    def _bind_batch(self, batch: OperationPlan) -> BoundOperation:
        """Bound after all others: it needs a caller where each of its steps would."""
        steps = [found for found in self.operations.values() if found.plan.in_batches]
        return BoundOperation(
            plan=batch,
            resource=NO_ROWS,
            seconds=self.timeout_seconds,
            reads=False,
            needs_caller=all(found.needs_caller for found in steps),
            seeing=NO_ROWS.seeing,
            check=row_check(self.plan, NO_ROWS),
            selector=Selector(NO_ROWS, batch, self.inputs, self.views),
            input=None,
            caller_defaults=(),
            function=None,
            writes_one_row=False,
            views=self.views,
            limits=self._limits and self._limits.bind(NO_ROWS, batch, None, self.timeout_seconds),
            depends=Depends.together(found.depends for found in self.operations.values()),
            key_seed=seed_of(self.plan.api_version, batch.id),
            needs_key=any(found.needs_key for found in steps),
            runs_own_code=any(found.runs_own_code for found in steps),
            audited=any(found.audited for found in steps),
        )

    def _tenanted(self, name: str) -> ResourcePlan | None:
        resource = self.newest.by_name[name]
        if name not in self.newest.tenanted or resource.tenant is not None:
            return resource if name in self.newest.tenanted else None
        return self._tenanted(str(resource.owned_by))

    def budget(self) -> Budget:
        """How large an answer may become."""
        return Budget(ANSWER_ROWS_MAX, self.answer_bytes_max)

    def visibility(self, principal: Principal | None) -> Visibility:
        """Which rows of tenants there are for a caller."""
        if principal is None or principal.tenant is None or not self.newest.tenanted:
            return NO_TENANT
        return Visibility(principal.tenant)

    def _input(self, resource: ResourcePlan, operation: OperationPlan) -> Input | None:
        found = self.inputs.of(resource, operation)
        if found is None or self.translation is None or operation.kind == "custom":
            return found
        return replace(found, upgrade=self.translation.upgrade(resource, creating=operation.kind == "create"))

    def nested(self, relation: RelationPlan) -> BoundOperation | None:
        """The list operation behind `…/:id/relation`, or None where the target has no list."""
        found = self.plan.by_name[relation.target].listing
        return self.operations[found.id] if found and relation.nested_route else None


def leading_to(plan: Plan, names: AbstractSet[str]) -> AbstractSet[str]:
    """The resources with these names, and those from whose rows relations lead to rows of them."""
    found = set(names)
    while names:
        names = {
            resource.name
            for resource in plan.resources
            if resource.name not in found and any(relation.target in found for relation in resource.relations)
        }
        found |= names
    return found


def first_instant(day: str) -> datetime:
    """The first instant of a day in UTC; the day as ISO 8601 writes it."""
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def _caller_defaults(resource: ResourcePlan, operation: OperationPlan) -> tuple[FieldPlan, ...]:
    names = operation.takes.from_caller if operation.takes is not None else ()
    return tuple(resource.fields_by_name[name] for name in names)


def _version(resource: ResourcePlan, operation: OperationPlan) -> frozenset[Path]:
    """What an operation on one row reads to know its version, whether or not the caller asks for that field."""
    field = resource.version_field
    return frozenset({(field.name,)}) if field is not None and operation.on_item else frozenset()
