"""Authorization: the part of a policy that depends on the row, checked for one row at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sternpost.ids import decode, read_uuid
from sternpost.kinds import without_case
from sternpost.plan.caller import OfCaller
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.plan.policy import COMPARE, CallerIs, PolicyNode, conditions_on_rows, of_caller, paths, within
from sternpost.plan.query import ALL as ALLOW
from sternpost.plan.query import (
    EQUALITY,
    Compare,
    Constant,
    Either,
    Every,
    Fact,
    Node,
    Not,
    Now,
    Path,
    Subject,
    Through,
    ValueAt,
)
from sternpost.plan.query import NONE as DENY
from sternpost.plan.values import from_plan
from sternpost.ports.authenticator import NO_SCOPES, Principal
from sternpost.ports.storage import Asking

Facts = Mapping[Fact, Any]


def fold_for(policy: PolicyNode, principal: Principal | None) -> Node:
    """What a policy asks of a row once it is known who calls; `ALLOW` and `DENY` are the very constants."""
    scopes = principal.scopes if principal else NO_SCOPES
    return conditions_on_rows(policy, known=principal is not None, scopes=scopes, decide=partial(decided, principal))


def decided(principal: Principal | None, asked: OfCaller | CallerIs) -> bool:
    """Whether the caller has a value, or fulfils a condition."""
    found = (asked.of if isinstance(asked, CallerIs) else asked).read(principal)
    return found is not None and (not isinstance(asked, CallerIs) or asked.holds(found))


def questions(plans: Iterable[Plan]) -> tuple[OfCaller | CallerIs, ...]:
    """All that the policies of the plans ask of the caller, beside the id and the scopes, each once."""
    found: dict[OfCaller | CallerIs, None] = {}
    for plan in plans:
        for policy in plan.policies:
            found.update(dict.fromkeys(of_caller(policy)))
            found.update(dict.fromkeys(each for each in within(policy) if isinstance(each, CallerIs)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class RowCheck:
    """Checks conditions on one resource's rows, as the database does: a comparison with null does not hold.

    Attributes:
        fields: the field at the end of each path that a policy looks at.
        prefixes: for paths that end in an id, its prefix.
    """

    fields: dict[Path, FieldPlan]
    prefixes: dict[Path, str]

    def allows(self, node: Node, facts: Facts, asking: Asking) -> bool:
        """Whether the condition holds for the row with these facts."""
        match node:
            case Through():
                return facts[node]
            case Compare(path, "isNull"):
                return facts[path] is None
            case Compare(path, operator, ValueAt(other)):
                return self._agree(path, operator, other, facts)
            case Compare(path, operator, operand):
                return self._compares(path, operator, operand, facts[path], asking)
            case Every(parts):
                return all(self.allows(part, facts, asking) for part in parts)
            case Either(parts):
                return any(self.allows(part, facts, asking) for part in parts)
            case Not(part):
                return not self.allows(part, facts, asking)
            case _:
                raise AssertionError(f"{node} is no condition of a policy")

    def _compares(self, path: Path, operator: str, operand: Any, value: Any, asking: Asking) -> bool:
        field = self.fields[path]
        if isinstance(operand, Subject):
            prefix = self.prefixes.get(path)
            left, right = _identities(field, value, asking.subject, prefix)
        elif isinstance(operand, OfCaller):
            found = operand.read(asking.caller)
            if operand.many:
                return value is not None and any(self._is_callers(path, operator, value, each) for each in found or ())
            return found is not None and value is not None and self._is_callers(path, operator, value, found)
        elif isinstance(operand, Now):
            left, right = from_plan(field, value), asking.now
        else:
            assert isinstance(operand, Constant), "a policy compares with the caller or with a constant"
            if operator == "in":
                return value is not None and any(
                    self._compares(path, "eq", Constant(each), value, asking) for each in operand.value
                )
            left, right = from_plan(field, value), from_plan(field, operand.value)
        return _holds(field, operator, left, right)

    def _is_callers(self, path: Path, operator: str, value: Any, found: Any) -> bool:
        """Whether a value of the row compares with one of the caller's."""
        field, prefix = self.fields[path], self.prefixes.get(path)
        left = from_plan(field, value) if prefix is None else decode(prefix, value)
        return _holds(field, "eq" if operator == "in" else operator, left, found)

    def _agree(self, path: Path, operator: str, other: Path, facts: Facts) -> bool:
        field = self.fields[path]
        return _holds(field, operator, from_plan(field, facts[path]), from_plan(self.fields[other], facts[other]))


def _holds(field: FieldPlan, operator: str, left: Any, right: Any) -> bool:
    if field.ignore_case and operator in EQUALITY:
        left, right = without_case(left), without_case(right)
    return left is not None and right is not None and bool(COMPARE[operator](left, right))


def _identities(field: FieldPlan, value: Any, subject: str | None, prefix: str | None) -> tuple[Any, Any]:
    """The value and the caller's id in one form; None for a caller who cannot be such a value."""
    if value is None or subject is None or (prefix is not None and decode(prefix, subject) is None):
        return None, None
    if field.kind == "uuid":  # a UUID has several spellings
        return from_plan(field, value), read_uuid(subject)
    return str(value), subject


def row_check(plan: Plan, resource: ResourcePlan) -> RowCheck:
    """The check for all policies of a resource, prepared once."""
    every = {path for operation in resource.operations for path in paths(operation.policy)}
    fields = {path: plan.field_at(resource, path) for path in every}
    prefixes = {path: plan.by_name[field.references].prefix for path, field in fields.items() if field.references}
    return RowCheck(fields, prefixes)


__all__ = ["ALLOW", "DENY", "Facts", "RowCheck", "decided", "fold_for", "questions", "row_check"]
