"""Types that cannot be unique."""

from __future__ import annotations

from sternpost import Contract, Json, Resource, field


class Setting(Resource, prefix="set", unique=[("name", "value")]):
    name: str
    value: Json = field(unique=True)
    on: bool = field(unique=True)


contract = Contract("shop", resources=[Setting])
