"""Rows to develop with: `sternpost seed`. Run twice, it leaves the same rows."""

from __future__ import annotations

from datetime import date, time

from clinic.contract import Address, Hours
from clinic.data import Data

CLINIC = "cln_01890000000070008000000000000001"
DORA = "pra_01890000000070008000000000000002"
PIA = "pat_01890000000070008000000000000003"
ROOM = "rom_01890000000070008000000000000004"


async def seed(data: Data) -> None:
    """A practice with one practitioner, one patient and one room."""
    address = Address(street="1 High Street", city="York")
    await data.clinics.upsert(CLINIC, create={"name": "York", "slug": "york", "address": address}, update={})
    hours = [Hours(weekday=1, opens_at=time(9), closes_at=time(17))]
    await data.practitioners.upsert(DORA, create={"clinic_id": CLINIC, "name": "Dora", "hours": hours}, update={})
    await data.patients.upsert(
        PIA, create={"clinic_id": CLINIC, "full_name": "Pia", "born_on": date(1990, 5, 17)}, update={}
    )
    await data.rooms.upsert(ROOM, create={"clinic_id": CLINIC, "name": "1"}, update={})
