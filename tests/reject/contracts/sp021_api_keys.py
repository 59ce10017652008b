"""API keys for a database that nothing is added to."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract(
    "shop",
    resources=[User],
    schema="external",
    api_keys=True,
)
