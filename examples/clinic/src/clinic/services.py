"""What the clinic does beyond storing things. Each function runs in the transaction of its operation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from fpdf import FPDF

from clinic.contract import Appointment, Day, Invoice, Patient, Practitioner, Reason, Slot, TooLate
from sternpost import Conflict, Context, HttpContext, computes, implements


@computes(Patient, "age")
async def ages(ctx: Context, patients: Sequence[Patient]) -> list[int]:
    today = ctx.now().date()
    years = (today.year - one.born_on.year - (f"{today:%m%d}" < f"{one.born_on:%m%d}") for one in patients)
    return [max(age, 0) for age in years]  # a date in the future is a slip of the pen


@implements(Practitioner.free)
async def free_slots(ctx: Context, practitioner: Practitioner, asked: Day) -> list[Slot]:
    """The spans within the practitioner's hours that no appointment touches."""
    midnight = datetime.combine(asked.day, datetime.min.time(), UTC)
    taken = await ctx.repository(Appointment).find(
        {
            "practitioner": {"id": practitioner.id},
            "status": {"ne": "cancelled"},
            "starts_at": {"lt": midnight + timedelta(days=1)},
            "ends_at": {"gt": midnight},
        },
        order=["starts_at"],
    )
    slots = list[Slot]()
    for hours in (hours for hours in practitioner.hours if hours.weekday == asked.day.isoweekday()):
        start, closes = (datetime.combine(asked.day, at, UTC) for at in (hours.opens_at, hours.closes_at))
        while (end := start + practitioner.visit_length) <= closes:
            touched = next((one for one in taken if one.starts_at < end and one.ends_at > start), None)
            if touched is None and start > ctx.now():
                slots.append(Slot(starts_at=start, ends_at=end))
            start = end if touched is None else touched.ends_at
    return slots


@implements(Appointment.cancel)
async def cancel(ctx: Context, appointment: Appointment, reason: Reason) -> None:
    """Patients cancel a day before at the latest; the staff can do it at any time."""
    late = appointment.starts_at - ctx.now() < timedelta(days=1)
    if late and ctx.caller.subject == appointment.patient.id:
        raise TooLate
    await ctx.repository(Appointment).update(appointment.id, {"cancelled_because": reason.reason})


@implements(Invoice.issue)
async def issue(ctx: Context, invoice: Invoice) -> None:
    """An empty invoice is a mistake."""
    if not invoice.lines:
        raise Conflict("The invoice has no lines", code="INVOICE_EMPTY")


@implements(Invoice.pdf)
async def as_pdf(ctx: HttpContext, invoice: Invoice) -> bytes:
    """The invoice as a page to print."""
    patient = await ctx.repository(Patient).get(invoice.patient.id)
    pdf = FPDF()
    pdf.set_creation_date(ctx.now())
    pdf.add_page()
    pdf.set_font("helvetica", size=12)
    pdf.cell(text=f"Invoice {invoice.number} for {printable(patient.full_name)}", new_x="LMARGIN", new_y="NEXT", h=12)
    with pdf.table(col_widths=(5, 1, 2), text_align=("LEFT", "RIGHT", "RIGHT")) as table:
        for line in invoice.lines:
            table.row((printable(line.text), str(line.quantity), str(line.price)))
        table.row(("Total", "", str(invoice.total)))
    ctx.response.download(f"invoice-{invoice.number}.pdf")
    return bytes(pdf.output())


def printable(text: str) -> str:
    """The text in the letters that the font of the page has."""
    return text.encode("latin-1", "replace").decode("latin-1")
