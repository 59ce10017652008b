"""An operation whose name is in camel case."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Resource, Transition, authenticated, field


class User(Resource, prefix="usr"):
    status: Literal["new", "active"] = field(default="new", write="never")

    makeActive = Transition("status", source="new", target="active", allow=authenticated)


contract = Contract("shop", resources=[User])
