"""Two resources whose indexes get the same name, put together from those of their tables and fields."""

from __future__ import annotations

from sternpost import Browse, Contract, Resource, field, public


class User(Resource, prefix="use", table="user"):
    group_name: str = field(unique=True)
    team_name: str = field(filter=True)
    browse = Browse(allow=public)


class Group(Resource, prefix="gro", table="user_group"):
    name: str = field(unique=True)
    browse = Browse(allow=public)


class Team(Resource, prefix="tea", table="user_team"):
    name: str = field(filter=True)
    browse = Browse(allow=public)


class Key(Resource, prefix="key", table="pk_user"):
    name: str


contract = Contract("users", resources=[User, Group, Team, Key])
