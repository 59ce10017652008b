"""What the tests share. `client`, `data` and `clock` are fixtures of Sternpost."""

from __future__ import annotations

import pytest
from clinic.contract import Address
from clinic.data import Data
from world import World

from sternpost.testing import Client


@pytest.fixture
async def world(client: Client, data: Data) -> World:
    """Two practices; in the first one Dora and Dan see patients, of whom Pia is one and Paul another."""
    places = [
        await data.clinics.create(
            {"name": name, "slug": name.lower(), "address": Address(street="High Street", city=name)}
        )
        for name in ("York", "Leeds")
    ]
    made = World(client, places[0].id, places[1].id)
    opening = [{"weekday": 1, "opensAt": "09:00", "closesAt": "11:00"}]
    for who, specialty in (("dora", "general"), ("dan", "dental")):
        row = await made.make(made.boss, "practitioners", name=who.title(), specialty=specialty, hours=opening)
        made.ids[who] = row["id"]
    for who, born in (("pia", "1990-05-17"), ("paul", "1950-02-28")):
        row = await made.make(made.desk, "patients", fullName=who.title(), bornOn=born, email=f"{who}@example.com")
        made.ids[who] = row["id"]
    return made
