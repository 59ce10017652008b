"""A contract whose name is not even a text."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract(3, resources=[User])
