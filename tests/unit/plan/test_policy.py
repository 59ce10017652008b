"""Whether one policy allows no more than another: as far as their forms tell, and never more than that."""

from __future__ import annotations

from itertools import product

import pytest

from sternpost.plan.policy import (
    ALLOW,
    DENY,
    AllOf,
    AnyOf,
    Authenticated,
    Compare,
    Not,
    Owner,
    PolicyNode,
    Scope,
    asks_now,
    fold,
    implies,
)
from sternpost.plan.policy import Now as Instant

A, B, C = Scope("a"), Scope("b"), Scope("c")
OWN = Owner(("owner",))
OPEN = Compare(("state",), "eq", "open")


@pytest.mark.parametrize(
    ("node", "other", "holds"),
    [
        (A, A, True),
        (A, B, False),
        (DENY, A, True),
        (A, ALLOW, True),
        (ALLOW, A, False),
        (A, AnyOf((A, B)), True),
        (A, AnyOf((B, C)), False),
        (AnyOf((A, B)), A, False),
        (AnyOf((A, B)), AnyOf((B, A, C)), True),
        (AllOf((A, B)), A, True),
        (AllOf((A, B)), C, False),
        (A, AllOf((A, B)), False),
        (AllOf((A, B, C)), AllOf((C, A)), True),
        (AllOf((A, OPEN)), AnyOf((OPEN, B)), True),
        (A, Authenticated(), True),
        (OWN, Authenticated(), True),
        (OPEN, Authenticated(), False),
        (Not(A), Authenticated(), False),
        (AllOf((OPEN, OWN)), Authenticated(), True),
        (AnyOf((OPEN, OWN)), Authenticated(), False),
    ],
)
def test_one_policy_within_another(node: PolicyNode, other: PolicyNode, holds: bool) -> None:
    assert implies(node, other) is holds


def test_nothing_is_implied_that_does_not_hold() -> None:
    """For every caller: whom the one allows, the other does."""
    leaves = (A, B, Authenticated(), ALLOW, DENY)
    nodes: list[PolicyNode] = [*leaves, *map(Not, leaves)]
    nodes += [kind(parts) for kind in (AllOf, AnyOf) for parts in product(leaves, repeat=2)]
    callers = [(False, frozenset[str]()), *((True, frozenset(held)) for held in ("", "a", "b", "ab"))]
    for node, other in product(nodes, repeat=2):
        if implies(node, other):
            for known, scopes in callers:
                allowed = [fold(each, known=known, scopes=scopes) == ALLOW for each in (node, other)]
                assert allowed != [True, False], (node, other, known, scopes)


@pytest.mark.parametrize(
    ("node", "folded"),
    [
        (AllOf((A, OPEN)), OPEN),
        (AllOf((B, OPEN)), DENY),
        (AnyOf((A, OPEN)), ALLOW),
        (AnyOf((B, OPEN)), OPEN),
        (AllOf((A, A)), ALLOW),
        (AnyOf((B, B)), DENY),
        (AllOf((OPEN, OPEN)), OPEN),
        (AllOf((OPEN, OWN)), AllOf((OPEN, OWN))),
        (Not(AllOf((A, OPEN))), Not(OPEN)),
        (Not(B), ALLOW),
    ],
)
def test_what_depends_on_the_caller_alone_is_decided(node: PolicyNode, folded: PolicyNode) -> None:
    assert fold(node, known=True, scopes=frozenset({"a"})) == folded


def test_a_policy_is_asked_whether_it_needs_the_instant() -> None:
    later = Compare(("at",), "gt", Instant())
    assert all(map(asks_now, (later, Not(later), AllOf((A, later)), AnyOf((later, A)))))
    assert not any(map(asks_now, (A, OPEN, Not(OPEN), AllOf((A, OPEN)))))
