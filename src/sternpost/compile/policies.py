"""Checks a policy expression against the resources that it uses and turns it into nodes of the plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import a, listed
from sternpost.compile.options import SCOPE, hidden_by, shown
from sternpost.contract.policy import METHODS, Instant, Misuse, Policy, PolicyPath, names_of
from sternpost.contract.source import Source
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan
from sternpost.plan.policy import (
    AllOf,
    AnyOf,
    Authenticated,
    Compare,
    Not,
    Now,
    Owner,
    PolicyNode,
    Public,
    Scope,
    ValueAt,
    paths,
)


@dataclass(frozen=True, slots=True)
class Known:
    """What policies may refer to: for each resource its fields, its `one` relations, and its owner field."""

    fields: dict[str, FieldPlan]
    references: dict[str, str]
    owner_field: str | None


Value = tuple[tuple[str, ...], str, FieldPlan]
"""A value of a row: its path, the resource at the path's end, and the field there."""

IN_MAX = 100
"""Values that `in_` may have: they are written into the statement."""

_METHODS = {name: name for name in METHODS} | {"in": "in_", "isNull": "is_null"}


class PolicyCompiler:
    """Compiles the policies of one resource's operations."""

    def __init__(self, resource: str, known: dict[str, Known], report: Report) -> None:
        self.resource = resource
        self.known = known
        self.report = report

    def compile(self, policy: Policy, operation: str, where: Source, *, creates: bool) -> PolicyNode:
        """The policy in the form of the plan. A wrong policy is reported, and replaced by one that denies."""
        node = self._node(policy, operation, where)
        if creates and any(path[0] == "id" for path in paths(node)):
            self._add(
                operation,
                where,
                "SP508",
                "the policy uses the row's own id, but a row that is being created does not have one yet",
                "use public, authenticated, a scope, or a field of the input",
            )
        return node

    def compile_without_row(self, policy: Policy, operation: str, where: Source) -> PolicyNode:
        """The same for an operation that is about no row."""
        node = self._node(policy, operation, where)
        if paths(node):
            self._add(
                operation,
                where,
                "SP509",
                "the policy looks at a row, but an operation on the collection is about none",
                'use public, authenticated or a scope, and check rows in the function; or declare it with on="item"',
            )
        return node

    def _node(self, policy: Policy, operation: str, where: Source) -> PolicyNode:
        match policy.kind:
            case "public":
                return Public()
            case "authenticated":
                return Authenticated()
            case "scope":
                return self._scope(policy.parts[0], operation, where)
            case "owner":
                return self._owner(policy.parts[0], operation, where)
            case "compare":
                names, operator, value = policy.parts
                return self._compare(names, operator, value, operation, where)
            case "all":
                return AllOf(self._parts(policy, "all", operation, where))
            case "any":
                return AnyOf(self._parts(policy, "any", operation, where))
            case "not":
                return Not(self._node(policy.parts[0], operation, where))
            case "invalid":
                self._add(operation, where, *wrong_policy(policy))
                return Not(Public())

    def _parts(self, policy: Policy, kind: str, operation: str, where: Source) -> tuple[PolicyNode, ...]:
        flat: list[PolicyNode] = []
        for part in cast("tuple[Policy, ...]", policy.parts):
            flat.extend(
                self._parts(part, kind, operation, where)
                if part.kind == kind
                else (self._node(part, operation, where),)
            )
        return tuple(flat)

    def _scope(self, name: Any, operation: str, where: Source) -> PolicyNode:
        if not isinstance(name, str) or not SCOPE.fullmatch(name):
            self._add(
                operation,
                where,
                "SP506",
                f"{shown(name)} is not a scope",
                'write a scope without spaces, such as scope("users:read")',
            )
            return Not(Public())
        return Scope(name)

    def _owner(self, names: tuple[str, ...], operation: str, where: Source) -> PolicyNode:
        followed = self._follow(names, operation, where)
        if followed is None:
            return Not(Public())
        path, resource = followed
        owner_field = self.known[resource].owner_field
        if owner_field is None:
            self._add(
                operation,
                where,
                "SP503",
                f"{resource} has no owner field, so this.is_owner cannot be used"
                if not names
                else f"{resource} has no owner field, so this.{'.'.join(names)}.is_owner cannot be used",
                f'write class {resource}(Resource, owner="…") with the field that holds the owner\'s id',
            )
            return Not(Public())
        if owner_field != "id" or not path:
            return Owner((*path, owner_field))
        # The reference tells the id of the other row; whether that is still there for the caller, the row itself does.
        guarded = any(field.generated in ("deleted", "tenant") for field in self.known[resource].fields.values())
        return AllOf((Owner(path), Owner((*path, "id")))) if guarded else Owner(path)

    def _compare(self, names: tuple[str, ...], operator: Any, value: Any, operation: str, where: Source) -> PolicyNode:
        if not names:
            self._add(
                operation,
                where,
                "SP507",
                f"this is a whole row, which cannot be compared with {shown(value)}",
                'compare one of its fields, such as this.status.eq("draft")',
            )
            return Not(Public())
        found = self._value(names, operation, where)
        if found is None:
            return Not(Public())
        path, resource, field = found
        if isinstance(value, PolicyPath) and operator not in ("in", "isNull"):
            return self._compare_values(found, operator, value, operation, where)
        if (
            isinstance(value, Instant)
            and operator in KINDS[field.kind].policies
            and datetime in KINDS[field.kind].types
        ):
            return Compare(path, operator, Now())
        if operator == "isNull":
            if field.nullable or len(path) > 1:
                return Compare(path, "isNull")
            message, fix = f"{resource}.{field.name} is never null", "leave the condition out"
        else:
            converted = _constants(field, operator, value)
            if converted is not None:
                return Compare(path, operator, converted)
            given = ", ".join(map(shown, _listed(value))) or "no value" if operator == "in" else shown(value)
            message = f"{resource}.{field.name} ({field.kind}) cannot be compared with {given} by {_METHODS[operator]}"
            fix = f"give 1 to {IN_MAX} different values; " if operator == "in" else ""
            fix += _comparison_fix(field)
        self._add(operation, where, "SP507", message, fix)
        return Not(Public())

    def _compare_values(
        self, left: Value, operator: Any, value: PolicyPath, operation: str, where: Source
    ) -> PolicyNode:
        path, resource, field = left
        if not is_value(value):
            self._add(
                operation,
                where,
                "SP507",
                f"this is a whole row, with which {resource}.{field.name} cannot be compared",
                "compare it with one of its fields, such as this.created_by",
            )
            return Not(Public())
        right = self._value(names_of(value), operation, where)
        if right is None:
            return Not(Public())
        other_path, other_resource, other = right
        allowed = KINDS[field.kind].policies or (("eq", "ne") if field.references else ())
        if operator in allowed and _alike(field, other) and path != other_path:
            return Compare(path, operator, ValueAt(other_path))
        same = "it is the same value" if path == other_path else "their kinds, or how they are kept, differ"
        self._add(
            operation,
            where,
            "SP507",
            f"{resource}.{field.name} ({field.kind}) cannot be compared with {other_resource}.{other.name} "
            f"({other.kind}) by {_METHODS[operator]}" + (f": {same}" if operator in allowed else ""),
            f"compare it by {listed(allowed)} with a value declared alike" if allowed else _comparison_fix(field),
        )
        return Not(Public())

    def _value(self, names: tuple[str, ...], operation: str, where: Source) -> Value | None:
        """The path of a value, the resource at its end, and the field; a reference is the id that it holds."""
        followed = self._follow(names[:-1], operation, where)
        if followed is None:
            return None
        path, resource = followed
        known = self.known[resource]
        field = known.fields.get(f"{names[-1]}_id" if names[-1] in known.references else names[-1])
        if field is None:
            self._unknown(names[-1], resource, operation, where)
            return None
        return (*path, field.name), resource, field

    def _follow(self, names: tuple[str, ...], operation: str, where: Source) -> tuple[tuple[str, ...], str] | None:
        resource, path = self.resource, list[str]()
        for name in names:
            known = self.known.get(resource)
            if known is None:  # the relation's target is not in the contract, which is reported there
                return None
            if name not in known.references:
                if name in known.fields:
                    self._add(
                        operation,
                        where,
                        "SP504",
                        f"{resource}.{name} is not a One[…] relation, so a policy cannot go through it",
                        f"use one of the relations {listed(known.references)}"
                        if known.references
                        else "compare the field itself, for example with .eq(…), or declare it as One[…]",
                    )
                else:
                    self._unknown(name, resource, operation, where)
                return None
            path.append(f"{name}_id")
            resource = known.references[name]
        return (tuple(path), resource) if resource in self.known else None

    def _unknown(self, name: str, resource: str, operation: str, where: Source) -> None:
        known = self.known[resource]
        self._add(
            operation,
            where,
            "SP502",
            f"{resource} has no field {name!r}",
            f"use one of {listed([*known.fields, *known.references])}",
        )

    def _add(self, operation: str, where: Source, code: str, message: str, fix: str) -> None:
        self.report.add(where, code, f"{self.resource}.{operation}: {message}", fix)


