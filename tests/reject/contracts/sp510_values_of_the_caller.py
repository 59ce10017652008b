"""Operators and methods that values of the caller do not have."""

from __future__ import annotations

from sternpost import Browse, Contract, Delete, Read, Resource, Update, caller, claim


class Note(Resource, prefix="not"):
    text: str

    browse = Browse(allow=claim("plan") == "pro")
    read = Read(allow=claim("plan").contains("pro"))
    update = Update(allow=caller.tenant.is_null)
    delete = Delete(allow=claim("level") > 3)


contract = Contract("shop", resources=[Note])
