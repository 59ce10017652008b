"""Conditions on the caller alone that no caller can fulfil, or that say nothing."""

from __future__ import annotations

from sternpost import Browse, Contract, Delete, Read, Resource, Update, caller, claim, this


class Note(Resource, prefix="not"):
    text: str

    browse = Browse(allow=claim("plan").eq(None) | claim("plan").eq(1.5))
    read = Read(allow=claim("plan").in_() | claim("plan").in_("a", "a") | claim("plan").in_("a", 1))
    update = Update(allow=caller.tenant.eq(7) | caller.api_key.in_("key_1", 2))
    delete = Delete(allow=claim("plans").in_(this.text) | claim("plan").eq(claim("other")))


contract = Contract("shop", resources=[Note])
