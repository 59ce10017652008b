"""Factories that make nothing."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, Settings, public
from sternpost import provide as provided

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


class Mailer:
    """Sends mails."""


class Templates:
    """Texts of mails."""


def make_templates(settings: Settings, /) -> Templates:
    return Templates()


provide = [
    provided(Mailer, 42),
    provided(Templates, make_templates),
]
