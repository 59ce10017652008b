"""The headers of a deprecated version: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and where to read how to
move on."""

from __future__ import annotations

from email.utils import format_datetime

from sternpost.pipeline.runtime import first_instant
from sternpost.plan.model import Plan
from sternpost.protocols.http.messages import Header


def deprecation_headers(plan: Plan) -> tuple[Header, ...]:
    """What every answer of the version carries; made once."""
    headers: list[Header] = []
    if plan.deprecated is not None:
        headers.append((b"deprecation", f"@{int(first_instant(plan.deprecated).timestamp())}".encode()))
    if plan.sunset is not None:
        headers.append((b"sunset", format_datetime(first_instant(plan.sunset), usegmt=True).encode()))
    if plan.deprecation_link is not None:
        relations = [name for name in ("deprecation", "sunset") if getattr(plan, _DAYS[name]) is not None]
        link = ", ".join(f'<{plan.deprecation_link}>; rel="{name}"' for name in relations)
        headers += [(b"link", link.encode())] if link else []
    return tuple(headers)


_DAYS = {"deprecation": "deprecated", "sunset": "sunset"}
