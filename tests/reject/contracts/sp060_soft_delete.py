"""Rows that cannot be kept as it is said."""

from __future__ import annotations

from datetime import datetime

from sternpost import Contract, One, Owned, Resource, field


class User(Resource, prefix="usr", soft_delete="yes"):
    name: str


class Team(Resource, prefix="tea", soft_delete=True):
    name: str
    deleted_at: datetime | None


class Task(Resource, prefix="tsk", soft_delete=True):
    name: str
    steps: Owned[Step]


class Step(Resource, prefix="stp", soft_delete=True, unique=[("task_id", "name"), ("name", "number")]):
    task: One[Task]
    name: str
    number: int = field(unique=True)


contract = Contract("shop", resources=[User, Team, Task, Step])
