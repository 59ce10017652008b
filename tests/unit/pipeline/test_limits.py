"""Keys of limits: no two callers share one, and no caller has two; and what a call costs its limiter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sternpost.networks import limit_address
from sternpost.pipeline.limits import BoundLimit, bound
from sternpost.plan.limits import LimitPlan, Whom, describe_limit, is_at_least, limit_from_data, limit_id
from sternpost.plan.model import FieldPlan, as_data
from sternpost.ports.authenticator import Principal

MINUTE = 60_000_000
EMAIL = FieldPlan(name="email", public_name="email", kind="string", ignore_case=True)
CODE = FieldPlan(name="code", public_name="code", kind="string")
TAKES: dict[str, Any] = {"email": EMAIL, "code": CODE}

WHOM = (
    Whom("address"),
    Whom("principal"),
    Whom("apiKey"),
    Whom("tenant"),
    Whom("claim", "team"),
    Whom("given", "email"),
    Whom("given", "code"),
)

TRICKY = st.sampled_from(
    ["", "a", "b", "a:b", "1:a", "p1:a", "a1:ap1:b", "-", "*", "'a'", "None", "\x00", "é", "\ud800"]
)
ADDRESSES = st.sampled_from(
    ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::ffff:10.0.0.1", None]
)
CLAIMS = st.sampled_from([None, "red", "1", 1, True, ("red",), ("red", "blue"), ("1",), (1,)])
PRINCIPALS = st.none() | st.builds(
    lambda subject, tenant, key, team: Principal(
        subject, frozenset(), tenant, {} if team is None else {"team": team}, key
    ),
    TRICKY,
    st.none() | TRICKY,
    st.none() | TRICKY,
    CLAIMS,
)
VALUES = st.fixed_dictionaries(
    {}, optional={"email": TRICKY | st.sampled_from(["A", "a:B"]), "code": TRICKY | st.none()}
)
CALLS = st.tuples(ADDRESSES, PRINCIPALS, VALUES)

Called = tuple[str | None, Principal | None, dict[str, Any]]


def limited(*by: Whom, name: str = "minute", operation: str = "notes.create", **more: Any) -> BoundLimit:
    plan = LimitPlan(name, "fixed_window", 10, MINUTE, by, **more)
    return bound(plan, limit_id(operation, plan), name, TAKES, None)


def who(whom: Whom, call: Called) -> Any:
    """Whom a call is counted for, said without bytes: independently of how keys are made."""
    address, principal, values = call
    by_address = (
        "address",
        address and {"::ffff:10.0.0.1": "10.0.0.1", "2001:db8::2": "2001:db8::1"}.get(address, address),
    )
    by_principal = by_address if principal is None else ("principal", principal.subject)
    match whom.what:
        case "address":
            return by_address
        case "principal":
            return by_principal
        case "apiKey":
            return ("key", principal.api_key) if principal and principal.api_key is not None else by_principal
        case "tenant":
            return ("tenant", principal.tenant) if principal and principal.tenant is not None else by_principal
        case "claim":
            found = principal.claims.get(whom.name) if principal else None
            return by_principal if found is None else ("claim", repr(found))
        case _:
            value = values.get(whom.name)
            if whom.name == "email" and isinstance(value, str):
                value = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in value)
            return ("given", type(value), value)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WHOM), min_size=1, max_size=4, unique=True), CALLS, CALLS)
@example([WHOM[3], WHOM[1]], (None, Principal("b", frozenset(), "a"), {}), (None, Principal("b", frozenset(), "a"), {}))
@example(
    [WHOM[1], WHOM[6]],
    (None, Principal("a:b", frozenset()), {"code": ""}),
    (None, Principal("a", frozenset()), {"code": "b"}),
)
def test_two_calls_share_a_key_where_they_are_of_one_caller(by: list[Whom], one: Called, other: Called) -> None:
    limit = limited(*by)
    same = [who(whom, one) for whom in by] == [who(whom, other) for whom in by]
    assert (limit.key(*one) == limit.key(*other)) is same
    assert limit.key(*one) == limited(*by).key(*one)  # nothing of it depends on the process
    assert len(limit.key(*one)) == 16


@settings(max_examples=100, deadline=None)
@given(CALLS)
def test_limits_share_no_key(call: Called) -> None:
    limits: list[BoundLimit] = [
        *(limited(*by) for count in (1, 2) for by in permutations(WHOM[1:4], count)),
    ]
    other = [
        limited(Whom("principal"), name="other"),
        limited(Whom("principal"), operation="notes.update"),
        limited(Whom("service")),
    ]
    keys = [limit.key(*call) for limit in (*limits, *other)]
    tuples = [
        (limit.id, tuple(who(whom, call) if whom.what != "service" else "*" for whom in limit.plan.by))
        for limit in (*limits, *other)
    ]
    assert [[a == b for a in keys] for b in keys] == [[a == b for a in tuples] for b in tuples]


def test_the_counts_of_another_algorithm_or_period_are_others() -> None:
    call = (None, Principal("ada", frozenset()), {})
    plan = LimitPlan("minute", "fixed_window", 10, MINUTE, (Whom("principal"),))
    keys = [
        bound(each, "notes.create/minute", "minute", {}, None).key(*call)
        for each in (
            plan,
            LimitPlan("minute", "token_bucket", 10, MINUTE, plan.by),
            LimitPlan("minute", "fixed_window", 10, 2 * MINUTE, plan.by),
        )
    ]
    assert len(set(keys)) == 3
    more = LimitPlan("minute", "fixed_window", 20, MINUTE, plan.by)
    assert bound(more, "notes.create/minute", "minute", {}, None).key(*call) == keys[0]  # the count goes on


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unix:", "unix:"),
    ],
)
def test_a_client_is_counted_by_its_network(address: str, network: str) -> None:
    assert limit_address(address) == network


@pytest.mark.parametrize(
    ("value", "cost"), [(None, 1), (0, 1), (-5, 1), (7, 7), ([], 1), ([1, 2], 2), ({"a": 1, "b": 2, "c": 3}, 3)]
)
def test_a_value_of_the_input_costs_at_least_one(value: Any, cost: int) -> None:
    assert limited(Whom("service"), cost_of="code").cost({"code": value}) == cost


def test_a_queue_is_never_longer_than_a_call_may_take() -> None:
    plan = LimitPlan("drip", "leaky_bucket", 10, 1_000_000, (Whom("service"),), depth=1000, queues=True)
    depths = [bound(plan, "x", "x", {}, seconds).tier.rule.depth for seconds in (None, 30.0, 0.01)]
    assert depths == [1000, 300, 1]


@pytest.mark.parametrize(
    ("limit", "moment", "text"),
    [
        (
            LimitPlan("a", "fixed_window", 5, MINUTE, (Whom("address"),)),
            "arriving",
            "5 calls per minute for each address; fixed window",
        ),
        (
            LimitPlan("a", "token_bucket", 5, 30_000_000, (Whom("tenant"), Whom("principal")), depth=9, cost=2),
            "known",
            "5 units per 30 seconds for each tenant and principal; token bucket; burst 9; a call costs 2",
        ),
        (
            LimitPlan(
                "a", "leaky_bucket", 5, MINUTE, (Whom("service"),), "plan", (("pro", 9),), 3, queues=True, shadow=True
            ),
            "known",
            '5 (9 for pro, by claim("plan")) calls per minute in all; leaky bucket; depth 3; calls wait for their turn; '
            "shadow: refuses nobody",
        ),
        (
            LimitPlan(
                "a", "sliding_window", 5, 1500, (Whom("given", "email"),), cost_of="lines", passes_uncounted=False
            ),
            "valid",
            "5 units per 1500 microseconds for each email of the input; sliding window; a call costs lines of the input; "
            "refused while nobody can count",
        ),
    ],
)
def test_a_limit_in_words(limit: LimitPlan, moment: str, text: str) -> None:
    assert (limit.moment, describe_limit(limit)) == (moment, text)
    assert limit_from_data(as_data(limit)) == limit


def test_which_of_two_limits_lets_more_pass() -> None:
    def of(
        quantity: int = 10, tiers: Sequence[tuple[str, int]] = (("pro", 20),), depth: int | None = None
    ) -> LimitPlan:
        return LimitPlan("a", "token_bucket", quantity, MINUTE, (Whom("address"),), "plan", tuple(tiers), depth)

    assert is_at_least(of(), of())
    assert is_at_least(of(11), of())
    assert not is_at_least(of(9), of())
    assert not is_at_least(of(tiers=[("pro", 19)]), of())
    assert not is_at_least(of(tiers=[]), of())  # who had 20 has 10
    assert is_at_least(of(tiers=[("pro", 20), ("team", 30)]), of())
    assert not is_at_least(of(depth=5), of())
    assert not is_at_least(of(), of(tiers=[("pro", 20), ("team", 30)]))


def test_identifiers_of_one_value_have_one_form() -> None:
    """Values that are equal are written alike, whatever the client sent."""
    limit = limited(Whom("given", "code"))
    first, second = (
        UUID(text) for text in ("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}")
    )
    assert limit.key(None, None, {"code": first}) == limit.key(None, None, {"code": second})
