"""Who sees which patients, and what they hold."""

from __future__ import annotations

from datetime import UTC, datetime

from world import API, World

from sternpost.testing import ManualClock


async def test_seen_by_whoever_treats_them(world: World) -> None:
    pia = f"{API}/patients/{world.ids['pia']}"
    for who, scopes, status in (("pia", (), 200), ("paul", (), 404), ("dora", (), 404), ("x", ("clinic:staff",), 200)):
        assert (await world.caller(who, *scopes).get(pia)).status == status, who
    await world.appointment()
    assert (await world.caller("dora").get(pia)).status == 200
    assert (await world.caller("dan").get(pia)).status == 404
    await world.make(world.desk, "carers", patientId=world.ids["pia"], practitionerId=world.ids["dan"])
    assert (await world.caller("dan").get(pia)).status == 200
    assert [row["fullName"] for row in (await world.caller("dan").get(f"{API}/patients")).data] == ["Pia"]


async def test_practices_are_apart(world: World) -> None:
    elsewhere = world.caller("desk", "clinic:staff", clinic=world.other)
    assert (await elsewhere.get(f"{API}/patients")).data == []
    assert (await elsewhere.get(f"{API}/patients/{world.ids['pia']}")).status == 404
    twin = {"fullName": "Pia", "bornOn": "1990-05-17", "email": "pia@example.com"}
    assert (await elsewhere.post(f"{API}/patients", json=twin)).status == 201
    assert (await world.desk.post(f"{API}/patients", json=twin)).error["code"] == "DUPLICATE"


async def test_contacts_and_allergies(world: World) -> None:
    pia = f"{API}/patients/{world.ids['pia']}"
    contacts = [{"kind": "phone", "number": "+44 1904 555"}, {"kind": "mail", "address": "pia@example.org"}]
    changed = await world.caller("pia").patch(pia, json={"contacts": contacts, "allergies": ["nuts", "latex"]})
    assert (changed.status, changed.data["contacts"]) == (200, contacts)
    wrong = await world.caller("pia").patch(pia, json={"contacts": [{"kind": "phone", "number": "no"}]})
    assert [detail["path"] for detail in wrong.error["details"]] == ["contacts.0.phone.number"]
    found = await world.desk.get(f"{API}/patients?allergies[hasAny]=nuts,pollen")
    assert [row["fullName"] for row in found.data] == ["Pia"]


async def test_notes_are_for_who_may_read_them(world: World) -> None:
    pia = f"{API}/patients/{world.ids['pia']}"
    doctor = world.caller("dora", "clinic:staff", "clinic:notes")
    assert (await doctor.patch(pia, json={"notes": "Afraid of needles"})).data["notes"] == "Afraid of needles"
    assert "notes" not in (await world.desk.get(pia)).data
    assert (await world.desk.patch(pia, json={"notes": "None"})).status == 403


async def test_a_deleted_patient_is_kept(world: World) -> None:
    pia = f"{API}/patients/{world.ids['pia']}"
    assert (await world.desk.delete(pia)).status == 403
    assert (await world.boss.delete(pia)).status == 204
    assert (await world.desk.get(pia)).status == 404


async def test_the_older_version(world: World) -> None:
    old = (await world.desk.get(f"/api/v1/patients/{world.ids['pia']}")).data
    assert old["name"] == "Pia"
    assert not {"fullName", "allergies"} & set(old)
    assert (await world.desk.get(f"/api/v1/practitioners/{world.ids['dora']}/free?day=2026-01-05")).status == 404


async def test_found_by_the_beginnings_of_words(world: World) -> None:
    await world.make(world.desk, "patients", fullName="Ann-Marie Pike", bornOn="1980-01-01")
    found = await world.desk.get(f"{API}/patients?search=pi ann")
    assert [row["fullName"] for row in found.data] == ["Ann-Marie Pike"]
    found = await world.desk.get(f"{API}/patients?search=PI")
    assert {row["fullName"] for row in found.data} == {"Ann-Marie Pike", "Pia"}
    assert (await world.caller("paul").get(f"{API}/patients?search=pia")).data == []


async def test_the_urgent_come_first(world: World) -> None:
    assert (await world.desk.patch(f"{API}/patients/{world.ids['paul']}", json={"triage": "urgent"})).status == 200
    await world.make(world.desk, "patients", fullName="Sue", bornOn="1980-01-01", triage="soon")
    listed = await world.desk.get(f"{API}/patients?sort=-triage&triage[gte]=soon")
    assert [row["fullName"] for row in listed.data] == ["Paul", "Sue"]


async def test_age_and_visits(world: World, clock: ManualClock) -> None:
    pia = f"{API}/patients/{world.ids['pia']}"
    made = await world.appointment("2026-01-05T09:00:00Z")
    await world.appointment("2026-01-06T09:00:00Z")
    done = await world.caller("dora").post(f"{API}/appointments/{made['id']}/finish")
    assert done.data["status"] == "done"
    seen = (await world.desk.get(pia)).data
    assert (seen["age"], seen["visits"], seen["lastVisit"]) == (35, 1, "2026-01-05T09:00:00Z")
    clock.set(datetime(2026, 5, 17, tzinfo=UTC))
    assert (await world.desk.get(pia)).data["age"] == 36
