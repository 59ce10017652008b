"""Buckets that cannot be counted exactly."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, leaky_bucket, public, token_bucket


class Task(Resource, prefix="tsk"):
    name: str

    read = Read(allow=public, limit=token_bucket(1_000_000, per="day", by="address"))
    create = Create(allow=public, limit=leaky_bucket(10, per="day", by="address", depth=200_000))


contract = Contract("shop", resources=[Task])
