"""An owner that names the relation instead of its key."""

from __future__ import annotations

from sternpost import Contract, One, Resource


class User(Resource, prefix="usr"):
    name: str


class Order(Resource, prefix="ord", owner="user"):
    user: One[User]


class Note(Resource, prefix="not", owner=5):
    text: str


contract = Contract("shop", resources=[User, Order, Note])
