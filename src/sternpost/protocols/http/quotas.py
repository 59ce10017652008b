"""Rate limits in the headers of answers: `RateLimit-Policy` and `RateLimit`
(draft-ietf-httpapi-ratelimit-headers-10)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sternpost.pipeline.call import Quota
from sternpost.protocols.http.messages import Header

TOLD_MAX = 8
"""Limits that an answer tells: a batch may have passed many, and clients take some kilobytes of headers in all."""


@lru_cache(maxsize=1000)
def _policy(name: str, policy: str) -> Header:
    return b"ratelimit-policy", f'"{name}";{policy}'.encode()


def quota_headers(quotas: Sequence[Quota]) -> list[Header]:
    """The headers; of very many limits those of which least is left."""
    if len(quotas) == 1:  # nearly always
        name, policy, remaining, reset_seconds = quotas[0]
        return [_policy(name, policy), (b"ratelimit", f'"{name}";r={remaining};t={reset_seconds}'.encode())]
    told = quotas if len(quotas) <= TOLD_MAX else sorted(quotas, key=lambda quota: quota.remaining)[:TOLD_MAX]
    policies = ", ".join([f'"{quota.name}";{quota.policy}' for quota in told])
    left = ", ".join([f'"{quota.name}";r={quota.remaining};t={quota.reset_seconds}' for quota in told])
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", left.encode())]
