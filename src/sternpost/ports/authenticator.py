"""Authentication: from a credential to a principal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: the id in the token's `sub`, its scopes, and the tenant that it acts for."""

    subject: str
    scopes: frozenset[str]
    tenant: str | None = None


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
