"""Two resources that keep their rows in one table."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr", table="people"):
    name: str


class Guest(Resource, prefix="gst", table="people"):
    name: str


contract = Contract("shop", resources=[User, Guest])
