"""Operations that do not say who may."""

from __future__ import annotations

from sternpost import Browse, Contract, Read, Resource


class User(Resource, prefix="usr"):
    name: str

    browse = Browse()
    read = Read(
        summary="One user",
    )


contract = Contract("shop", resources=[User])
