"""A policy with eleven lists."""

from __future__ import annotations

from sternpost import Browse, Contract, Many, One, Resource, this


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

    browse = Browse(
        allow=this.team.members.any(this.level.eq(1))
        | this.team.members.any(this.level.eq(2))
        | this.team.members.any(this.level.eq(3))
        | this.team.members.any(this.level.eq(4))
        | this.team.members.any(this.level.eq(5))
        | this.team.members.any(this.level.eq(6))
        | this.team.members.any(this.level.eq(7))
        | this.team.members.any(this.level.eq(8))
        | this.team.members.any(this.level.eq(9))
        | this.team.members.any(this.level.eq(10))
        | this.team.members.any(this.level.eq(11))
    )


contract = Contract("shop", resources=[User, Team, Member, Note])
