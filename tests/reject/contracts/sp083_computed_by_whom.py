"""Fields in Python, and functions that do not fit them."""

from __future__ import annotations

from collections.abc import Sequence

from sternpost import Browse, Context, Contract, HttpContext, Resource, computed, computes, in_python, public


class Patient(Resource, prefix="pat"):
    name: str
    age: int = computed(in_python("name"))
    height: int = computed(in_python("name"))
    weight: int = computed(in_python("name"))
    pulse: int = computed(in_python("name"))
    size: int = computed(in_python("name"))
    sense: int = computed(in_python("name"))

    browse = Browse(allow=public)


class Visit(Resource, prefix="vis"):
    name: str


class Elsewhere(Resource, prefix="els"):
    age: int = computed(in_python())


class Mailer:
    """Nobody provides it."""


@computes(Patient, "height")
async def heights(ctx: Context, rows: Sequence[Patient]) -> list[int]:
    return []


@computes(Patient, "height")
async def heights_again(ctx: Context, rows: Sequence[Patient], *, mailer: Mailer) -> list[int]:
    return []


@computes(Patient, "weight")
def weights(ctx: Context, rows: Sequence[Patient]) -> list[int]:
    return []


@computes(Patient, "pulse")
async def pulses(rows: Sequence[Patient]) -> list[int]:
    return []


@computes(Patient, "size")
async def sizes(ctx: HttpContext, rows: Sequence[Patient]) -> list[int]:
    return []


@computes(Patient, "sense")
async def senses(ctx: Context, rows: Patient) -> int:
    return 3


@computes(Visit, "age")
async def ages(ctx: Context, rows: Sequence[Visit]) -> list[int]:
    return []


@computes(Elsewhere, "age")
async def others(ctx: Context, rows: Sequence[Elsewhere]) -> list[int]:
    return []


@computes("Patient", "age")
async def by_text(ctx: Context, rows: Sequence[Patient]) -> list[int]:
    return []


contract = Contract("clinic", resources=[Patient, Visit])
services = [heights, heights_again, weights, pulses, sizes, senses, ages, others, by_text]
