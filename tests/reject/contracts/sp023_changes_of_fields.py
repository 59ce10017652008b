"""Fields and lists that an older version could not have had like this."""

from __future__ import annotations

from typing import Any, Literal

from sternpost import (
    Added,
    Browse,
    Changed,
    Contract,
    Create,
    One,
    Owned,
    Removed,
    Renamed,
    Resource,
    Update,
    Version,
    many,
    public,
)


class User(Resource, prefix="usr"):
    name: str
    score: int
    state: Literal["active", "left"] | None
    nickname: str | None
    addresses: Owned[Address] = many(min_length=1)

    browse = Browse(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


class Address(Resource, prefix="adr"):
    user: One[User]
    street: str


class Stranger(Resource, prefix="str"):
    name: str


number: Any = 5

contract = Contract(
    "users",
    resources=[User, Address],
    api_version="v2",
    older=[
        Version(
            "v1",
            [
                Added(User, "addresses"),
                Added(Stranger),
                Removed(Stranger, "name"),
                Renamed(User, "name", was="first name"),
                Renamed(User, "score", was=number),
                Renamed(User, "none", was="nothing"),
                Renamed(User, "id", was="key"),
                Changed(User, "none", was={"required": False}),
                Changed(User, "addresses", was={"required": False}),
                Changed(User, "id", was={"type": "integer"}),
                Changed(User, "name", was={"size": 3, "required": False}),
                Changed(User, "name", was={"required": False}),
                Changed(User, "name", was={"nullable": True}),
                Changed(User, "score", was={"type": "decimal"}, up=str, down=int),
                Changed(User, "score", was={"type": "string"}, up=int),
                Changed(User, "state", was={"choices": ["active", "gone"], "nullable": False}),
                Changed(User, "state", was={"choices": ["active"]}, shown={"left": "away"}),
                Changed(User, "nickname", was={"nullable": False}),
            ],
        )
    ],
)
