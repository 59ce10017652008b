"""Providers of what is no class of its own."""

from __future__ import annotations

from sternpost import Context, Contract, Create, Read, Resource, Settings, public
from sternpost import provide as provided

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


def make():
    return "smtp://localhost"


provide = [
    provided(str, make),
    provided("Mailer", make),
    provided(Settings, make),
    provided(Context, make, per="call"),
    provided(list[int], make),
]
