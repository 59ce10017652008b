"""What the clinic offers. Addresses, schemas, SQL and documentation are derived from this file."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

from sternpost import (
    Added,
    Browse,
    Conflict,
    Contract,
    Create,
    Custom,
    Delete,
    Email,
    Many,
    Media,
    One,
    Owned,
    Payload,
    Read,
    Renamed,
    Resource,
    Slug,
    Transition,
    Update,
    Version,
    authenticated,
    check,
    computed,
    count_of,
    field,
    in_python,
    latest_of,
    named,
    no_overlap,
    now,
    scope,
    sum_of,
    this,
)

staff = scope("clinic:staff")
admin = scope("clinic:admin")


class Address(Payload):
    street: str = field(min_length=1, max_length=100)
    city: str = field(min_length=1, max_length=100)


class Phone(Payload):
    kind: Literal["phone"] = field(default="phone")
    number: str = field(pattern=r"^\+[0-9 ]{5,20}$", example="+44 1904 555 100")


class Mail(Payload):
    kind: Literal["mail"] = field(default="mail")
    address: Email


class Hours(Payload):
    weekday: int = field(ge=1, le=7, description="1 is Monday")
    opens_at: time
    closes_at: time


class Day(Payload):
    day: date = field(example=date(2026, 3, 2))


class Slot(Payload):
    starts_at: datetime
    ends_at: datetime


class Reason(Payload):
    reason: str = field(min_length=3, max_length=500)


class TooLate(Conflict):
    code = "TOO_LATE"
    message = "The appointment begins in less than a day"
    fix = "Call the practice."


class Clinic(Resource, prefix="cln", tenant="id"):
    """A practice. Whatever belongs to one is never seen by another."""

    name: str = field(min_length=1, max_length=100)
    slug: Slug = field(unique=True)
    address: Address

    read = Read(allow=authenticated)
    update = Update(allow=admin)


class Practitioner(Resource, prefix="pra", owner="id", tenant="clinic_id"):
    """Somebody who sees patients. The `sub` of their token is their id."""

    clinic: One[Clinic]
    name: str = field(min_length=1, max_length=100, filter=["eq", "iContains"])
    specialty: Literal["general", "dental", "skin"] = field(default="general", filter=True)
    hours: list[Hours] = field(default=[], max_items=14)
    visit_length: timedelta = field(default=timedelta(minutes=30), ge=timedelta(minutes=5), le=timedelta(hours=4))
    appointments: Many[Appointment]

    browse = Browse(sort=["name"], allow=authenticated)
    read = Read(allow=authenticated)
    create = Create(allow=admin)
    update = Update(allow=admin | this.is_owner)
    free = Custom(method="GET", input=Day, output=list[Slot], max_items=200, allow=authenticated)


class Room(Resource, prefix="rom", tenant="clinic_id"):
    """Where patients are seen."""

    clinic: One[Clinic]
    name: str = field(unique=True, min_length=1, max_length=40)

    browse = Browse(sort=["name"], allow=authenticated)
    read = Read(allow=authenticated)
    create = Create(allow=admin)


treats = this.carers.any(this.practitioner.is_owner) | this.appointments.any(this.practitioner.is_owner)


class Patient(Resource, prefix="pat", owner="id", tenant="clinic_id", soft_delete=True, audit=True):
    """Somebody who is treated. Seen by themselves, by whoever treats them, and by the front desk."""

    clinic: One[Clinic]
    full_name: str = field(min_length=1, max_length=100, filter=["eq", "iContains"])
    email: Email | None = field(unique=True, sensitive=True)
    born_on: date = field(sensitive=True)
    contacts: list[Phone | Mail] = field(default=[], max_items=5, sensitive=True)
    allergies: list[str] = field(default=[], max_length=40, max_items=20, filter=True)
    notes: str | None = field(max_length=5000, read="clinic:notes", sensitive=True)
    triage: Literal["routine", "soon", "urgent"] = field(
        default="routine",
        ordered=True,
        labels={"routine": "Can wait", "soon": "This week", "urgent": "Today"},
        filter=True,
    )
    created_at: datetime = field(auto="created")
    carers: Many[Carer]
    appointments: Many[Appointment]
    prescriptions: Many[Prescription]
    age: int = computed(in_python("born_on"), ge=0)
    visits: int = computed(count_of("appointments", where=this.status == "done"))
    last_visit: datetime | None = computed(latest_of("appointments", "starts_at", where=this.status == "done"))

    browse = Browse(sort=["full_name", "triage"], search=["full_name", "email"], allow=this.is_owner | treats | staff)
    read = Read(allow=this.is_owner | treats | staff)
    create = Create(allow=staff)
    update = Update(allow=this.is_owner | staff)
    delete = Delete(allow=admin)


class Carer(Resource, prefix="car", tenant="clinic_id", unique=[("patient_id", "practitioner_id")]):
    """A practitioner who looks after a patient, with or without an appointment."""

    clinic: One[Clinic]
    patient: One[Patient]
    practitioner: One[Practitioner]

    browse = Browse(allow=staff | this.practitioner.is_owner)
    create = Create(allow=staff)
    delete = Delete(allow=staff)


concerned = this.patient.is_owner | this.practitioner.is_owner


class Appointment(
    Resource,
    prefix="apt",
    tenant="clinic_id",
    checks=[check(this.reminder_at < this.starts_at, name="reminder_first", message="The reminder comes too late")],
    no_overlap=[
        no_overlap("practitioner", "starts_at", "ends_at", where=this.status != "cancelled"),
        no_overlap("room", "starts_at", "ends_at", where=this.status != "cancelled"),
    ],
):
    """A time with a practitioner. Neither the practitioner nor the room can have two at once."""

    clinic: One[Clinic]
    practitioner: One[Practitioner]
    patient: One[Patient]
    room: One[Room] | None
    starts_at: datetime = field(filter=True)
    ends_at: datetime
    reminder_at: datetime | None
    status: Literal["planned", "done", "cancelled"] = field(default="planned", write="never", filter=True)
    cancelled_because: str | None = field(write="never", max_length=500)
    version: int = field(auto="version")

    browse = Browse(
        sort=["starts_at"], filter=["patient.full_name", "practitioner.specialty"], or_groups=3, allow=concerned | staff
    )
    read = Read(allow=concerned | staff)
    create = Create(allow=this.patient.is_owner | staff)
    update = Update(
        require_match=True,
        allow=named("future", this.starts_at.gt(now()), text="What has begun cannot be changed") & (concerned | staff),
    )
    cancel = Transition(
        "status", source="planned", target="cancelled", input=Reason, errors=[TooLate], allow=concerned | staff
    )
    finish = Transition("status", source="planned", target="done", allow=this.practitioner.is_owner)


class Prescription(Resource, prefix="prs", tenant="clinic_id", checks=[this.valid_until > this.issued_on]):
    """What a practitioner prescribes, to patients that they look after."""

    clinic: One[Clinic]
    patient: One[Patient]
    practitioner: One[Practitioner]
    medicine: str = field(min_length=1, max_length=200, filter=["eq", "iContains"])
    dose_mg: Decimal = field(decimal_places=2, max_digits=8, ge=0)
    issued_on: date
    valid_until: date = field(filter=True)

    browse = Browse(sort=["issued_on"], allow=this.patient.is_owner | this.practitioner.is_owner)
    read = Read(allow=this.patient.is_owner | this.practitioner.is_owner)
    create = Create(allow=this.practitioner.is_owner & this.patient.carers.any(this.practitioner.is_owner))


class InvoiceLine(Resource, prefix="inl"):
    """One position of an invoice."""

    invoice: One[Invoice]
    text: str = field(min_length=1, max_length=100)
    quantity: int = field(default=1, ge=1, le=99)
    price: Decimal = field(decimal_places=2, max_digits=9, ge=0)


class Invoice(Resource, prefix="inv", tenant="clinic_id"):
    """What a patient has to pay."""

    clinic: One[Clinic]
    patient: One[Patient]
    number: str = field(unique=True, pattern="^[0-9]{4}-[0-9]{4}$", example="2026-0001", filter=True)
    lines: Owned[InvoiceLine]
    total: Decimal = computed(sum_of("lines", "quantity", "price"))
    status: Literal["draft", "issued", "paid"] = field(default="draft", write="never", filter=True)

    browse = Browse(sort=["number", "total"], allow=this.patient.is_owner | staff)
    read = Read(allow=this.patient.is_owner | staff)
    create = Create(allow=staff)
    issue = Transition("status", source="draft", target="issued", allow=staff)
    pay = Transition("status", source="issued", target="paid", allow=staff)
    pdf = Custom(
        method="GET", output=Media("application/pdf"), allow=this.status.ne("draft") & (this.patient.is_owner | staff)
    )


older = [Renamed(Patient, "full_name", was="name"), Added(Patient, "allergies"), Added(Practitioner, "free")]

contract = Contract(
    "clinic",
    title="Clinic",
    description="Patients, appointments, prescriptions and invoices of several practices.",
    version="2.0.0",
    api_version="v2",
    older=[Version("v1", older, deprecated=date(2026, 9, 1))],
    resources=[Clinic, Practitioner, Room, Patient, Carer, Appointment, Prescription, Invoice, InvoiceLine],
)
