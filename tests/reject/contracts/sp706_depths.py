"""Buckets that hold nothing."""

from __future__ import annotations

from typing import Any

from sternpost import Contract, Create, Read, Resource, leaky_bucket, public, token_bucket

DEEP: Any = "deep"


class Task(Resource, prefix="tsk"):
    name: str

    read = Read(allow=public, limit=leaky_bucket(10, per="minute", by="address", depth=DEEP))
    create = Create(allow=public, limit=token_bucket(10, per="minute", by="address", burst=0))


contract = Contract("shop", resources=[Task])
