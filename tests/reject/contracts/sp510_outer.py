"""What cannot be asked of the row outside from within a list."""

from __future__ import annotations

from sternpost import Browse, Contract, Many, One, Read, Resource, outer, public, this


class User(Resource, prefix="usr", owner="id"):
    name: str


class Team(Resource, prefix="tea"):
    members: Many[Member]


class Member(Resource, prefix="mem"):
    team: One[Team]
    user: One[User]
    level: int


class Note(Resource, prefix="not", owner="user_id"):
    team: One[Team]
    user: One[User]

    browse = Browse(allow=this.team.members.any(outer.is_owner))
    read = Read(allow=this.team.members.none(outer.team.members.any(public)))


contract = Contract("shop", resources=[User, Team, Member, Note])
