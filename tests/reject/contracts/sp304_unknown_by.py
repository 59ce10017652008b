"""Lists that name a relation which does not exist."""

from __future__ import annotations

from sternpost import Contract, Many, One, Resource, many


class User(Resource, prefix="usr"):
    name: str
    messages: Many[Message] = many(by="author")
    notes: Many[Note] = many(by=["user"])


class Message(Resource, prefix="msg"):
    sender: One[User]


class Note(Resource, prefix="not"):
    text: str


contract = Contract("shop", resources=[User, Message, Note])
