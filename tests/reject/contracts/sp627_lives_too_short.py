"""Values of the application that need those of a call."""

from __future__ import annotations

from sternpost import Context, Contract, Create, Read, Resource, after_validation, public
from sternpost import provide as provided

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


class Visit:
    """Belongs to a call."""


class Counter:
    """Belongs to the application."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit


class Audience:
    """Takes a context, once."""


def make_audience(ctx: Context) -> Audience:
    return Audience()


async def look(call, *, visit: Visit) -> None:
    """Hooks have no context."""


async def prepare(*, visit: Visit) -> None:
    """At the start there is no call."""


hooks = [after_validation(look)]
on_start = [prepare]
provide = [
    provided(Visit, per="call"),
    provided(Counter),
    provided(Audience, make_audience),
]
