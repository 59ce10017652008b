"""Periods that are none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sternpost import Contract, Create, Delete, Read, Resource, Update, fixed_window, public

WEEK: Any = "week"
HALF: Any = 0.5


class Task(Resource, prefix="tsk"):
    name: str

    read = Read(allow=public, limit=fixed_window(10, per=WEEK, by="address"))
    create = Create(allow=public, limit=fixed_window(10, per=0, by="address"))
    update = Update(allow=public, limit=fixed_window(10, per=timedelta(days=400), by="address"))
    delete = Delete(allow=public, limit=fixed_window(10, per=HALF, by="address"))


contract = Contract("shop", resources=[Task])
