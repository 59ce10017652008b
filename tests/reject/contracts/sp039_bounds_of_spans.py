"""Spans whose start and end are not alike, or cannot bound a span."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sternpost import Contract, Resource, field, no_overlap


class Visit(
    Resource,
    prefix="vis",
    no_overlap=[
        no_overlap("starts_at", "last_day"),
        no_overlap("name", "title"),
        no_overlap("low", "high"),
        no_overlap("weight", "weight_most"),
        no_overlap("starts_at", "name"),
    ],
):
    starts_at: datetime
    last_day: date
    name: str
    title: str
    low: Decimal = field(decimal_places=2)
    high: Decimal = field(decimal_places=3)
    weight: float
    weight_most: float


contract = Contract("clinic", resources=[Visit])
