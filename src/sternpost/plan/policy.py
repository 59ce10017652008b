"""Who may: policy expressions as data.

A policy is a tree of these nodes, which `sternpost.contract.policy` writes. Once it is known who calls, what is left of
it is a condition of the query language: the pipeline checks that for one row, and the builder of statements writes it
as SQL for many.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sternpost.plan import query
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


PolicyConstant = str | int | float | bool
Compared = PolicyConstant | tuple[PolicyConstant, ...] | ValueAt | Now | None
"""What a value is compared with; nothing for `isNull`."""


@dataclass(frozen=True, slots=True)
class Compare:
    """Rows whose value at `path` compares with a constant, with one of several (`in`), with another
    value, or with the instant of the call."""

    path: tuple[str, ...]
    operator: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "isNull"]
    value: Compared = None


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


PolicyNode = Public | Authenticated | Scope | Owner | Compare | AllOf | AnyOf | Not

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


def fold(node: PolicyNode, *, known: bool, scopes: frozenset[str]) -> PolicyNode:
    """Decides what depends on the caller alone; what is left speaks of rows only.

    Args:
        known: whether the caller has valid credentials.
        scopes: the scopes of the caller's token.

    Returns:
        `ALLOW`, `DENY`, or an expression of `Owner`, `Compare`, `AllOf`, `AnyOf` and `Not`.
    """
    match node:
        case Public():
            return ALLOW
        case Authenticated():
            return ALLOW if known else DENY
        case Scope(name):
            return ALLOW if name in scopes else DENY
        case Owner():
            return node if known else DENY
        case Compare():
            return node
        case AllOf(parts):
            return _join(parts, AllOf, ALLOW, DENY, known, scopes)
        case AnyOf(parts):
            return _join(parts, AnyOf, DENY, ALLOW, known, scopes)
        case Not(part):
            inner = fold(part, known=known, scopes=scopes)
            return DENY if inner == ALLOW else ALLOW if inner == DENY else Not(inner)


def implies(node: PolicyNode, other: PolicyNode) -> bool:
    """Whether whoever a policy allows is allowed by another one, too, as far as their forms tell."""
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


def _join(
    parts: tuple[PolicyNode, ...],
    kind: type[AllOf | AnyOf],
    neutral: PolicyNode,
    decisive: PolicyNode,
    known: bool,
    scopes: frozenset[str],
) -> PolicyNode:
    folded = [fold(part, known=known, scopes=scopes) for part in parts]
    if decisive in folded:
        return decisive
    rest = tuple(dict.fromkeys(part for part in folded if part != neutral))
    return neutral if not rest else rest[0] if len(rest) == 1 else kind(rest)


def conditions_on_rows(node: PolicyNode, *, known: bool, scopes: frozenset[str]) -> query.Node:
    """What a policy asks of a row once it is known who calls, in the query language.

    Returns:
        `query.ALL` and `query.NONE` (the very constants) where the row does not matter.
    """
    return _on_rows(fold(node, known=known, scopes=scopes), negated=False)


def _on_rows(node: PolicyNode, *, negated: bool) -> query.Node:
    """A negation moves to the comparisons. There it is their exact complement: a comparison with null does not hold,
    and nor does one with a caller whose id is no value of that kind, so that its negation does."""
    match node:
        case Owner(path):
            found = query.Compare(path, "eq", query.SUBJECT)
            return query.Not(found) if negated else found
        case Compare(path, name, value):
            found = query.Compare(path, name, _operand(value))
            return query.Not(found) if negated else found
        case AllOf(parts) | AnyOf(parts):
            folded = tuple(_on_rows(part, negated=negated) for part in parts)
            return query.Every(folded) if isinstance(node, AllOf) is not negated else query.Either(folded)
        case Not(part):
            return _on_rows(part, negated=not negated)
        case _:
            return query.ALL if (node == ALLOW) is not negated else query.NONE


def _operand(value: Compared) -> query.Operand:
    match value:
        case None:
            return None
        case ValueAt(path):
            return query.ValueAt(path)
        case Now():
            return query.NOW
        case _:
            return query.Constant(value)


def paths(node: PolicyNode) -> frozenset[Path]:
    """Every value of the row, or of rows it refers to, that the policy looks at."""
    match node:
        case Compare(path, _, ValueAt(other)):
            return frozenset((path, other))
        case Owner(path) | Compare(path):
            return frozenset((path,))
        case AllOf(parts) | AnyOf(parts):
            return frozenset[Path]().union(*(paths(part) for part in parts))
        case Not(part):
            return paths(part)
        case _:
            return frozenset[Path]()


def asks_now(node: PolicyNode) -> bool:
    """Whether the policy compares with the instant of the call."""
    match node:
        case Compare(_, _, Now()):
            return True
        case AllOf(parts) | AnyOf(parts):
            return any(map(asks_now, parts))
        case Not(part):
            return asks_now(part)
        case _:
            return False


def scopes(node: PolicyNode) -> tuple[str, ...]:
    """Every scope the policy names, in order, each once."""
    match node:
        case Scope(name):
            return (name,)
        case AllOf(parts) | AnyOf(parts):
            return tuple(dict.fromkeys(name for part in parts for name in scopes(part)))
        case Not(part):
            return scopes(part)
        case _:
            return ()


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
        case AllOf(parts):
            return " & ".join(_grouped(part) for part in parts)
        case AnyOf(parts):
            return " | ".join(_grouped(part) for part in parts)
        case Not(part):
            return f"~{_grouped(part)}"


_SYMBOLS = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "in": "in"}


def _described(value: Compared) -> str:
    match value:
        case ValueAt(path):
            return f"this.{'.'.join(path)}"
        case Now():
            return "now()"
        case tuple():
            return f"({', '.join(map(repr, value))})"
        case _:
            return repr(value)


def _grouped(node: PolicyNode) -> str:
    return f"({describe(node)})" if isinstance(node, AllOf | AnyOf | Compare) else describe(node)
