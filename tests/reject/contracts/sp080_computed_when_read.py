"""Fields that are computed when their row is read, of what is not there or does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sternpost import (
    Browse,
    Context,
    Contract,
    Many,
    One,
    Payload,
    Read,
    Resource,
    caller,
    computed,
    computes,
    count_of,
    exists_of,
    field,
    in_python,
    latest_of,
    now,
    public,
    scope,
    this,
)


class Patient(Resource, prefix="pat"):
    name: str
    visits: Many[Visit]
    doctor: One[Doctor] | None
    no_list: int = computed(count_of("doctor"))
    unknown: int = computed(count_of("visit"))
    not_text: int = computed(count_of(["visits"]))
    not_a_count: str = computed(count_of("visits"))
    maybe: bool | None = computed(exists_of("visits"))
    always: datetime = computed(latest_of("visits", "starts_at"))
    of_another_type: int | None = computed(latest_of("visits", "starts_at"))
    no_value: str | None = computed(latest_of("visits", "doctor"))
    no_order: datetime | None = computed(latest_of("visits", "starts_at", by="tags"))
    no_field: datetime | None = computed(latest_of("visits", "starts_at", by="day"))
    limited: int = computed(count_of("visits"), ge=1)
    whole: int = computed(count_of("visits", all="yes"))
    by_policy: int = computed(count_of("visits", where=this.doctor.is_owner))
    by_scope: int = computed(count_of("visits", where=scope("visits:read")))
    by_caller: int = computed(count_of("visits", where=this.note == caller))
    by_other: int = computed(count_of("visits", where=this.patient.name == "Ada"))
    by_computed: int = computed(count_of("visits", where=this.late == 3))
    by_text: int = computed(count_of("visits", where="open"))
    by_now: int = computed(count_of("visits", where=this.note == now()))
    of_nothing: int = computed(in_python("born_on"))
    of_computed: int = computed(in_python("no_list"))
    of_number: int = computed(in_python(3))
    twice: int = computed(in_python("name", "name"))
    of_list: int = computed(in_python("visits"))
    price: Decimal = computed(in_python("name"))
    long: str = computed(in_python("name"), max_length=0)
    nothing: int = computed(max)

    browse = Browse(allow=public)


class Visit(Resource, prefix="vis"):
    patient: One[Patient]
    doctor: One[Doctor]
    starts_at: datetime
    note: str
    tags: list[str]
    late: int = computed(count_of("patient"))

    read = Read(allow=public)


class Doctor(Resource, prefix="doc"):
    name: str


class Summary(Payload):
    visits: int = computed(count_of("visits"))
    text: str = field(default="")


class Report(Resource, prefix="rep"):
    parts: list[Summary]


@computes(Patient, "price")
async def prices(ctx: Context, rows: Sequence[Patient]) -> list[Decimal]:
    return []


@computes(Patient, "long")
async def long_ones(ctx: Context, rows: Sequence[Patient]) -> list[str]:
    return []


contract = Contract("clinic", resources=[Patient, Visit, Doctor, Report])
services = [prices, long_ones]
