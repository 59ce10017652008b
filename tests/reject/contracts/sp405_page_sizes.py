"""Pages that are too small, too large, or not counted in numbers."""

from __future__ import annotations

from sternpost import Browse, Contract, Resource, public


class User(Resource, prefix="usr"):
    name: str

    browse = Browse(page_size=0, allow=public)


class Order(Resource, prefix="ord"):
    name: str

    browse = Browse(page_size="20", allow=public)


class Note(Resource, prefix="not"):
    text: str

    browse = Browse(max_page_size=5000, allow=public)


contract = Contract("shop", resources=[User, Order, Note])
