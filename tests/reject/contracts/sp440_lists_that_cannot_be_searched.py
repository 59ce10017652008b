"""Lists that are searched in what holds no text, in too much of it, or in what not everyone may read."""

from __future__ import annotations

from sternpost import Browse, Contract, Many, One, Resource, field, public, searched


class Owner(Resource, prefix="own"):
    name: str
    pets: Many["Pet"]

    browse = Browse(allow=public, search="name")


class Pet(Resource, prefix="pet"):
    owner: One[Owner]
    name: str
    age: int
    tags: list[str]
    chip: str = field(read="chips")

    browse = Browse(allow=public, search=["name", "age", "tags", "owner.name", "owner", "nothing", searched("id")])


class Twice(Resource, prefix="twi", plural="twices"):
    name: str
    search: str = field(filter=True)

    browse = Browse(allow=public, search=["name", searched("name")])


class Taken(Resource, prefix="tak", plural="takens"):
    name: str
    search: str = field(filter=True)

    browse = Browse(allow=public, search=["name", "search"])


class Long(Resource, prefix="lon", plural="longs"):
    chip: str = field(read="chips")
    note: str = field(max_length=200_000)
    story: str = field(max_length=60_000)

    browse = Browse(allow=public, search=["note", "story", searched("chip", all=True)])


class Secret(Resource, prefix="sec", plural="secrets"):
    name: str
    chip: str = field(read="chips")
    ssn: str = field(read="ssn")

    browse = Browse(allow=public, search=["name", "chip", searched("ssn")])


class Wide(Resource, prefix="wid", plural="wides"):
    a: str
    b: str
    c: str
    d: str
    e: str
    f: str
    g: str
    h: str
    i: str

    browse = Browse(allow=public, search=[*"abcdefghi"])


class Empty(Resource, prefix="emp", plural="empties"):
    age: int

    browse = Browse(allow=public, search=["age"])


contract = Contract("pets", resources=[Owner, Pet, Twice, Taken, Long, Secret, Wide, Empty])
