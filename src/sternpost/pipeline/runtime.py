"""Everything a running service needs, put together once at start from the plan and its drivers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sternpost.clock import Clock
from sternpost.data.instances import Instances
from sternpost.data.model import DataModel
from sternpost.ids import NewId
from sternpost.pipeline.authorize import DENY, RowCheck, fold_for, row_check
from sternpost.pipeline.call import ListParameter
from sternpost.pipeline.cursors import Cursors
from sternpost.pipeline.inputs import Input, Inputs
from sternpost.pipeline.selection import Selection, Selector
from sternpost.pipeline.translation import NO_CONVERSIONS, Conversions, Translation
from sternpost.pipeline.views import Views
from sternpost.plan.model import OperationPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.policy import DENY as DENIED
from sternpost.plan.policy import fold, paths
from sternpost.plan.query import Node, Path, Select
from sternpost.plan.query import paths as row_paths
from sternpost.ports.authenticator import Authenticator, Principal
from sternpost.ports.storage import NO_TENANT, Storage, Visibility

Function = Callable[..., Awaitable[Any]]


ACCESS_MAX = 1000
"""Sets of scopes whose access is kept."""


@dataclass(frozen=True, slots=True)
class Access:
    """What an operation is for all callers with the same scopes.

    Attributes:
        policy: the operation's policy, as far as it depends on the row. `ALLOW` and `DENY` are the very constants.
        seeing: the same for whether a row exists for the caller at all.
        facts: what the two look at.
        view: what the caller gets to see, without relations.
        selections: checked parameters that came before, by what was sent.
        shapes: lists that came before.
    """

    policy: Node
    seeing: Node
    facts: frozenset[Path]
    view: Select
    selections: dict[tuple[ListParameter, ...], Selection]
    shapes: dict[Hashable, Select]


@dataclass(frozen=True, slots=True)
class BoundOperation:
    """An operation with all that its calls need, so that a call decides nothing twice.

    Attributes:
        needs_caller: without credentials it is refused, whatever the row.
        facts: what its policy, and that for seeing a row, look at.
        input: None where it takes no body.
        function: the author's, or None.
        writes_one_row: a creation that is one row and nothing else, so that it needs no transaction around it. With a
            timeout it has one: what is given up must be rolled back.
    """

    plan: OperationPlan
    resource: ResourcePlan
    needs_caller: bool
    facts: frozenset[Path]
    check: RowCheck
    selector: Selector
    input: Input | None
    function: Function | None
    writes_one_row: bool
    views: Views
    tenanted: ResourcePlan | None = None
    """Whose field says whose its rows are; None where they are everybody's."""
    _access: dict[frozenset[str] | None, Access] = field(default_factory=dict[frozenset[str] | None, Access])

    def access(self, principal: Principal | None) -> Access:
        """What the operation is for this caller; decided for the first with these scopes."""
        scopes = None if principal is None else principal.scopes
        found = self._access.get(scopes)
        if found is None:
            if len(self._access) >= ACCESS_MAX:
                self._access.clear()
            found = self._access[scopes] = self._decide(principal)
        return found

    def _decide(self, principal: Principal | None) -> Access:
        policy = fold_for(self.plan.policy, principal)
        seeing = fold_for(self.resource.reading.policy, principal) if self.resource.reading else DENY
        facts = row_paths(policy) | row_paths(seeing) | _version(self.resource, self.plan)
        return Access(policy, seeing, facts, self.views.of(self.resource, principal, facts), {}, {})


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
    ) -> None:
        self.plan = plan
        self.newest = newest or plan
        self.versioned = plan.api_version if newest else None
        self.translation = Translation(plan, newest, conversions) if newest and newest is not plan else None
        self.storage = storage
        self.authenticator = authenticator
        self.clock = clock
        self.new_id = new_id
        self.cursors = Cursors(cursor_key)
        self.views = Views(plan)
        self.inputs = Inputs(plan)
        self.instances = Instances(self.newest, classes)
        self.data = DataModel(self.newest, self.instances, storage, clock, new_id)
        self.checks = {resource.name: row_check(plan, resource) for resource in plan.resources}
        self.operations = {
            operation_id: self._bind(resource, operation, functions.get(operation_id))
            for operation_id, (resource, operation) in plan.operations.items()
        }

    def _bind(self, resource: ResourcePlan, operation: OperationPlan, function: Function | None) -> BoundOperation:
        seeing = paths(resource.reading.policy) if resource.reading else frozenset[Path]()
        return BoundOperation(
            plan=operation,
            resource=self.newest.by_name[resource.name],
            needs_caller=fold(operation.policy, known=False, scopes=frozenset()) == DENIED,
            facts=paths(operation.policy) | seeing | _version(self.newest.by_name[resource.name], operation),
            check=self.checks[resource.name],
            selector=Selector(resource, operation, self.inputs, self.views),
            input=self._input(resource, operation),
            function=function,
            writes_one_row=operation.kind == "create"
            and function is None
            and operation.timeout_seconds is None
            and not resource.shape.lists
            and resource.name not in self.newest.audited
            and not self.newest.checked_references(self.newest.by_name[resource.name]),
            views=self.views,
            tenanted=self._tenanted(resource.name),
        )

    def _tenanted(self, name: str) -> ResourcePlan | None:
        resource = self.newest.by_name[name]
        if name not in self.newest.tenanted or resource.tenant is not None:
            return resource if name in self.newest.tenanted else None
        return self._tenanted(str(resource.owned_by))

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

    def nested(self, resource: ResourcePlan, relation: RelationPlan) -> BoundOperation | None:
        """The list operation behind `…/:id/relation`, or None where the target has no list."""
        found = self.plan.by_name[relation.target].listing
        return self.operations[found.id] if found and relation.nested_route else None


def _version(resource: ResourcePlan, operation: OperationPlan) -> frozenset[Path]:
    """What an operation on one row reads to know its version, whether or not the caller asks for that field."""
    field = resource.version_field
    return frozenset({(field.name,)}) if field is not None and operation.on_item else frozenset()
