"""Fields that the rows of a list do not have."""

from __future__ import annotations

from sternpost import Browse, Contract, Many, One, Read, Resource, outer, this


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

    browse = Browse(allow=this.team.members.any(this.colour.eq("x")))
    read = Read(allow=this.team.members.none(this.level.eq(outer.colour)))


contract = Contract("shop", resources=[User, Team, Member, Note])
