"""Labels and orders that do not fit the values, or are for what is no enum."""

from __future__ import annotations

from typing import Literal

from sternpost import Browse, Contract, Create, Payload, Resource, Update, field, public, this


class Place(Payload):
    town: str = field(labels={"x": "X"})


class Task(Resource, prefix="tas", checks=[this.state > "done", this.plain > "a"]):
    state: Literal["open", "done"] = field(ordered=True, filter=["gt", "contains"])
    plain: Literal["a", "b"] = field(filter=["gt"])
    missing: Literal["a", "b"] = field(labels={"a": "A"})
    unknown: Literal["a", "b"] = field(labels={"a": "A", "b": "B", "c": "C"})
    malformed: Literal["a", "b"] = field(labels={"a": "A", "b": ""})
    wrong: Literal["a", "b"] = field(labels=["A", "B"], ordered="yes")
    number: int = field(labels={"1": "One"}, ordered=True)
    several: list[Literal["a", "b"]] = field(default=[], ordered=True)
    limit: Literal["open", "done"] = field(ordered=True)
    place: Place

    browse = Browse(allow=this.state.lt("open") | this.state.gt(this.limit))
    create = Create(allow=this.state.gte("closed"))
    update = Update(allow=public)


contract = Contract("tasks", resources=[Task])
