"""Computed fields that would tell what those who read them may not see."""

from __future__ import annotations

from datetime import date, datetime

from sternpost import (
    Browse,
    Contract,
    Many,
    One,
    Resource,
    computed,
    count_of,
    field,
    in_python,
    latest_of,
    one,
    public,
    this,
)


class Patient(Resource, prefix="pat"):
    born_on: date = field(read="patients:private")
    visits: Many[Visit]
    drafts: Many[Draft]
    letters: Many[Letter]
    drafted: int = computed(count_of("drafts"))
    all_drafted: int = computed(count_of("drafts", all=True))
    paid: int = computed(count_of("visits", where=this.fee > 3))
    paid_seen: int = computed(count_of("visits", where=this.fee > 3), read="visits:fees")
    last_fee: int | None = computed(latest_of("visits", "fee", by="starts_at"), read="visits:read")
    last_paid: datetime | None = computed(latest_of("visits", "starts_at", by="fee"))
    written: int = computed(count_of("letters"))
    age: int = computed(in_python("born_on"))

    browse = Browse(allow=public)


class Visit(Resource, prefix="vis"):
    patient: One[Patient]
    starts_at: datetime
    fee: int = field(read="visits:fees")

    browse = Browse(allow=public)


class Draft(Resource, prefix="dra"):
    patient: One[Patient]


class Letter(Resource, prefix="let"):
    patient: One[Patient] = one(read="letters:receivers")

    browse = Browse(allow=public)


contract = Contract("clinic", resources=[Patient, Visit, Draft, Letter])
