"""Which names are masked in logs."""

from __future__ import annotations

from sternpost.plan.model import Plan

ALWAYS = frozenset(
    [
        *("password", "secret", "token", "api_key", "apiKey", "jwt"),
        *("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"),
    ]
)


def sensitive_names(*plans: Plan) -> frozenset[str]:
    """The names, in Python and in JSON of every version, of fields that the contract marks sensitive, and a few that
    always are."""
    marked = [field for plan in plans for resource in plan.resources for field in resource.shown if field.sensitive]
    return ALWAYS | {field.name for field in marked} | {field.public_name for field in marked}
