"""Indexes that are none."""

from __future__ import annotations

from sternpost import Contract, Json, Resource


class User(Resource, prefix="usr", indexes="name"):
    name: str


class Team(Resource, prefix="tea", indexes=["name", "size"]):
    name: str
    size: int


class Task(Resource, prefix="tsk", indexes=[("name", "due"), ("name", "-name"), (), ("more",), ("name",), ("name",), 5]):
    name: str
    more: Json


contract = Contract("shop", resources=[User, Team, Task])
