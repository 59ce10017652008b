"""Options of the contract with values of another kind."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract(
    "shop",
    resources=[User],
    batch_max=True,
    api_keys="yes",
)
