"""An input that no function gets."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Payload, Resource, Transition, field, public


class Reason(Payload):
    text: str


class Visit(Resource, prefix="vis"):
    status: Literal["planned", "cancelled"] = field(default="planned", write="never")

    cancel = Transition("status", source="planned", target="cancelled", allow=public, input=Reason)
    close = Transition("status", source="planned", target="cancelled", allow=public, input={"reason": str})


contract = Contract("visits", resources=[Visit])
