"""The row outside where there is none, and for more than a comparison."""

from __future__ import annotations

from sternpost import Browse, Contract, Delete, Many, One, Read, Resource, Update, outer, public, this


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
    level: int

    browse = Browse(allow=this.level.eq(outer.level))
    read = Read(allow=this.team.members.any(outer.level.eq(1)))
    update = Update(allow=outer.level.eq(this.level))
    delete = Delete(allow=this.team.members.any(outer.level.eq(outer.level)))


contract = Contract("shop", resources=[User, Team, Member, Note])
