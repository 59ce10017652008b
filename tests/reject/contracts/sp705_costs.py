"""Costs that are none, that nothing bounds, and that no limit ever lets pass."""

from __future__ import annotations

from typing import Any

from sternpost import Contract, Create, Delete, Read, Replace, Resource, Update, fixed_window, given, public, token_bucket

FREE: Any = 0


class Task(Resource, prefix="tsk"):
    name: str
    minutes: int

    read = Read(allow=public, limit=fixed_window(10, per="minute", by="address", cost=FREE))
    create = Create(allow=public, limit=fixed_window(10, per="minute", by="address", cost=given("minutes")))
    update = Update(allow=public, limit=fixed_window(10, per="minute", by="address", cost=given("name")))
    replace = Replace(allow=public, limit=fixed_window(10, per="minute", by="address", cost=11))
    delete = Delete(allow=public, limit=token_bucket(100, per="minute", by="address", burst=5, cost=6))


contract = Contract("shop", resources=[Task])
