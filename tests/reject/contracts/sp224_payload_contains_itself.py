"""Payloads without an end."""

from __future__ import annotations

from sternpost import Contract, Create, Payload, Resource, public


class Branch(Payload):
    name: str
    leaves: list[Leaf]


class Leaf(Payload):
    of: Branch | None


class Tree(Resource, prefix="tre"):
    root: Branch

    create = Create(allow=public)


contract = Contract("trees", resources=[Tree])
