"""Two practices, and the people of the first one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sternpost.testing import Caller, Client

API = "/api/v2"


@dataclass
class World:
    """The people of one practice, and another practice."""

    client: Client
    clinic: str
    other: str
    ids: dict[str, str] = field(default_factory=dict[str, str])

    def caller(self, who: str, *scopes: str, clinic: str | None = None) -> Caller:
        """Somebody of the practice by their name here, or by the `sub` of a token."""
        return self.client.as_(self.ids.get(who, who), *scopes, tenant=clinic or self.clinic)

    @property
    def desk(self) -> Caller:
        """The front desk."""
        return self.caller("desk", "clinic:staff")

    @property
    def boss(self) -> Caller:
        """Who manages the practice."""
        return self.caller("boss", "clinic:admin")

    async def make(self, caller: Caller, path: str, **values: Any) -> dict[str, Any]:
        """A new row, as it was answered."""
        answer = await caller.post(f"{API}/{path}", json=values)
        assert answer.status == 201, answer.content
        return answer.data

    async def appointment(self, starts_at: str = "2026-01-05T09:00:00Z", **values: Any) -> dict[str, Any]:
        """An appointment of Pia with Doctor Dora: half an hour, on a Monday."""
        body = {"practitionerId": self.ids["dora"], "patientId": self.ids["pia"], "startsAt": starts_at}
        return await self.make(
            self.desk, "appointments", **{**body, "endsAt": starts_at.replace(":00:00", ":30:00")} | values
        )
