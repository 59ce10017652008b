"""Options of limits that are unknown."""

from __future__ import annotations

from typing import Any

from sternpost import Contract, Create, Read, Resource, Update, fixed_window, leaky_bucket, public

LOG: Any = "log"
YES: Any = "yes"


class Task(Resource, prefix="tsk"):
    name: str

    read = Read(allow=public, limit=fixed_window(10, per="minute", by="address", mode=LOG))
    create = Create(allow=public, limit=fixed_window(10, per="minute", by="address", when_unavailable=LOG))
    update = Update(allow=public, limit=leaky_bucket(10, per="minute", by="address", depth=5, queue=YES))


contract = Contract("shop", resources=[Task])
