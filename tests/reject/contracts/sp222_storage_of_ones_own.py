"""A way to keep a value where Sternpost makes the columns."""

from __future__ import annotations

from datetime import datetime

from sternpost import Contract, Resource, field


class User(Resource, prefix="usr"):
    born: datetime = field(storage="timestamp")


contract = Contract("shop", resources=[User])
