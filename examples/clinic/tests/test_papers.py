"""Prescriptions and invoices."""

from __future__ import annotations

from io import BytesIO

from pypdf import PdfReader
from world import API, World


async def test_prescribing_is_for_carers(world: World) -> None:
    body = {
        "patientId": world.ids["pia"],
        "practitionerId": world.ids["dora"],
        "medicine": "Ibuprofen",
        "doseMg": "400",
        "issuedOn": "2026-01-01",
        "validUntil": "2026-02-01",
    }
    dora = world.caller("dora")
    await world.appointment()
    assert (await dora.post(f"{API}/prescriptions", json=body)).status == 403
    await world.make(world.desk, "carers", patientId=world.ids["pia"], practitionerId=world.ids["dora"])
    assert (await world.make(dora, "prescriptions", **body))["doseMg"] == "400.00"
    assert (await world.desk.post(f"{API}/prescriptions", json=body)).status == 403
    old = await dora.post(f"{API}/prescriptions", json=body | {"validUntil": "2026-01-01"})
    assert (old.status, {detail["path"] for detail in old.error["details"]}) == (422, {"issuedOn", "validUntil"})
    assert [row["medicine"] for row in (await world.caller("pia").get(f"{API}/prescriptions")).data] == ["Ibuprofen"]
    assert (await world.caller("paul").get(f"{API}/prescriptions")).data == []


async def test_an_invoice_from_draft_to_paid(world: World) -> None:
    lines = [{"text": "Visit", "quantity": 2, "price": "40.5"}, {"text": "Bandage", "price": "3.25"}]
    made = await world.make(world.desk, "invoices", patientId=world.ids["pia"], number="2026-0001", lines=lines)
    assert made["total"] == "84.25"
    path = f"{API}/invoices/{made['id']}"
    pia = world.caller("pia")
    assert (await pia.get(f"{path}/pdf")).status == 403
    assert (await world.desk.post(f"{path}/issue")).data["status"] == "issued"
    pdf = await pia.get(f"{path}/pdf")
    assert (pdf.status, pdf.headers["content-type"]) == (200, "application/pdf")
    text = PdfReader(BytesIO(pdf.content)).pages[0].extract_text()
    assert all(part in text for part in ("Invoice 2026-0001 for Pia", "Bandage", "84.25"))
    assert (await world.desk.post(f"{path}/pay")).data["status"] == "paid"
    assert (await world.desk.post(f"{path}/pay")).status == 409
    assert (await world.caller("paul").get(f"{path}/pdf")).status == 404


async def test_an_empty_invoice_is_not_issued(world: World) -> None:
    made = await world.make(world.desk, "invoices", patientId=world.ids["pia"], number="2026-0002", lines=[])
    answer = await world.desk.post(f"{API}/invoices/{made['id']}/issue")
    assert (answer.status, answer.error["code"]) == (409, "INVOICE_EMPTY")
