"""Rows of somebody else's tables are kept."""

from __future__ import annotations

from sternpost import Contract, Resource


class Album(Resource, prefix="alb", soft_delete=True):
    title: str


contract = Contract("music", schema="external", resources=[Album])
