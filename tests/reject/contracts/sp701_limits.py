"""Limits that are none."""

from __future__ import annotations

from sternpost import Browse, Contract, Create, Read, Resource, fixed_window, public


class Task(Resource, prefix="tsk"):
    name: str

    browse = Browse(allow=public, limit=100)
    read = Read(allow=public, limit=[])
    create = Create(allow=public, limit=[fixed_window(10, per="minute", by="address"), "100/hour"])


contract = Contract("shop", resources=[Task], limit="100/minute", throttle=[fixed_window(1, per="second", by="service")] * 9)
