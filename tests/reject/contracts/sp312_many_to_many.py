"""Many-to-many relations that cannot be."""

from __future__ import annotations

from sternpost import Contract, Many, Owned, Resource, many


class Person(Resource, prefix="per"):
    name: str
    friends: Many[Person] = many(through="friendships")
    tags: Many[Tag] = many(through="tags")
    groups: Many[Group] = many(through="Person-Groups")
    clubs: Owned[Club] = many(through="memberships")


class Tag(Resource, prefix="tag"):
    name: str
    groups: Many[Group] = many(through="pairs")


class Group(Resource, prefix="grp"):
    name: str
    clubs: Many[Club] = many(through="pairs")


class Club(Resource, prefix="clb"):
    name: str


contract = Contract("shop", resources=[Person, Tag, Group, Club])
