"""Texts of a contract that are none."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract(
    "shop",
    resources=[User],
    title=None,
    description=["Users", "and nothing else"],
    version=1.0,
)
