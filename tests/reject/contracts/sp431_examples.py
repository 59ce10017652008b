"""Examples that are none."""

from __future__ import annotations

from sternpost import Contract, Create, Custom, Delete, Payload, Resource, field, public


class Move(Payload):
    by: int = field(ge=1, example=0)


class Article(Resource, prefix="art"):
    name: str = field(max_length=3, example="rope")
    tags: list[str] = field(example=["a", 1])
    stock: int = field(default=0, example=None, write="never")

    create = Create(allow=public, example={"name": "rope", "stock": 3, "colour": "red"})
    move = Custom(on="item", input=Move, output=None, allow=public, example={"by": "two"})
    delete = Delete(allow=public, example={"id": "art_1"})
    count = Custom(on="item", output=None, allow=public, example=["a"])


contract = Contract("articles", resources=[Article])
