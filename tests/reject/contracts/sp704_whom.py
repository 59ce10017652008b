"""What calls cannot be counted by."""

from __future__ import annotations

from typing import Any

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Json,
    Read,
    Replace,
    Resource,
    Update,
    caller,
    claim,
    fixed_window,
    given,
    public,
)

NOBODY: Any = "user"
CALLER: Any = caller


class Task(Resource, prefix="tsk"):
    name: str
    notes: Json

    browse = Browse(allow=public, limit=fixed_window(10, per="minute", by=("service", "address")))
    read = Read(allow=public, limit=fixed_window(10, per="minute", by=NOBODY))
    create = Create(allow=public, limit=fixed_window(10, per="minute", by=(given("nmae"), given("notes"))))
    update = Update(
        allow=public,
        limit=[fixed_window(10, per="minute", by=()), fixed_window(10, per="hour", by=("address", "address"))],
    )
    replace = Replace(
        allow=public,
        limit=[
            fixed_window(10, per="minute", by=claim("sub")),
            fixed_window(10, per="hour", by=claim("")),
            fixed_window(10, per="day", by=CALLER),
        ],
    )
    delete = Delete(allow=public, limit=fixed_window(10, per="minute", by=given("name")))


contract = Contract("shop", resources=[Task])
