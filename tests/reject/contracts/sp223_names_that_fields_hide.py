"""Fields and relations that have the name of a policy, or of a function, which is used below them."""

from __future__ import annotations

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Many,
    One,
    Read,
    Resource,
    Update,
    authenticated,
    field,
    many,
    one,
    public,
    scope,
    this,
)

members = scope("members:read")
admin = scope("admin")


class Club(Resource, prefix="clb"):
    name: str
    public: bool = field(default=False)
    members: Many[Person] = many()

    browse = Browse(allow=members)
    read = Read(allow=public)
    create = Create(allow=members | authenticated)
    update = Update(allow=~members)
    delete = Delete(allow=authenticated & ~public)


class Person(Resource, prefix="per"):
    club: One[Club] = one()
    scope: str = field()
    admin: One[Person] | None = one()
    this: str = field()
    one: str = field()
    other: One[Person] | None = one()
    secret: str | None = field(default=None, write=admin)
    field: str = field()
    more: str = field()

    browse = Browse(allow=scope("people:read"))
    read = Read(allow=this.club.is_owner | admin)
    create = Create(allow=this.admin.eq("x") & scope("x"))


contract = Contract("clubs", resources=[Club, Person])
