"""Fields that are computed when their row is read, where only stored ones can be."""

from __future__ import annotations

from sternpost import (
    Browse,
    Contract,
    Many,
    One,
    Owned,
    Read,
    Resource,
    computed,
    count_of,
    field,
    no_overlap,
    public,
    sum_of,
    this,
)


class Patient(
    Resource,
    prefix="pat",
    owner="visit_count",
    unique=[("visit_count",)],
    indexes=[("visit_count",)],
    checks=[this.visit_count > 3],
    no_overlap=[no_overlap("name", "visit_count", "name")],
):
    name: str = field(filter=True)
    size: int
    visits: Many[Visit]
    visit_count: int = computed(count_of("visits"), filter=True)

    browse = Browse(allow=this.visit_count.gt(3), sort=["visit_count", "name"], default_sort=["-visit_count"])
    read = Read(allow=public)


class Visit(Resource, prefix="vis"):
    patient: One[Patient]
    parts: Owned[Part]
    total: int = computed(sum_of("parts", "size"))

    browse = Browse(allow=this.patient.visit_count.gt(3), filter=["patient.visit_count"])


class Part(Resource, prefix="par"):
    visit: One[Visit]
    visits: Many[Piece]
    size: int = computed(count_of("visits"))


class Piece(Resource, prefix="pie"):
    part: One[Part]

    read = Read(allow=public)


contract = Contract("clinic", resources=[Patient, Visit, Part, Piece])
