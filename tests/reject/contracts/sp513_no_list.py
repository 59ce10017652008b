"""Lists that are none: a reference, a field, nothing, the row itself."""

from __future__ import annotations

from sternpost import Browse, Contract, Delete, Many, One, Read, Resource, Update, public, this


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

    browse = Browse(allow=this.team.any(public))
    read = Read(allow=this.text.none(public))
    update = Update(allow=this.team.others.any(public))
    delete = Delete(allow=this.any(public))


contract = Contract("shop", resources=[User, Team, Member, Note])
