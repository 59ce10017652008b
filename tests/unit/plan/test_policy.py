"""Whether one policy allows no more than another: as far as their forms tell, and never more than that."""

from __future__ import annotations

from itertools import product

import pytest

from sternpost.plan.caller import OfCaller
from sternpost.plan.policy import (
    ALLOW,
    DENY,
    AllOf,
    AnyOf,
    Authenticated,
    CallerIs,
    Compare,
    Named,
    Not,
    Outside,
    Owner,
    PolicyNode,
    Scope,
    Through,
    asks_now,
    describe,
    fold,
    implies,
    of_caller,
    paths,
    walked,
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


PLAN = OfCaller("claim", "plan", "string")
PRO = CallerIs(PLAN, "eq", "pro")
SAME = Compare(("plan",), "eq", PLAN)
MEMBERS = Through(("team_id",), "members", "Member", OWN)


@pytest.mark.parametrize(
    ("node", "with_claim", "without"),
    [
        (PRO, ALLOW, DENY),
        (Not(PRO), DENY, DENY),
        (SAME, SAME, DENY),
        (Not(SAME), Not(SAME), DENY),
        (Not(AllOf((SAME, OPEN))), AnyOf((Not(SAME), Not(OPEN))), Not(OPEN)),
        (Not(AnyOf((SAME, OPEN))), AllOf((Not(SAME), Not(OPEN))), DENY),
        (Through((), "lines", "Line", SAME), Through((), "lines", "Line", SAME), DENY),
        (Not(Through((), "lines", "Line", SAME)), Not(Through((), "lines", "Line", SAME)), DENY),
        (Not(Through((), "lines", "Line", Not(PRO))), ALLOW, DENY),
        (
            Through((), "lines", "Line", AnyOf((SAME, OPEN))),
            Through((), "lines", "Line", AnyOf((SAME, OPEN))),
            Through((), "lines", "Line", OPEN),
        ),
        (Through((), "lines", "Line", AllOf((PRO, OPEN))), Through((), "lines", "Line", OPEN), DENY),
        (Not(Through((), "lines", "Line", B)), ALLOW, ALLOW),
        (Named("a", "A", AllOf((A, OPEN))), OPEN, OPEN),
        (Not(Not(MEMBERS)), MEMBERS, MEMBERS),
    ],
)
def test_what_is_compared_with_a_missing_claim_does_not_hold(
    node: PolicyNode, with_claim: PolicyNode, without: PolicyNode
) -> None:
    held = frozenset({"a"})
    assert fold(node, known=True, scopes=held, decide=lambda asked: True) == with_claim
    assert fold(node, known=True, scopes=held, decide=lambda asked: False) == without


def test_a_name_makes_no_difference_to_who_may() -> None:
    named = AllOf((Named("a", "A", A), OPEN))
    assert implies(named, AllOf((A, OPEN)))
    assert implies(AllOf((A, OPEN)), named)


def test_what_a_policy_is_made_of() -> None:
    inner = Through((), "notes", "Note", Compare(("level",), "gt", Outside(("level",))))
    node = AllOf((Named("a", "A", Through(("team_id",), "members", "Member", AllOf((inner, SAME)))), Not(PRO), OPEN))
    assert [each.relation for each in walked(node)] == ["members"]
    assert of_caller(node) == (PLAN,)
    assert paths(node) == {("state",)}
    assert describe(node) == (
        'named("a", this.team_id.members.any(this.notes.any(this.level > outer.level) & (this.plan == claim("plan"))))'
        " & ~(claim(\"plan\") == 'pro') & (this.state == 'open')"
    )
    assert describe(Not(MEMBERS)) == "this.team_id.members.none(this.owner == caller)"
