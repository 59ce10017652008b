"""Policies that allow everybody, or nobody, however they are written."""

from __future__ import annotations

import pytest

from sternpost.plan.policy import (
    ALLOW,
    AllOf,
    AnyOf,
    Authenticated,
    Named,
    Not,
    Owner,
    PolicyNode,
    Scope,
    closed_to_all,
    open_to_all,
)

WRITE = Scope("write")
OWNER = Owner(("owner",))


@pytest.mark.parametrize(
    ("policy", "is_open"),
    [
        (ALLOW, True),
        (AnyOf((ALLOW, WRITE)), True),
        (Named("all", "", ALLOW), True),
        (AnyOf((WRITE, Not(WRITE))), True),
        (AnyOf((WRITE, OWNER)), False),
        (Authenticated(), False),
        (AllOf((ALLOW, Authenticated())), False),
        (OWNER, False),
    ],
)
def test_open(policy: PolicyNode, is_open: bool) -> None:
    assert open_to_all(policy) is is_open


@pytest.mark.parametrize(
    ("policy", "is_closed"),
    [
        (Not(ALLOW), True),
        (AllOf((WRITE, Not(WRITE))), True),
        (AllOf((WRITE, Not(Scope("read")))), False),
        (AllOf((Authenticated(), Not(Authenticated()))), True),
        (OWNER, False),
        (WRITE, False),
    ],
)
def test_closed(policy: PolicyNode, is_closed: bool) -> None:
    assert closed_to_all(policy) is is_closed
