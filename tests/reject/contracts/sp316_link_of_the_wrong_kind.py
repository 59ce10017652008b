"""A link that is no policy, and one on a list that no input can set."""

from __future__ import annotations

from sternpost import Contract, Many, One, Read, Resource, authenticated, many, one, public


class Team(Resource, prefix="tea"):
    people: Many[Person] = many(by="team", link=public)

    read = Read(allow=authenticated)


class Person(Resource, prefix="per"):
    team: One[Team] = one(link="everybody")

    read = Read(allow=authenticated)


contract = Contract("firm", resources=[Team, Person])
