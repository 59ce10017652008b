"""Plain values where field() belongs."""

from __future__ import annotations

from sternpost import Contract, Custom, Json, Payload, Read, Resource, authenticated, implements, public


class Note(Payload):
    text: str = "nothing"


class Product(Resource, prefix="prd"):
    name: str
    stock: int = 0
    tags: Json = []
    read: str = Read(allow=public)

    note = Custom(input=Note, output=None, allow=authenticated)


@implements(Product.note)
async def note(ctx, product, given):
    """Does nothing."""


contract = Contract("shop", resources=[Product])
services = [note]
