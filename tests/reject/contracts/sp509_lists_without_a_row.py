"""An operation on the collection whose policy looks into lists."""

from __future__ import annotations

from sternpost import Contract, Custom, Many, One, Resource, this


class User(Resource, prefix="usr", owner="id"):
    name: str


class Team(Resource, prefix="tea"):
    members: Many[Member]

    count = Custom(on="collection", output=None, allow=this.members.any(this.user.is_owner))


class Member(Resource, prefix="mem"):
    team: One[Team]
    user: One[User]


contract = Contract("shop", resources=[User, Team, Member])
