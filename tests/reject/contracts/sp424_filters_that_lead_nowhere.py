"""Filters of a list over what is no row that its rows refer to."""

from __future__ import annotations

from sternpost import Browse, Contract, Many, One, Resource, field, public, related


class Town(Resource, prefix="twn"):
    name: str = field(filter=True)
    size: int
    people: Many["Person"]


class Person(Resource, prefix="per"):
    town: One[Town]
    friend: One["Person"] | None
    name: str = field(filter=True)

    browse = Browse(
        allow=public,
        filter=[
            "name",
            "city.name",
            "town.mayor",
            "town.size",
            "town.people.name",
            "friend.friend.friend.friend.name",
            related("town.name"),
            "town.name",
        ],
        or_groups=11,
    )


class House(Resource, prefix="hou"):
    town: One[Town]

    browse = Browse(allow=public, filter="town.name")


contract = Contract("towns", resources=[Town, Person, House])
