"""Changes that cannot be recorded as it is said."""

from __future__ import annotations

from sternpost import Contract, One, Owned, Resource


class User(Resource, prefix="usr", audit="yes"):
    name: str


class Task(Resource, prefix="tsk", audit=True):
    name: str
    steps: Owned[Step]


class Step(Resource, prefix="stp", audit=True):
    task: One[Task]
    name: str


contract = Contract("shop", resources=[User, Task, Step])
