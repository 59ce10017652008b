"""Names of limits that are malformed, or used twice."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, fixed_window, public


class Task(Resource, prefix="tsk"):
    name: str

    read = Read(allow=public, limit=fixed_window(10, per="minute", by="address", name='a"b'))
    create = Create(
        allow=public,
        limit=[
            fixed_window(10, per="minute", by="address", name="burst"),
            fixed_window(100, per="hour", by="address", name="burst"),
        ],
    )


contract = Contract("shop", resources=[Task])
