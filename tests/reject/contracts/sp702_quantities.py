"""Quantities that nothing can be counted by."""

from __future__ import annotations

from typing import Any

from sternpost import Contract, Create, Delete, Read, Replace, Resource, Update, by_claim, fixed_window, public

MANY: Any = "100"
NO_TIERS: Any = [("pro", 600)]
HALF: Any = {True: 60, 0.5: 30}


class Task(Resource, prefix="tsk"):
    name: str

    read = Read(allow=public, limit=fixed_window(0, per="minute", by="address"))
    create = Create(allow=public, limit=fixed_window(MANY, per="minute", by="address"))
    update = Update(allow=public, limit=fixed_window(by_claim("plan", NO_TIERS, default=60), per="minute", by="address"))
    replace = Replace(allow=public, limit=fixed_window(by_claim("plan", {"pro": -1}, default=60), per="minute", by="address"))
    delete = Delete(allow=public, limit=fixed_window(by_claim("plan", HALF, default=60), per="minute", by="address"))


contract = Contract("shop", resources=[Task])
