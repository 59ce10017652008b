"""What nothing provides, with the way that led there."""

from __future__ import annotations

from sternpost import Change, Context, Contract, Create, Read, Resource, after_validation, implements, public
from sternpost import provide as provided

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


class Server:
    """Takes mails."""


class Mailer:
    """Sends mails."""

    def __init__(self, server: Server) -> None:
        self.server = server


class Shop:
    """Has a mailer."""

    def __init__(self, mailer: Mailer, context: Context) -> None:
        self.mailer = mailer


class Clockwork:
    """Nobody makes it."""


@implements(Order.create)
async def create(ctx: Context, change: Change[Order], *, shop: Shop) -> Order:
    return await change.apply()


async def look(call, *, clockwork: Clockwork, context: Context) -> None:
    """Asks for what is not there."""


services = [create]
hooks = [after_validation(look)]
provide = [
    provided(Mailer),
    provided(Shop, per="call"),
]
