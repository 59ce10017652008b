"""Lists as if they were one row, or one value."""

from __future__ import annotations

from sternpost import Browse, Contract, Many, One, Read, Resource, this


class User(Resource, prefix="usr", owner="id"):
    name: str


class Team(Resource, prefix="tea"):
    members: Many[Member]


class Member(Resource, prefix="mem"):
    team: One[Team]
    user: One[User]
    level: int


class Note(Resource, prefix="not"):
    team: One[Team]

    browse = Browse(allow=this.team.members.user.is_owner)
    read = Read(allow=this.team.members.eq("x"))


contract = Contract("shop", resources=[User, Team, Member, Note])
