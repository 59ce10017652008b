"""A tenant cannot be made by who acts for another one."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, authenticated


class Clinic(Resource, prefix="cln", tenant="id"):
    name: str

    read = Read(allow=authenticated)
    create = Create(allow=authenticated)


contract = Contract("shop", resources=[Clinic])
