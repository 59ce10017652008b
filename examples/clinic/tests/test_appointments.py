"""Appointments: nobody is in two places at once."""

from __future__ import annotations

from world import API, World

from sternpost.testing import ManualClock

NINE, HALF_PAST, TEN = "2026-01-05T09:00:00Z", "2026-01-05T09:30:00Z", "2026-01-05T10:00:00Z"


async def test_no_practitioner_and_no_room_twice(world: World) -> None:
    room = (await world.make(world.boss, "rooms", name="1"))["id"]
    await world.appointment(NINE, roomId=room)
    body = {"patientId": world.ids["paul"], "startsAt": NINE, "endsAt": TEN}
    for taken in ({"practitionerId": world.ids["dora"]}, {"practitionerId": world.ids["dan"], "roomId": room}):
        answer = await world.desk.post(f"{API}/appointments", json=body | taken)
        assert (answer.status, answer.error["code"]) == (409, "OVERLAP")
    await world.appointment(HALF_PAST, endsAt=TEN, roomId=room)


async def test_times_in_a_wrong_order(world: World) -> None:
    body = {"practitionerId": world.ids["dora"], "patientId": world.ids["pia"], "startsAt": TEN, "endsAt": NINE}
    answer = await world.desk.post(f"{API}/appointments", json=body | {"reminderAt": TEN})
    assert answer.status == 422
    assert {detail["code"] for detail in answer.error["details"]} == {"starts_at_before_ends_at", "reminder_first"}


async def test_free_slots(world: World, clock: ManualClock) -> None:
    free = f"{API}/practitioners/{world.ids['dora']}/free?day=2026-01-05"
    pia = world.caller("pia")
    assert [slot["startsAt"][11:16] for slot in (await pia.get(free)).data] == ["09:00", "09:30", "10:00", "10:30"]
    first = await world.appointment(NINE)
    await world.appointment("2026-01-05T10:10:00Z", endsAt="2026-01-05T10:20:00Z")
    assert [slot["startsAt"][11:16] for slot in (await pia.get(free)).data] == ["09:30", "10:20"]
    await world.desk.post(f"{API}/appointments/{first['id']}/cancel", json={"reason": "Dora is ill"})
    assert [slot["startsAt"][11:16] for slot in (await pia.get(free)).data] == ["09:00", "09:30", "10:20"]
    clock.travel(days=3, hours=21, minutes=10)  # Monday, ten past nine
    assert [slot["startsAt"][11:16] for slot in (await pia.get(free)).data] == ["09:30", "10:20"]
    assert (await pia.get(free.replace("-05", "-06"))).data == []
    assert (await pia.get(free.replace("=2026-01-05", "=today"))).error["details"][0]["path"] == "day"


async def test_cancelling(world: World, clock: ManualClock) -> None:
    made = await world.appointment(NINE)
    path = f"{API}/appointments/{made['id']}/cancel"
    assert (await world.caller("paul").post(path, json={"reason": "No time"})).status == 404
    assert (await world.caller("pia").post(path, json={"reason": ""})).status == 400
    clock.travel(days=3)
    late = await world.caller("pia").post(path, json={"reason": "No time"})
    assert (late.status, late.error["code"]) == (409, "TOO_LATE")
    done = await world.caller("dora").post(path, json={"reason": "The practice is closed"})
    assert (done.data["status"], done.data["cancelledBecause"]) == ("cancelled", "The practice is closed")
    assert (await world.desk.post(path, json={"reason": "Again"})).status == 409


async def test_moving(world: World, clock: ManualClock) -> None:
    made = await world.appointment(NINE)
    path = f"{API}/appointments/{made['id']}"
    moved = {"startsAt": TEN, "endsAt": "2026-01-05T10:30:00Z"}
    assert (await world.desk.patch(path, json=moved)).status == 428
    seen = (await world.desk.get(path)).headers["etag"]
    assert (await world.desk.patch(path, json=moved, headers={"If-Match": seen})).data["startsAt"] == TEN
    assert (await world.desk.patch(path, json=moved, headers={"If-Match": seen})).status == 412
    clock.travel(days=4)
    seen = (await world.desk.get(path)).headers["etag"]
    begun = await world.desk.patch(path, json=moved, headers={"If-Match": seen})
    assert (begun.status, begun.error["details"][0]["message"]) == (403, "What has begun cannot be changed")


async def test_lists_are_filtered_over_what_they_refer_to(world: World) -> None:
    await world.appointment(NINE)
    await world.appointment(TEN, patientId=world.ids["paul"], practitionerId=world.ids["dan"])
    path = f"{API}/appointments"
    found = await world.desk.get(f"{path}?patient.fullName[iContains]=PAU")
    assert [row["patientId"] for row in found.data] == [world.ids["paul"]]
    either = await world.desk.get(f"{path}?or.1.practitioner.specialty=general&or.2.startsAt[gte]={TEN}")
    assert len(either.data) == 2
    assert [row["startsAt"] for row in (await world.caller("pia").get(path)).data] == [NINE]


async def test_overlaps_are_refused_whoever_writes(world: World) -> None:
    """Two at the same moment: one of them wins."""
    body = {"practitionerId": world.ids["dora"], "patientId": world.ids["pia"], "startsAt": NINE, "endsAt": TEN}
    steps = [{"operation": "appointments.create", "body": body}] * 2
    answer = await world.desk.post(f"{API}/$batch", json={"operations": steps})
    assert answer.status == 409
    assert (await world.desk.get(f"{API}/appointments")).data == []
