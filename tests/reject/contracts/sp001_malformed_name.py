"""A contract whose name has a space and capitals."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract(
    "User Service",
    resources=[User],
)
