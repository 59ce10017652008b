"""Policies with a name below ~, within a list, and within one with a name."""

from __future__ import annotations

from sternpost import Browse, Contract, Many, One, Read, Resource, Update, named, scope, this


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

    browse = Browse(allow=~named("staff", scope("staff"), text="Only staff"))
    read = Read(allow=this.team.members.any(named("own", this.user.is_owner, text="Only members")))
    update = Update(allow=named("a", named("b", scope("b"), text="Only b"), text="Only a"))


contract = Contract("shop", resources=[User, Team, Member, Note])
