"""Claims without a name, with one that a token cannot have, and those that mean something else already."""

from __future__ import annotations

from sternpost import Browse, Contract, Delete, Read, Resource, Update, claim, this


class Note(Resource, prefix="not"):
    department: str

    browse = Browse(allow=this.department.eq(claim("")))
    read = Read(allow=claim("a b").eq("x"))
    update = Update(allow=this.department.in_(claim(7)))
    delete = Delete(allow=this.department.eq(claim("sub")) | claim("scope").eq("x") | claim("exp").eq(1))


contract = Contract("shop", resources=[Note])
