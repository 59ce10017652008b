"""Who may: policy expressions as data.

A policy is a tree of these nodes, which `sternpost.contract.policy` writes. Once it is known who calls, what is left of
it is a condition of the query language: the pipeline checks that for one row, and the builder of statements writes it
as SQL for many.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Literal

from sternpost.plan import query
from sternpost.plan.caller import OfCaller
from sternpost.plan.query import Path


@dataclass(frozen=True, slots=True)
class Public:
    """Everyone, with or without credentials."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """Everyone with valid credentials."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Callers whose token carries the scope."""

    name: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The caller whose id (`sub`) is the value at `path`.

    `path` is the fields to follow from the row: foreign keys first, the field that holds the owner's id last.
    """

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ValueAt:
    """Another value of the row, or of a row it refers to, that one is compared with."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Now:
    """The instant of the call, that a value is compared with."""


@dataclass(frozen=True, slots=True)
class Outside:
    """A value of the row outside, from within a condition on the rows of one of its lists."""

    path: tuple[str, ...]


PolicyConstant = str | int | float | bool
Compared = PolicyConstant | tuple[PolicyConstant, ...] | ValueAt | Outside | Now | OfCaller | None
"""What a value is compared with; nothing for `isNull`."""


@dataclass(frozen=True, slots=True)
class Compare:
    """Rows whose value at `path` compares with a constant, with one of several (`in`), with another value, with one of
    the caller, or with the instant of the call."""

    path: tuple[str, ...]
    operator: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "isNull"]
    value: Compared = None


@dataclass(frozen=True, slots=True)
class CallerIs:
    """Callers of whom a value compares with a constant, or with one of several (`in`)."""

    of: OfCaller
    operator: Literal["eq", "ne", "in"]
    value: PolicyConstant | tuple[PolicyConstant, ...]

    def holds(self, found: Any) -> bool:
        """Whether it holds for a value that the caller has."""
        if self.operator == "in":
            return found in self.value if isinstance(self.value, tuple) else False
        return bool(COMPARE[self.operator](found, self.value))


@dataclass(frozen=True, slots=True)
class Through:
    """Rows with a list of which some row fits.

    Attributes:
        path: the references to follow to the row that has the list.
        relation: the list, and the resource of its rows.
        where: what is asked of a row of the list: its paths begin there.
    """

    path: tuple[str, ...]
    relation: str
    target: str
    where: PolicyNode


