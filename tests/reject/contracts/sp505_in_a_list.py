"""What is asked of the rows of a list, but is no policy."""

from __future__ import annotations

from sternpost import Browse, Contract, Many, One, Read, Resource, Update, this


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

    browse = Browse(allow=this.team.members.any(True))
    read = Read(allow=this.team.members.none(this.level))
    update = Update(allow=this.team.members.any("admin"))


contract = Contract("shop", resources=[User, Team, Member, Note])
