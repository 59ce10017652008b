"""API keys as they are stored. The key itself is never stored: only its digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key.

    Attributes:
        id: by which it is named and revoked; no secret.
        digest: SHA-256 of the key, in hexadecimal digits.
        subject: whom its holder acts as.
        tenant: whose rows its holder works with, or None.
        start: its first characters, by which its owner recognises it.
    """

    id: str
    name: str
    digest: str
    start: str
    subject: str
    tenant: str | None
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


class KeyStore(Protocol):
    """Where API keys are kept."""

    async def add(self, key: StoredKey) -> None:
        """Adds a key."""
        ...

    async def find(self, digest: str) -> StoredKey | None:
        """The key with this digest, also one that is revoked or expired; or None."""
        ...

    async def all(self) -> list[StoredKey]:
        """Every key, in order of creation."""
        ...

    async def revoke(self, id: str, at: datetime) -> bool:
        """Revokes a key; False where there is none that is in force."""
        ...

    async def used(self, id: str, at: datetime) -> None:
        """Notes when a key was used last."""
        ...
