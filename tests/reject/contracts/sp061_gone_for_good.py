"""What goes with a deleted row cannot come back with it."""

from __future__ import annotations

from sternpost import Contract, One, Resource, one


class Project(Resource, prefix="prj", soft_delete=True):
    name: str


class Task(Resource, prefix="tsk"):
    project: One[Project] = one(on_delete="cascade")
    name: str


contract = Contract("shop", resources=[Project, Task])
