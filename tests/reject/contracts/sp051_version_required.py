"""A version is required of rows that have none."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Delete, Replace, Resource, Transition, Update, field, public


class Task(Resource, prefix="tsk"):
    name: str
    state: Literal["open", "done"] = field(default="open", write="never")

    replace = Replace(allow=public, require_match=True)
    update = Update(allow=public, require_match=True)
    delete = Delete(allow=public, require_match=True)
    finish = Transition("state", source="open", target="done", allow=public, require_match=True)


contract = Contract("shop", resources=[Task])
