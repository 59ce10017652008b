"""Types that cannot be unique."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Json, Resource, field


class Setting(Resource, prefix="set", unique=[("name", "value")]):
    name: str
    value: Json = field(unique=True)
    on: bool = field(unique=True)
    size: int = field(unique="nocase")
    state: Literal["a", "b"] = field(unique="nocase")


contract = Contract("shop", resources=[Setting])
