"""Authorization: the part of a policy that depends on the row, checked for one row at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sternpost.ids import decode
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.plan.policy import ALLOW, COMPARE, DENY, AllOf, AnyOf, Compare, Not, Owner, Path, PolicyNode, fold, paths
from sternpost.plan.values import from_plan
from sternpost.ports.authenticator import Principal

Facts = Mapping[Path, Any]


def fold_for(policy: PolicyNode, principal: Principal | None) -> PolicyNode:
    """What remains of a policy once the caller is known."""
    return fold(policy, known=principal is not None, scopes=principal.scopes if principal else frozenset())


@dataclass(frozen=True, slots=True)
class RowCheck:
    """Checks policies of one resource's rows, in SQL's three-valued logic: unknown (None) is not allowed.

    Attributes:
        fields: the field at the end of each path that a policy looks at.
        prefixes: for paths that end in an id, its prefix.
    """

    fields: dict[Path, FieldPlan]
    prefixes: dict[Path, str]

    def allows(self, node: PolicyNode, facts: Facts, subject: str | None) -> bool:
        """Whether the (folded) policy holds for the row with these facts."""
        return self._holds(node, facts, subject) is True

    def _holds(self, node: PolicyNode, facts: Facts, subject: str | None) -> bool | None:
        match node:
            case Owner(path):
                return self._owns(path, facts[path], subject)
            case Compare(path, operator, constant):
                return self._compares(self.fields[path], facts[path], operator, constant)
            case AllOf(parts):
                results = [self._holds(part, facts, subject) for part in parts]
                return False if False in results else None if None in results else True
            case AnyOf(parts):
                results = [self._holds(part, facts, subject) for part in parts]
                return True if True in results else None if None in results else False
            case Not(part):
                inner = self._holds(part, facts, subject)
                return None if inner is None else not inner
            case _:
                return node == ALLOW

    def _owns(self, path: Path, value: Any, subject: str | None) -> bool | None:
        prefix = self.prefixes.get(path)
        if value is None or subject is None or (prefix is not None and decode(prefix, subject) is None):
            return None
        if self.fields[path].kind == "uuid":
            # As in SQL: comparing with a subject that is not a UUID gives unknown; a UUID has several spellings.
            asked = _uuid_or_none(subject)
            return None if asked is None else from_plan(self.fields[path], value) == asked
        return str(value) == subject

    def _compares(self, field: FieldPlan, value: Any, operator: str, constant: Any) -> bool | None:
        if value is None:
            return None
        left, right = from_plan(field, value), from_plan(field, constant)
        return COMPARE[operator](left, right)


def _uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def row_check(plan: Plan, resource: ResourcePlan) -> RowCheck:
    """The check for all policies of a resource, prepared once."""
    every = frozenset[Path]().union(*(paths(operation.policy) for operation in resource.operations))
    fields = {path: plan.field_at(resource, path) for path in every}
    prefixes = {path: plan.by_name[field.references].prefix for path, field in fields.items() if field.references}
    return RowCheck(fields, prefixes)


__all__ = ["ALLOW", "DENY", "Facts", "RowCheck", "fold_for", "row_check"]
