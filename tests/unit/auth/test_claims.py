"""Which claims of a token are kept, and what a policy reads of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from sternpost.auth.jwt import JwtAuthenticator, make_token
from sternpost.plan.caller import LIST_MAX, TEXT_MAX, OfCaller
from sternpost.ports.authenticator import Principal

SECRET = "unit-tests-7f3a9c1e5b2d4860a1c3e5f7"
NOW = datetime(2026, 1, 31, tzinfo=UTC)
IDENTITY = "0198c1d0-7e3a-7cc1-9b2f-4f0e5a6b7c8d"
DIGITS = "0198c1d07e3a7cc19b2f4f0e5a6b7c8d"


class StandingClock:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


async def principal(known: frozenset[str], claims: dict[str, Any]) -> Principal:
    at = int(NOW.timestamp())
    token = make_token(SECRET, subject="ann", scopes=[], expires=at + 60, issued=at, claims=claims)
    return await JwtAuthenticator(StandingClock(), secret=SECRET, known_claims=known).authenticate(token)


async def test_claims_that_no_policy_names_are_not_kept() -> None:
    found = await principal(frozenset({"plan"}), {"plan": "pro", "email": "ann@example.com"})
    assert found.claims == {"plan": "pro"}
    assert (await principal(frozenset(), {"plan": "pro"})).claims == {}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("pro", "pro"),
        ("", ""),
        (7, 7),
        (True, True),
        (["a", 1, True], ("a", 1, True)),
        ([], ()),
        ("x" * TEXT_MAX, "x" * TEXT_MAX),
        ("x" * (TEXT_MAX + 1), None),
        (1.5, None),
        (None, None),
        ({"a": 1}, None),
        (["a", None], None),
        ([["a"]], None),
        (list(range(LIST_MAX)), tuple(range(LIST_MAX))),
        (list(range(LIST_MAX + 1)), None),
    ],
)
async def test_what_is_kept_has_a_type_and_a_size(sent: Any, kept: Any) -> None:
    found = await principal(frozenset({"it"}), {"it": sent})
    assert found.claims.get("it") == kept
    assert ("it" in found.claims) is (kept is not None)


@pytest.mark.parametrize(
    ("form", "value", "read"),
    [
        (OfCaller("claim", "it", "string"), "a", "a"),
        (OfCaller("claim", "it", "string"), 1, None),
        (OfCaller("claim", "it", "string"), "a\0", None),
        (OfCaller("claim", "it", "string"), "\ud800", None),
        (OfCaller("claim", "it", "string"), ("a",), None),
        (OfCaller("claim", "it", "integer"), 2**63 - 1, 2**63 - 1),
        (OfCaller("claim", "it", "integer"), 2**63, None),
        (OfCaller("claim", "it", "integer"), True, None),
        (OfCaller("claim", "it", "boolean"), False, False),
        (OfCaller("claim", "it", "boolean"), 0, None),
        (OfCaller("claim", "it", "uuid"), IDENTITY.upper(), UUID(IDENTITY)),
        (OfCaller("claim", "it", "uuid"), DIGITS, None),
        (OfCaller("claim", "it", "id", "usr"), f"usr_{DIGITS}", DIGITS),
        (OfCaller("claim", "it", "id", "usr"), f"tea_{DIGITS}", None),
        (OfCaller("claim", "it", "enum", choices=("a", "b")), "b", "b"),
        (OfCaller("claim", "it", "enum", choices=("a", "b")), "c", None),
        (OfCaller("claim", "it", "string", many=True), ("a", "b"), ["a", "b"]),
        (OfCaller("claim", "it", "string", many=True), (), []),
        (OfCaller("claim", "it", "string", many=True), ("a", 1), None),
        (OfCaller("claim", "it", "string", many=True), "a", None),
    ],
)
def test_a_value_of_another_form_is_none(form: OfCaller, value: Any, read: Any) -> None:
    found = form.read(Principal("ann", frozenset(), claims={"it": value}))
    assert (found, type(found)) == (read, type(read))
    assert form.read(Principal("ann", frozenset())) is None
    assert form.read(None) is None


def test_the_tenant_and_the_key() -> None:
    caller = Principal("ann", frozenset(), f"tea_{DIGITS}", api_key="key_1")
    assert OfCaller("tenant", "", "id", "tea").read(caller) == DIGITS
    assert OfCaller("tenant", "", "string").read(caller) == f"tea_{DIGITS}"
    assert OfCaller("apiKey", "", "string").read(caller) == "key_1"
    assert OfCaller("apiKey", "", "string").read(Principal("ann", frozenset())) is None
