"""Changes of somebody else's tables are recorded."""

from __future__ import annotations

from sternpost import Contract, Resource


class Album(Resource, prefix="alb", audit=True):
    title: str


contract = Contract("music", schema="external", resources=[Album])