@dataclass(frozen=True, slots=True)
class Named:
    """A policy with a name and a text, which who is refused for it is told."""

    name: str
    text: str
    part: PolicyNode


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds (`&`)."""

    parts: tuple[PolicyNode, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds (`|`)."""

    parts: tuple[PolicyNode, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold (`~`)."""

    part: PolicyNode


PolicyNode = Public | Authenticated | Scope | Owner | Compare | CallerIs | Through | Named | AllOf | AnyOf | Not

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
"""What each operator does, to Python's values as well as to SQL expressions."""

ALLOW = Public()
DENY = Not(ALLOW)


Decide = Callable[[OfCaller | CallerIs], bool | None]
"""Whether a caller has a value, or fulfils a condition; None where that is left open."""


def _open(asked: OfCaller | CallerIs) -> None:
    """Leaves open what is asked of the caller."""


def fold(node: PolicyNode, *, known: bool, scopes: frozenset[str], decide: Decide = _open) -> PolicyNode:
    """Decides what depends on the caller alone; what is left speaks of rows only.

    What is compared with a value that the caller does not have does not hold, and neither does its negation.

    Args:
        known: whether the caller has valid credentials.
        scopes: the scopes of the caller's token.
        decide: what else is known of the caller.

    Returns:
        `ALLOW`, `DENY`, or an expression of `Owner`, `Compare`, `Through`, `AllOf`, `AnyOf`, and `Not` of the first
        three.
    """
    return _Folding(known, scopes, decide).fold(node, negated=False)


@dataclass(frozen=True, slots=True)
class _Folding:
    known: bool
    scopes: frozenset[str]
    decide: Decide

    def fold(self, node: PolicyNode, *, negated: bool) -> PolicyNode:
        match node:
            case Named(_, _, part):
                return self.fold(part, negated=negated)
            case Not(part):
                return self.fold(part, negated=not negated)
            case AllOf(parts) | AnyOf(parts):
                folded = [self.fold(part, negated=negated) for part in parts]
                return _joined(folded, AllOf if isinstance(node, AllOf) is not negated else AnyOf)
            case Through():
                return self._through(node, negated=negated)
            case Compare(_, _, OfCaller() as value) if self.decide(value) is False:
                return DENY
            case CallerIs(value) if self.decide(value) is False:
                return DENY
            case _:
                held = self._held(node)
        if held is None:
            return Not(node) if negated else node
        return ALLOW if held is not negated else DENY

    def _held(self, node: PolicyNode) -> bool | None:
        match node:
            case Public():
                return True
            case Authenticated():
                return self.known
            case Scope(name):
                return name in self.scopes
            case Owner():
                return None if self.known else False
            case CallerIs():
                return self.decide(node)
            case _:
                return None

    def _through(self, node: Through, *, negated: bool) -> PolicyNode:
        if negated and any(self.decide(value) is False for value in of_caller(node.where)):
            return DENY  # without the value nobody knows whether one of the rows would fit
        where = self.fold(node.where, negated=False)
        if where == DENY:
            return ALLOW if negated else DENY
        found = replace(node, where=where)
        return Not(found) if negated else found


def open_to_all(node: PolicyNode) -> bool:
    """Whether a policy allows everybody, with or without credentials, whatever the row."""
    return fold(node, known=False, scopes=frozenset()) == ALLOW


_SCOPES_TRIED = 8
"""Of more, not every combination is tried."""


def closed_to_all(node: PolicyNode) -> bool:
    """Whether a policy allows nobody, whatever scopes a caller has."""
    scopes = sorted({part.name for part in within(node) if isinstance(part, Scope)})[:_SCOPES_TRIED]
    held = (frozenset(some) for size in range(len(scopes) + 1) for some in combinations(scopes, size))
    return all(fold(node, known=known, scopes=some) == DENY for some in held for known in (True, False))


def _joined(folded: Sequence[PolicyNode], kind: type[AllOf | AnyOf]) -> PolicyNode:
    neutral, decisive = (ALLOW, DENY) if kind is AllOf else (DENY, ALLOW)
    if decisive in folded:
        return decisive
    rest = tuple(dict.fromkeys(part for part in folded if part != neutral))
    return neutral if not rest else rest[0] if len(rest) == 1 else kind(rest)


def implies(node: PolicyNode, other: PolicyNode) -> bool:
    """Whether whoever a policy allows is allowed by another one, too, as far as their forms tell."""
    node, other = unnamed(node), unnamed(other)
    if node in (other, DENY) or other == ALLOW:
        return True
    if isinstance(node, AnyOf):
        return all(implies(part, other) for part in node.parts)
    if isinstance(other, AllOf):
        return all(implies(node, part) for part in other.parts)
    if isinstance(other, AnyOf) and any(implies(node, part) for part in other.parts):
        return True
    if isinstance(node, AllOf) and any(implies(part, other) for part in node.parts):
        return True
    return other == Authenticated() and isinstance(node, Scope | Owner)


def conditions_on_rows(node: PolicyNode, *, known: bool, scopes: frozenset[str], decide: Decide = _open) -> query.Node:
    """What a policy asks of a row once it is known who calls, in the query language.

    Returns:
        `query.ALL` and `query.NONE` (the very constants) where the row does not matter.
    """
    return _on_rows(fold(node, known=known, scopes=scopes, decide=decide))


def _on_rows(node: PolicyNode) -> query.Node:
    """A negation is the exact complement: a comparison with null does not hold, and nor does one with a caller whose id
    is no value of that kind, so that its negation does. What is still open of the caller is not fulfilled."""
    match node:
        case Owner(path):
            return query.Compare(path, "eq", query.SUBJECT)
        case Compare(path, name, value):
            return query.Compare(path, name, _operand(value))
        case Through(path, relation, _, where):
            return query.Through(path, relation, _on_rows(where))
        case AllOf(parts) | AnyOf(parts):
            folded = tuple(map(_on_rows, parts))
            return query.Every(folded) if isinstance(node, AllOf) else query.Either(folded)
        case Not(Through(path, relation, _, where)):
            return query.Through(path, relation, _on_rows(where), none=True)
        case Not(Owner() | Compare() as part):
            return query.Not(_on_rows(part))
        case _:
            return query.ALL if node == ALLOW else query.NONE


def _operand(value: Compared) -> query.Operand:
    match value:
        case None | OfCaller():
            return value
        case ValueAt(path):
            return query.ValueAt(path)
        case Outside(path):
            return query.Outside(path)
        case Now():
            return query.NOW
        case _:
            return query.Constant(value)


def paths(node: PolicyNode) -> frozenset[Path]:
    """Every value of the row, or of rows it refers to, that the policy looks at by itself. What it looks at in the rows
    of lists is not among them."""
    match node:
        case Compare(path, _, ValueAt(other)):
            return frozenset((path, other))
        case Owner(path) | Compare(path):
            return frozenset((path,))
        case _:
            return frozenset[Path]().union(*map(paths, () if isinstance(node, Through) else parts(node)))


def parts(node: PolicyNode) -> tuple[PolicyNode, ...]:
    """The policies that a policy is made of."""
    match node:
        case AllOf(found) | AnyOf(found):
            return found
        case Not(part) | Named(_, _, part):
            return (part,)
        case Through():
            return (node.where,)
        case _:
            return ()


def within(node: PolicyNode) -> Iterator[PolicyNode]:
    """A policy and all that it is made of, at any depth."""
    yield node
    for part in parts(node):
        yield from within(part)


def of_caller(node: PolicyNode) -> tuple[OfCaller, ...]:
    """Every value of the caller that the policy asks for, beside the id and the scopes, each once."""
    found = (
        each.value if isinstance(each, Compare) else each.of if isinstance(each, CallerIs) else None
        for each in within(node)
    )
    return tuple(dict.fromkeys(value for value in found if isinstance(value, OfCaller)))


def walked(node: PolicyNode) -> tuple[Through, ...]:
    """The lists that the policy looks into, from the row itself."""
    if isinstance(node, Through):
        return (node,)
    return tuple(found for part in parts(node) for found in walked(part))


def unnamed(node: PolicyNode) -> PolicyNode:
    """The policy without the names of its parts."""
    match node:
        case Named(_, _, part):
            return unnamed(part)
        case AllOf(found) | AnyOf(found):
            return replace(node, parts=tuple(map(unnamed, found)))
        case _:
            return node


def asks_now(node: PolicyNode) -> bool:
    """Whether the policy compares with the instant of the call."""
    return any(isinstance(each, Compare) and isinstance(each.value, Now) for each in within(node))


def scopes(node: PolicyNode) -> tuple[str, ...]:
    """Every scope the policy names, in order, each once."""
    return tuple(dict.fromkeys(each.name for each in within(node) if isinstance(each, Scope)))


def describe(node: PolicyNode) -> str:
    """The policy as its author would write it."""
    match node:
        case Public():
            return "public"
        case Authenticated():
            return "authenticated"
        case Scope(name):
            return f'scope("{name}")'
        case Owner(path):
            return f"this.{'.'.join(path)} == caller"
        case Compare(path, "isNull"):
            return f"this.{'.'.join(path)} is null"
        case Compare(path, name, value):
            return f"this.{'.'.join(path)} {_SYMBOLS[name]} {_described(value)}"
        case CallerIs(of, name, value):
            return f"{of} {_SYMBOLS[name]} {_described(value)}"
        case Through(path, relation, _, where):
            return f"{'.'.join(('this', *path, relation))}.any({describe(where)})"
        case Not(Through(path, relation, _, where)):
            return f"{'.'.join(('this', *path, relation))}.none({describe(where)})"
        case Named(name, _, part):
            return f'named("{name}", {describe(part)})'
        case AllOf(found):
            return " & ".join(_grouped(part) for part in found)
        case AnyOf(found):
            return " | ".join(_grouped(part) for part in found)
        case Not(part):
            return f"~{_grouped(part)}"


_SYMBOLS = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "in": "in"}


def _described(value: Compared) -> str:
    match value:
        case ValueAt(path):
            return f"this.{'.'.join(path)}"
        case Outside(path):
            return f"outer.{'.'.join(path)}"
        case Now():
            return "now()"
        case OfCaller():
            return str(value)
        case tuple():
            return f"({', '.join(map(repr, value))})"
        case _:
            return repr(value)


def _grouped(node: PolicyNode) -> str:
    return f"({describe(node)})" if isinstance(node, AllOf | AnyOf | Compare | CallerIs) else describe(node)
