"""Enums that are empty or hold other things than texts."""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Literal

from sternpost import Contract, Resource


class Priority(Enum):
    LOW = 1
    HIGH = 2


class Empty(StrEnum):
    pass


class Task(Resource, prefix="tsk"):
    priority: Priority
    state: Empty
    size: Literal["small", 2]


contract = Contract("shop", resources=[Task])
