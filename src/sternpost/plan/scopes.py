"""Scopes: those that a contract asks for, and patterns that stand for several of them."""

from __future__ import annotations

from collections.abc import Iterable

from sternpost.plan.model import Plan
from sternpost.plan.policy import AllOf, AnyOf, Named, PolicyNode, Scope
from sternpost.plan.policy import scopes as scopes_of


def known_scopes(plan: Plan) -> frozenset[str]:
    """Every scope that a policy, a field or a reference of the contract asks for."""
    found: set[str] = set()
    for resource in plan.resources:
        policies = [operation.policy for operation in resource.operations]
        policies += [relation.link for relation in resource.relations if relation.link is not None]
        found.update(name for policy in policies for name in scopes_of(policy))
        asked = [scope for field in resource.shown for scope in (field.read_scope, field.write_scope)]
        asked += [relation.write_scope for relation in resource.relations]
        found.update(scope for scope in asked if scope is not None)
    return frozenset(found)


ALTERNATIVES_MAX = 20


def alternatives(policy: PolicyNode) -> tuple[tuple[str, ...], ...]:
    """Which scopes a token needs for a policy: those of one of these together. Where what else a policy asks for is
    enough, an alternative is empty. Of a policy with very many alternatives only that a token is needed is told."""
    found = tuple(dict.fromkeys(_alternatives(policy)))
    return found if found and len(found) <= ALTERNATIVES_MAX else ((),)


def _alternatives(policy: PolicyNode) -> list[tuple[str, ...]]:
    match policy:
        case Scope(name):
            return [(name,)]
        case Named(part=part):
            return _alternatives(part)
        case AnyOf(parts):
            return [scopes for part in parts for scopes in _alternatives(part)]
        case AllOf(parts):
            found: list[tuple[str, ...]] = [()]
            for part in parts:
                others = _alternatives(part)
                if len(found) * len(others) > ALTERNATIVES_MAX:
                    return [()]
                found = [tuple(dict.fromkeys((*one, *other))) for one in found for other in others]
            return found
        case _:
            return [()]


def is_pattern(text: str) -> bool:
    """Whether a text stands for several scopes. No scope of a contract holds a `*`."""
    return "*" in text


def expanded(patterns: Iterable[str], known: Iterable[str]) -> frozenset[str]:
    """Those of the known scopes that fit one of the patterns, in which `*` stands for any characters."""
    split = [pattern.split("*") for pattern in patterns]
    return frozenset(scope for scope in known if any(_fits(scope, parts) for parts in split))


def _fits(scope: str, parts: list[str]) -> bool:
    """Whether the parts of a pattern between its `*` follow each other in the scope, from its start to its end. Each is
    taken where it comes first, so the time grows with the length alone."""
    first, *middle, last = parts
    if not scope.startswith(first) or not scope.endswith(last) or len(scope) < len(first) + len(last):
        return False
    at, end = len(first), len(scope) - len(last)
    for part in middle:
        found = scope.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
