"""A claim that is compared with nothing."""

from __future__ import annotations

from sternpost import Browse, Contract, Read, Resource, caller, claim, public


class Note(Resource, prefix="not"):
    text: str

    browse = Browse(allow=claim("staff"))
    read = Read(allow=caller.tenant & public)


contract = Contract("shop", resources=[Note])