def is_value(part: object) -> bool:
    """Whether it is a value of the row (`this.active`); `this` alone is the whole row."""
    return isinstance(part, PolicyPath) and repr(part) != "this"


def wrong_policy(value: object) -> tuple[str, str, str]:
    """Code, message and fix for what stands in the place of a part of a policy."""
    part = value.parts[0] if isinstance(value, Policy) else value
    hidden = hidden_by(part)
    if hidden is not None:
        return hidden
    if isinstance(part, Misuse):
        return "SP510", f"{part} is nothing that a policy can ask for", part.fix
    if is_value(part):
        return "SP505", f"{part} is a value, not a policy", f"compare it, for example {part}.eq(True)"
    return (
        "SP505",
        f"{shown(part)} is not a policy",
        'use public, authenticated, scope("…"), this.is_owner, or a comparison such as this.status.eq("draft")',
    )


def _listed(value: Any) -> list[Any]:
    """What `in_` was given; an order that does not depend on the process, where it was a set."""
    if isinstance(value, set | frozenset):
        return sorted(cast("set[Any]", value), key=repr)
    return list(cast("list[Any]", value)) if isinstance(value, list | tuple) else [value]


def _constants(field: FieldPlan, operator: str, value: Any) -> Any:
    """What a value is compared with, in the form of the plan; None where it is not possible."""
    kind = KINDS[field.kind]
    if operator != "in":
        return kind.constant(value, field) if operator in kind.policies else None
    found = [kind.constant(each, field) if "eq" in kind.policies else None for each in _listed(value)]
    if not 1 <= len(found) <= IN_MAX or None in found or len({*found}) != len(found):
        return None
    return tuple(found)


_KEPT = ("kind", "references", "decimal_places", "storage", "ignore_case", "choices")


def _alike(field: FieldPlan, other: FieldPlan) -> bool:
    """Whether values of two fields can be compared: databases keep them in the same way."""
    return all(getattr(field, name) == getattr(other, name) for name in _KEPT)


def _comparison_fix(field: FieldPlan) -> str:
    kind = KINDS[field.kind]
    if field.references is not None:
        return "use is_owner for the caller's own rows; ids cannot be compared with constants"
    if not kind.policies:
        return f"a {kind.name} cannot be compared; choose another field"
    if field.choices:
        return f"use eq or ne with one of {listed(field.choices)}"
    within = " that the field's constraints allow" if kind.bounds else ""
    if "gt" not in kind.policies:
        return f"use eq or ne with {kind.described}{within}"
    return f"compare it with {a(kind.name)}{within}"
