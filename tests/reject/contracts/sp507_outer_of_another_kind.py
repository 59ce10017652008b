"""Values outside that are not kept in the same way as those of the row."""

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
    text: str

    browse = Browse(allow=this.team.members.any(this.level.eq(outer.text)))
    read = Read(allow=this.team.members.any(this.user.gt(outer.team)))


contract = Contract("shop", resources=[User, Team, Member, Note])
