"""A policy of an older version that looks into a list."""

from __future__ import annotations

from sternpost import Changed, Contract, Many, One, Read, Resource, Version, public, this


class User(Resource, prefix="usr", owner="id"):
    name: str


class Team(Resource, prefix="tea"):
    members: Many[Member]

    read = Read(allow=public)


class Member(Resource, prefix="mem"):
    team: One[Team]
    user: One[User]


contract = Contract(
    "teams",
    resources=[User, Team, Member],
    api_version="v2",
    older=[Version("v1", [Changed(Team, "read", was={"allow": this.members.any(this.user.is_owner)})])],
)
