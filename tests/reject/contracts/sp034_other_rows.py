"""Checks that look at something other than the fields of the row."""

from __future__ import annotations

from sternpost import Contract, Many, One, Owned, Resource, this


class Team(Resource, prefix="tea", soft_delete=True, checks=[this.deleted_at.is_null, this.members.is_null]):
    budget: int
    members: Many[Member]


class Member(
    Resource,
    prefix="mem",
    checks=[
        this.salary <= this.team.budget,
        this.team.budget > 0,
        this.sallary > 0,
        this.salary.amount > 0,
        this.lines == this.salary,
    ],
):
    team: One[Team]
    salary: int
    lines: Owned[Line]


class Line(Resource, prefix="lin"):
    member: One[Member]
    text: str


contract = Contract("teams", resources=[Team, Member, Line])
