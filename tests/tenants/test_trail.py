"""The audit trail of one tenant, as the data client reads it."""

from __future__ import annotations

from collections.abc import Callable

from sternpost import Contract, Create, Resource, Settings, Sternpost, authenticated
from sternpost.testing import Client


class Note(Resource, prefix="not", tenant="team", audit=True):
    """Of one team."""

    team: str
    text: str
    create = Create(allow=authenticated)


async def test_a_tenants_trail_has_its_own_changes_alone(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(Contract("notes", resources=[Note]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        for team in ("red", "blue"):
            await client.post("/api/v1/notes", json={"text": team}, token=client.token("ada", tenant=team))
        for team in ("red", "blue"):
            async with app.data(tenant=team) as db:
                assert [entry.tenant for entry in await db.audit_trail()] == [team]
        async with app.data(tenants="all") as db:
            assert {entry.tenant for entry in await db.audit_trail()} == {"red", "blue"}
