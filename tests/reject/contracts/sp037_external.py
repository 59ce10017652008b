"""Rules over the rows of somebody else's tables."""

from __future__ import annotations

from datetime import datetime

from sternpost import Contract, Resource, no_overlap, this


class Visit(
    Resource,
    prefix="vis",
    checks=[this.ends_at > this.starts_at],
    no_overlap=[no_overlap("starts_at", "ends_at")],
):
    starts_at: datetime
    ends_at: datetime


contract = Contract("clinic", schema="external", resources=[Visit])
