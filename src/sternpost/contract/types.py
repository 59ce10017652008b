"""Types that a contract may use beyond Python's own: what each means to validation, storage and documentation."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any


@dataclass(frozen=True, slots=True)
class Format:
    """A string with a pattern and an OpenAPI format. Put it in `Annotated[str, Format(...)]` for an own type."""

    name: str
    pattern: str
    max_length: int


_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LAST_LABEL = "[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL_PATTERN = rf"^{_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)+{_LAST_LABEL}$"
"""A dot-string before the @ and a host name with at least one dot behind it (RFC 5321, 4.1.2), in ASCII."""

Email = Annotated[str, Format("email", EMAIL_PATTERN, 254)]
"""An e-mail address; at most 254 characters (RFC 5321)."""

Url = Annotated[str, Format("uri", r"^https?://[!-~]+$", 2048)]
"""An absolute http or https address in ASCII."""

Slug = Annotated[str, Format("slug", "^[a-z0-9]+(?:-[a-z0-9]+)*$", 100)]
"""A part of an address: lower-case letters, digits and single hyphens, at most 100 characters."""

IPAddress = IPv4Address | IPv6Address
"""An IPv4 or IPv6 address."""

Json = dict[str, Any] | list[Any] | str | int | float | bool | None
"""Any JSON value."""
