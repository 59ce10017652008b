"""Which names are masked in logs."""

from __future__ import annotations

from collections.abc import Iterator

from sternpost.plan.model import FieldPlan, Plan
from sternpost.plan.structures import parts_of

ALWAYS = frozenset(
    [
        *("password", "secret", "token", "api_key", "apiKey", "jwt"),
        *("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"),
    ]
)


def sensitive_names(*plans: Plan) -> frozenset[str]:
    """The names, in Python and in JSON of every version, of fields that the contract marks sensitive, in payloads, too,
    and a few that always are."""
    marked = [field for plan in plans for field in _fields(plan) if field.sensitive]
    return ALWAYS | {field.name for field in marked} | {field.public_name for field in marked}


def _fields(plan: Plan) -> Iterator[FieldPlan]:
    """Every field of resources, of inputs and of outputs, and what their values consist of."""
    for resource in plan.resources:
        own = [payload for operation in resource.operations for payload in (operation.input, operation.output)]
        for field in (*resource.shown, *(each for payload in own if payload for each in payload.fields)):
            yield field
            yield from parts_of(field)
