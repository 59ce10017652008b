"""Parameters that do not say what they ask for."""

from __future__ import annotations

from sternpost import Change, Context, Contract, Create, Read, Resource, implements, public
from sternpost import provide as provided

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


class Mailer:
    """Sends mails."""


def make_mailer(server, port=25) -> Mailer:
    return Mailer()


@implements(Order.create)
async def create(ctx: Context, change: Change[Order], *, mailer, retries: int) -> Order:
    return await change.apply()


services = [create]
provide = [provided(Mailer, make_mailer)]
