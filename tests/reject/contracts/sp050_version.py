"""Versions that count nothing, or twice."""

from __future__ import annotations

from sternpost import Contract, One, Owned, Resource, field


class User(Resource, prefix="usr"):
    name: str
    version: int | None = field(auto="version")


class Team(Resource, prefix="tea"):
    version: int = field(auto="version", read="teams:admin")


class Task(Resource, prefix="tsk"):
    version: int = field(auto="version")
    revision: int = field(auto="version")
    steps: Owned[Step]


class Step(Resource, prefix="stp"):
    task: One[Task]
    version: int = field(auto="version")


contract = Contract("shop", resources=[User, Team, Task, Step])
