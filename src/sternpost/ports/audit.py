"""The audit trail as it is read. What writes it is the database itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Action = Literal["create", "update", "delete", "restore", "link", "unlink"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change of one row.

    Attributes:
        at: by the database's clock.
        actor: the caller: the subject of the token or key, or the name that a script gave. None if unknown, as for SQL
            that is run by hand.
        operation, request_id: the operation and the request in which it happened, where there was one.
        resource, row_id: which row, as clients know it.
        before, after: by JSON name what changed; all of the row where it was created or removed.
    """

    id: int
    at: datetime
    actor: str | None
    operation: str | None
    request_id: str | None
    action: Action
    resource: str
    row_id: str
    tenant: str | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries: those that fit all that is given, the newest first."""

    resource: str | None = None
    row_id: str | None = None
    actor: str | None = None
    operation: str | None = None
    request_id: str | None = None
    tenant: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50


class AuditTrail(Protocol):
    """What happened to the rows of audited resources."""

    async def entries(self, query: AuditQuery) -> list[AuditEntry]:
        """Entries, the newest first."""
        ...
