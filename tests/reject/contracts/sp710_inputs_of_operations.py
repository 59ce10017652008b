"""Limits of a contract that look at what not every operation takes."""

from __future__ import annotations

from sternpost import Contract, Create, Resource, fixed_window, given, public


class Task(Resource, prefix="tsk"):
    name: str

    create = Create(allow=public)


contract = Contract(
    "shop",
    resources=[Task],
    limit=fixed_window(10, per="minute", by=given("name")),
    throttle=fixed_window(10, per="minute", by="service", cost=given("items")),
)
