"""Creations that ask for lists of the new row, or compare rows of a list with it."""

from __future__ import annotations

from sternpost import Contract, Create, Many, One, Resource, outer, public, this


class User(Resource, prefix="usr", owner="id"):
    name: str


class Team(Resource, prefix="tea"):
    members: Many[Member]

    create = Create(allow=this.members.any(this.user.is_owner))


class Member(Resource, prefix="mem"):
    team: One[Team]
    user: One[User]

    create = Create(allow=this.team.members.none(this.user.eq(outer.user)))


contract = Contract("shop", resources=[User, Team, Member])
