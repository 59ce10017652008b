"""Checks a policy expression against the resources that it uses and turns it into nodes of the plan."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from sternpost.compile.caller_values import IN_MAX, METHOD, Mistake, condition_on_caller, listed_values, value_of_caller
from sternpost.compile.diagnostics import Report
from sternpost.compile.names import a, listed
from sternpost.compile.options import SCOPE, hidden_by, shown
from sternpost.compile.policy_paths import Known, Paths, Value
from sternpost.contract.policy import CallerPath, Instant, Misuse, Policy, PolicyPath, is_outside, names_of
from sternpost.contract.source import Source
from sternpost.kinds import KINDS, kind_of
from sternpost.plan.caller import OfCaller
from sternpost.plan.model import FieldPlan
from sternpost.plan.policy import (
    AllOf,
    AnyOf,
    Authenticated,
    Compare,
    Named,
    Not,
    Now,
    Outside,
    Owner,
    PolicyNode,
    Public,
    Scope,
    Through,
    ValueAt,
    parts,
    paths,
    walked,
    within,
)
from sternpost.plan.ranks import compares_ranks, on_one_side

DEPTH_MAX = 3
"""Lists that a policy may look into one within another."""

LISTS_MAX = 10
"""Lists that a policy may look into: each is a subquery of every statement that asks it."""

_TURNED = {"eq": "eq", "ne": "ne", "gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte"}
"""The operator that says the same with the two sides exchanged."""


class PolicyCompiler(Paths):
    """Compiles the policies of one resource's operations.

    Args:
        outside: for a policy on the rows of a list: that of the row outside.
        older: whether the policy is one of an older version of the API.
    """

    def __init__(
        self,
        resource: str,
        known: dict[str, Known],
        report: Report,
        outside: PolicyCompiler | None = None,
        *,
        older: bool = False,
    ) -> None:
        super().__init__(resource, known, report, resource if outside is None else outside.subject)
        self.outside = outside
        self._older = older
        self._depth: int = 0 if outside is None else outside._depth + 1

    def compile(self, policy: Policy, operation: str, where: Source, *, creates: bool) -> PolicyNode:
        """The policy in the form of the plan. A wrong policy is reported, and replaced by one that denies."""
        node = self._whole(policy, operation, where)
        if creates:
            self._check_new_row(node, operation, where)
        if creates and any(path[0] == "id" for path in paths(node)):
            self.add(
                operation,
                where,
                "SP508",
                "the policy uses the row's own id, but a row that is being created does not have one yet",
                "use public, authenticated, a scope, or a field of the input",
            )
        return node

    def compile_without_row(self, policy: Policy, operation: str, where: Source) -> PolicyNode:
        """The same for an operation that is about no row."""
        node = self._whole(policy, operation, where)
        if paths(node) or walked(node):
            self.add(
                operation,
                where,
                "SP509",
                "the policy looks at a row, but an operation on the collection is about none",
                'use public, authenticated or a scope, and check rows in the function; or declare it with on="item"',
            )
        return node

    def _whole(self, policy: Policy, operation: str, where: Source) -> PolicyNode:
        node = self._node(policy, operation, where)
        for name, place in _untold(node, ""):
            self.add(
                operation,
                where,
                "SP520",
                f"the policy {name} is {place}, where its text is never told",
                "name a policy that has to hold by itself: the whole, or a part of it that is joined by & or |",
            )
        lists = sum(isinstance(each, Through) for each in within(node))
        if lists and self._older:
            self.add(
                operation,
                where,
                "SP521",
                "a policy of an older version looks into lists, which only those of the newest one may",
                "write a policy of the row and the caller alone, or change that of the operation itself",
            )
        if lists > LISTS_MAX:
            self.add(
                operation,
                where,
                "SP517",
                f"the policy looks into {lists} lists, each of which is a subquery; {LISTS_MAX} are allowed",
                "ask one list for several things at once: this.members.any(… & …)",
            )
        return node

    def _check_new_row(self, node: PolicyNode, operation: str, where: Source) -> None:
        """What a row that is being created does not have: lists of its own, and a place in the database."""
        for each in walked(node):
            own = not each.path
            if own or _looks_outside(each.where):
                self.add(
                    operation,
                    where,
                    "SP518",
                    f"the policy looks into this.{each.relation}, but a row that is being created has no lists yet"
                    if own
                    else "the policy compares rows of a list with outer, but a row that is being created is not in the "
                    "database yet",
                    "look into the list of a row that it refers to, such as this.team.members.any(…), and compare its "
                    "rows with the caller",
                )
                return

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
                path, operator, value = policy.parts
                return self._compare(path, operator, value, operation, where)
            case "caller":
                of, operator, value = policy.parts
                return self._of_caller(of, operator, value, operation, where)
            case "through":
                names, method, part = policy.parts
                return self._through(names, method, part, operation, where)
            case "named":
                return self._named(policy, operation, where)
            case "all":
                return AllOf(self._parts(policy, "all", operation, where))
            case "any":
                return AnyOf(self._parts(policy, "any", operation, where))
            case "not":
                return Not(self._node(policy.parts[0], operation, where))
            case "invalid":
                self.add(operation, where, *wrong_policy(policy))
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
            self.add(
                operation,
                where,
                "SP506",
                f"{shown(name)} is not a scope",
                'write a scope without spaces, such as scope("users:read")',
            )
            return Not(Public())
        return Scope(name)

    def _owner(self, names: tuple[str, ...], operation: str, where: Source) -> PolicyNode:
        followed = self.follow(names, operation, where)
        if followed is None:
            return Not(Public())
        path, resource = followed
        owner_field = self.known[resource].owner_field
        if owner_field is None:
            self.add(
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
        return AllOf((Owner(path), Owner((*path, "id")))) if self.known[resource].guarded else Owner(path)

    def _compare(self, left: PolicyPath, operator: Any, value: Any, operation: str, where: Source) -> PolicyNode:
        names = names_of(left)
        if not names:
            self.add(
                operation,
                where,
                "SP507",
                f"{left!r} is a whole row, which cannot be compared with {shown(value)}",
                'compare one of its fields, such as this.status.eq("draft")',
            )
            return Not(Public())
        if is_outside(left):
            if isinstance(value, PolicyPath) and is_value(value) and not is_outside(value) and operator in _TURNED:
                return self._compare(value, _TURNED[operator], left, operation, where)
            return self._wrong_outside(left, operation, where)
        found = self.value(names, operation, where)
        if found is None:
            return Not(Public())
        path, resource, field = found
        if isinstance(value, CallerPath):
            return self._compare_with_caller(found, operator, value, operation, where)
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
            converted = constants(field, operator, value)
            if converted is not None:
                return Compare(path, *compared_with(field, operator, converted))
            given = ", ".join(map(shown, listed_values(value))) or "no value" if operator == "in" else shown(value)
            message = f"{resource}.{field.name} ({field.kind}) cannot be compared with {given} by {METHOD[operator]}"
            fix = f"give 1 to {IN_MAX} different values; " if operator == "in" else ""
            fix += comparison_fix(field)
        self.add(operation, where, "SP507", message, fix)
        return Not(Public())

    def _compare_values(
        self, left: Value, operator: Any, value: PolicyPath, operation: str, where: Source
    ) -> PolicyNode:
        path, resource, field = left
        if not is_value(value):
            self.add(
                operation,
                where,
                "SP507",
                f"this is a whole row, with which {resource}.{field.name} cannot be compared",
                "compare it with one of its fields, such as this.created_by",
            )
            return Not(Public())
        beyond = is_outside(value)
        if beyond and self.outside is None:
            return self._wrong_outside(value, operation, where)
        at = self.outside if beyond and self.outside is not None else self
        right = at.value(names_of(value), operation, where)
        if right is None:
            return Not(Public())
        other_path, other_resource, other = right
        allowed = KINDS[field.kind].policies or (("eq", "ne") if KINDS[field.kind].identifies else ())
        itself = path == other_path and not beyond
        if operator in allowed and alike(field, other) and not itself:
            return Compare(path, operator, Outside(other_path) if beyond else ValueAt(other_path))
        same = "it is the same value" if itself else "their kinds, or how they are kept, differ"
        self.add(
            operation,
            where,
            "SP507",
            f"{resource}.{field.name} ({field.kind}) cannot be compared with {other_resource}.{other.name} "
            f"({other.kind}) by {METHOD[operator]}" + (f": {same}" if operator in allowed else ""),
            f"compare it by {listed(allowed)} with a value declared alike" if allowed else comparison_fix(field),
        )
        return Not(Public())

    # -- what is known of the caller

    def _of_caller(self, of: CallerPath, operator: Any, value: Any, operation: str, where: Source) -> PolicyNode:
        """A condition on the caller alone; or the same as one on the row, where it is compared with a value of that."""
        if isinstance(value, PolicyPath) and operator in ("eq", "ne"):
            return self._compare(value, operator, of, operation, where)
        return self._accepted(condition_on_caller(of, operator, value), operation, where)

    def _compare_with_caller(
        self, left: Value, operator: Any, value: CallerPath, operation: str, where: Source
    ) -> PolicyNode:
        path, resource, field = left
        prefix = self.known[field.references].prefix if field.references in self.known else None
        found = value_of_caller(resource, field, prefix, operator, value)
        return self._accepted(
            Compare(path, operator, found) if isinstance(found, OfCaller) else found, operation, where
        )

    def _accepted(self, found: PolicyNode | Mistake, operation: str, where: Source) -> PolicyNode:
        if not isinstance(found, Mistake):
            return found
        self.add(operation, where, found.code, found.message, found.fix)
        return Not(Public())

    # -- lists

    def _through(self, names: tuple[str, ...], method: str, part: Any, operation: str, where: Source) -> PolicyNode:
        followed = self.follow(names[:-1], operation, where)
        if followed is None:
            return Not(Public())
        path, resource = followed
        lists = self.known[resource].lists
        target = lists.get(names[-1]) if names else None
        written = ".".join(("this", *names))
        if target is None:
            self.add(
                operation,
                where,
                "SP513",
                f"{written} is no list, so .{method}(…) cannot be asked of it",
                f"{resource} has the lists {listed(lists)}" if lists else f"{resource} has no list: declare it as Many",
            )
        elif self._depth >= DEPTH_MAX:
            self.add(
                operation,
                where,
                "SP516",
                f"{written} is a list within {DEPTH_MAX} others",
                "keep what the policy asks closer to the row, for example in a field or in a shorter relation",
            )
        elif not isinstance(part, Policy):
            self.add(operation, where, *wrong_policy(part))
        elif target in self.known:
            inner = PolicyCompiler(target, self.known, self.report, self)
            return Through(path, names[-1], target, inner._node(part, operation, where))
        return Not(Public())

    def _wrong_outside(self, value: PolicyPath, operation: str, where: Source) -> PolicyNode:
        within = self.outside is not None
        self.add(
            operation,
            where,
            "SP515",
            f"{value!r} is only compared with a value of the list's row" if within else f"{value!r} is in no list",
            "ask it of this, outside of the list"
            if within
            else "outer is the row outside of .any(…) or .none(…); here that row is this",
        )
        return Not(Public())

    # -- names

    def _named(self, policy: Policy, operation: str, where: Source) -> PolicyNode:
        name, part, text = policy.parts
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            message, fix = f"{shown(name)} is no name of a policy", 'write it in lower case, such as "staff_only"'
        elif not isinstance(text, str) or not text.strip() or len(text) > TEXT_MAX or not text.isprintable():
            message = f"the policy {name} has no text that could be told"
            fix = f'write one line of at most {TEXT_MAX} characters, such as text="Only staff may do this"'
        elif not isinstance(part, Policy):
            self.add(operation, where, *wrong_policy(part))
            return Not(Public())
        else:
            return Named(name, text, self._node(part, operation, where))
        self.add(operation, where, "SP519", message, fix)
        return Not(Public())


_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
TEXT_MAX = 200
"""Characters of the text of a policy with a name."""


def _untold(node: PolicyNode, place: str) -> Iterator[tuple[str, str]]:
    """The names of policies in places where nobody is told them."""
    if isinstance(node, Named) and place:
        yield node.name, place
    within: dict[type, str] = {Named: "within another one with a name", Not: "below ~", Through: "in a list"}
    for part in parts(node):
        yield from _untold(part, place or within.get(type(node), ""))


def _looks_outside(node: PolicyNode) -> bool:
    """Whether a condition on the rows of a list compares them with the row outside."""
    if isinstance(node, Compare):
        return isinstance(node.value, Outside)
    return not isinstance(node, Through) and any(map(_looks_outside, parts(node)))


def is_value(part: object) -> bool:
    """Whether it is a value of the row (`this.active`); `this` alone is the whole row."""
    return isinstance(part, CallerPath) or (isinstance(part, PolicyPath) and names_of(part) != ())


def wrong_policy(value: object) -> tuple[str, str, str]:
    """Code, message and fix for what stands in the place of a part of a policy."""
    part = value.parts[0] if isinstance(value, Policy) else value
    hidden = hidden_by(part)
    if hidden is not None:
        return hidden
    if isinstance(part, Misuse):
        return "SP510", f"{part} is nothing that a policy can ask for", part.fix
    if is_value(part):
        example = f'{part}.eq("…")' if isinstance(part, CallerPath) else f"{part}.eq(True)"
        return "SP505", f"{part} is a value, not a policy", f"compare it, for example {example}"
    return (
        "SP505",
        f"{shown(part)} is not a policy",
        'use public, authenticated, scope("…"), this.is_owner, or a comparison such as this.status.eq("draft")',
    )


def constants(field: FieldPlan, operator: str, value: Any) -> Any:
    """What a value is compared with, in the form of the plan; None where it is not possible."""
    kind = kind_of(field)
    if operator != "in":
        found = kind.constant(value, field) if operator in kind.policies else None
        ranked = found is not None and compares_ranks(field, operator)
        return None if ranked and not on_one_side(field, operator, found) else found
    found = [kind.constant(each, field) if "eq" in kind.policies else None for each in listed_values(value)]
    if not 1 <= len(found) <= IN_MAX or None in found or len({*found}) != len(found):
        return None
    return tuple(found)


def compared_with(field: FieldPlan, operator: Any, constant: Any) -> tuple[Any, Any]:
    """Operator and operand of a comparison with what `constants` gave."""
    if compares_ranks(field, operator):
        return "in", on_one_side(field, operator, constant)
    return operator, constant


_KEPT = ("kind", "references", "decimal_places", "storage", "ignore_case", "choices")


def alike(field: FieldPlan, other: FieldPlan) -> bool:
    """Whether values of two fields can be compared: databases keep them in the same way."""
    return all(getattr(field, name) == getattr(other, name) for name in _KEPT)


def comparison_fix(field: FieldPlan) -> str:
    """What a field can be compared with, as the fix of a diagnostic."""
    kind = kind_of(field)
    if field.references is not None:
        return "use is_owner for the caller's own rows; ids cannot be compared with constants"
    if not kind.policies:
        return f"a {kind.name} cannot be compared; choose another field"
    if field.ranks:
        return f"compare it with one of {listed(field.ranks)}; before the first and after the last there is none"
    if field.choices:
        return f"use eq or ne with one of {listed(field.choices)}"
    within = " that the field's constraints allow" if kind.bounds else ""
    if "gt" not in kind.policies:
        return f"use eq or ne with {kind.described}{within}"
    return f"compare it with {a(kind.name)}{within}"
