"""Authentication: from a credential to a principal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from sternpost.plan.caller import ClaimValue

NO_CLAIMS: Mapping[str, ClaimValue] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling.

    Attributes:
        subject: the id in the token's `sub`.
        tenant: the one that the caller acts for.
        claims: those of the token that the contract's policies ask for.
        api_key: the id of the key, for a caller who sent one.
    """

    subject: str
    scopes: frozenset[str]
    tenant: str | None = None
    claims: Mapping[str, ClaimValue] = field(default_factory=lambda: NO_CLAIMS, hash=False)
    api_key: str | None = None


NO_SCOPES: frozenset[str] = frozenset()
"""What a caller holds who sent no credentials."""


class Authenticator(Protocol):
    """Verifies credentials."""

    async def authenticate(self, token: str) -> Principal:
        """The principal of a bearer token.

        Raises:
            Unauthenticated: the token is not valid.
            Unavailable: the keys to verify it cannot be had right now.
        """
        ...

    async def close(self) -> None:
        """Gives connections back."""
        ...
