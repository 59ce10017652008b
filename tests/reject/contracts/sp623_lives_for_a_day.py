"""A provider whose values live for something else."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, public
from sternpost import provide as provided

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


class Mailer:
    """Sends mails."""


provide = [provided(Mailer, per="day")]
