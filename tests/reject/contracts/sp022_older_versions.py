"""Older versions that cannot be: out of order, malformed, with days that contradict each other."""

from datetime import date

from sternpost import Browse, Contract, Resource, Version, public


class User(Resource, prefix="usr"):
    name: str

    browse = Browse(allow=public)


contract = Contract(
    "users",
    resources=[User],
    api_version="v2",
    older=[
        Version("v2"),
        Version("one"),
        Version("v1", deprecated=date(2027, 1, 1), sunset=date(2026, 1, 1), link="nowhere"),
    ],
)
