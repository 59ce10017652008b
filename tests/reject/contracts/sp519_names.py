"""Names and texts of policies that cannot be told."""

from __future__ import annotations

from sternpost import Browse, Contract, Delete, Read, Resource, Update, named, public, scope


class Note(Resource, prefix="not"):
    text: str

    browse = Browse(allow=named("Staff only", scope("staff"), text="Only staff"))
    read = Read(allow=named("staff", scope("staff"), text=" "))
    update = Update(allow=named("staff", scope("staff"), text="Only\nstaff") | public)
    delete = Delete(allow=named(7, scope("staff"), text="Only staff"))


contract = Contract("shop", resources=[Note])
