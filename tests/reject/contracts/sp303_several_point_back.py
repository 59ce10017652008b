"""A list that could be either of two."""

from __future__ import annotations

from sternpost import Contract, Many, One, Resource


class User(Resource, prefix="usr"):
    name: str
    messages: Many[Message]


class Message(Resource, prefix="msg"):
    sender: One[User]
    receiver: One[User]


contract = Contract("shop", resources=[User, Message])
