"""Calls that tests of rules make."""

from __future__ import annotations

from typing import Any

from sternpost.testing import Client
from sternpost.testing.client import Response


def hour(number: int | None) -> str | None:
    """An instant by its hour."""
    return None if number is None else f"2026-03-01T{number:02}:00:00Z"


class Visits:
    """Visits to one practitioner."""

    def __init__(self, client: Client, practitioner: str) -> None:
        self.client = client
        self.practitioner = practitioner

    def body(self, start: int | None, end: int | None, **more: Any) -> dict[str, Any]:
        return {"practitionerId": self.practitioner, "startsAt": hour(start), "endsAt": hour(end), **more}

    async def post(self, start: int | None, end: int | None, **more: Any) -> Response:
        return await self.client.post("/api/v1/visits", json=self.body(start, end, **more))

    async def made(self, start: int | None, end: int | None, **more: Any) -> str:
        answer = await self.post(start, end, **more)
        assert answer.status == 201, answer.json()
        return answer.data["id"]

    async def patch(self, id: str, **body: Any) -> Response:
        return await self.client.patch(f"/api/v1/visits/{id}", json=body)

    async def count(self) -> int:
        return (await self.client.get("/api/v1/visits")).json()["meta"]["totalCount"]


def broken(answer: Response) -> dict[str, set[str]]:
    """Of a 422 the checks with the members that each is about."""
    assert (answer.status, answer.error["code"]) == (422, "CONSTRAINT_VIOLATED"), answer.json()
    found: dict[str, set[str]] = {}
    for detail in answer.error["details"]:
        found.setdefault(detail["code"], set()).add(detail["path"])
    return found


def overlaps(answer: Response) -> set[str]:
    """Of a 409 the members that the span is made of."""
    assert (answer.status, answer.error["code"]) == (409, "OVERLAP"), answer.json()
    return {detail["path"] for detail in answer.error["details"]}
