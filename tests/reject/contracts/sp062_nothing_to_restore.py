"""Rows are to be restored that are not kept."""

from __future__ import annotations

from sternpost import Contract, Resource, Restore, public


class Task(Resource, prefix="tsk"):
    name: str

    restore = Restore(allow=public)


contract = Contract("shop", resources=[Task])
