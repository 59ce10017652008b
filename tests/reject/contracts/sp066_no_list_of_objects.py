"""Objects of a database that are named by their names alone."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract("users", resources=[User], database_objects=["active_users"])
