"""Rate limits in the description: the headers of answers, the answer 429, and the extension `x-rate-limit`."""

from __future__ import annotations

from typing import Any

from sternpost.derive.openapi.schemas import Schema
from sternpost.plan.limits import LimitPlan, describe_limit, limit_id
from sternpost.plan.model import OperationPlan, Plan

EXTENSION = "x-rate-limit"

_TEXT: Schema = {"type": "string"}
_HEADERS: Schema = {
    "RateLimit-Policy": {
        "description": "Each rate limit of the operation with its quantity `q` and its period `w` in seconds "
        "(draft-ietf-httpapi-ratelimit-headers-10)",
        "schema": _TEXT,
    },
    "RateLimit": {
        "description": "For each of them what remains, `r`, and in how many seconds all is there again, `t`",
        "schema": _TEXT,
    },
}
_RETRY_AFTER: Schema = {
    "description": "After how many seconds the request can pass",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}


def told(plan: Plan, operation: OperationPlan) -> tuple[tuple[str, LimitPlan], ...]:
    """The limits that clients are told of, by their names in headers; one that refuses nobody is nothing to them."""
    service = [(limit_id(None, limit), limit) for limit in plan.throttles]
    own = [(limit.name, limit) for limit in plan.limits_of(operation)]
    return tuple((name, limit) for name, limit in (*service, *own) if not limit.shadow)


def with_limits(described: Schema, limits: tuple[tuple[str, LimitPlan], ...]) -> Schema:
    """The description of an operation with what its limits add to it."""
    if not limits:
        return described
    responses: dict[str, Any] = {
        status: {**response, "headers": {**response.get("headers", {}), **_HEADERS}}
        if "$ref" not in response
        else response
        for status, response in described["responses"].items()
    }
    responses["429"] = {"$ref": "#/components/responses/Error429"}
    return {
        **described,
        EXTENSION: [_described(name, limit) for name, limit in limits],
        "responses": dict(sorted(responses.items(), key=lambda pair: (pair[0] >= "400", pair[0]))),
    }


def refused_headers() -> Schema:
    """The headers of the answer 429."""
    return {"Retry-After": _RETRY_AFTER, **_HEADERS}


def _described(name: str, limit: LimitPlan) -> Schema:
    found: Schema = {
        "name": name,
        "algorithm": limit.algorithm,
        "quantity": limit.quantity,
        "periodSeconds": limit.period_us / 1_000_000 if limit.period_us % 1_000_000 else limit.period_us // 1_000_000,
        "by": [str(whom) for whom in limit.by],
        "description": describe_limit(limit),
    }
    if limit.claim is not None:
        found["claim"] = limit.claim
        found["quantities"] = {str(value): quantity for value, quantity in limit.tiers}
    if limit.depth is not None:
        found["depth"] = limit.depth
    if limit.queues:
        found["queue"] = True
    return {**found, "cost": limit.cost if limit.cost_of is None else f"{limit.cost_of} of the input"}
