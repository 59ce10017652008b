"""Objects of somebody else's database."""

from __future__ import annotations

from sternpost import Contract, DatabaseObject, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract(
    "users", schema="external", resources=[User], database_objects=[DatabaseObject("view", "active_users")]
)
