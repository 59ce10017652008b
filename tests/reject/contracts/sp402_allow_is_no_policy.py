"""What is not a policy in allow."""

from __future__ import annotations

from sternpost import Browse, Contract, Create, Delete, Read, Replace, Resource, Update, scope, this


class User(Resource, prefix="usr"):
    name: str

    browse = Browse(allow="public")
    read = Read(allow=None)
    create = Create(allow=True)
    update = Update(allow=this.name == "Ada")
    replace = Replace(allow=scope)
    delete = Delete(allow=this.name)


contract = Contract("shop", resources=[User])
