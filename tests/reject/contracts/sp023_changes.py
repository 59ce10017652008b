"""What changed after an older version, said wrongly."""

from __future__ import annotations

from typing import Literal

from sternpost import Added, Browse, Changed, Contract, Create, Many, One, Removed, Renamed, Resource, Version, field, public


class User(Resource, prefix="usr"):
    name: str
    locale: str
    nickname: str
    score: int = field(default=0)
    state: Literal["active", "left"]

    pets: Many[Pet]

    browse = Browse(allow=public)
    create = Create(allow=public)


class Pet(Resource, prefix="pet"):
    user: One[User]


contract = Contract(
    "users",
    resources=[User, Pet],
    api_version="v2",
    older=[
        Version(
            "v1",
            [
                Renamed(User, "title", was="name"),
                Renamed(User, "browse", was="list"),
                Added(User, "locale"),
                Removed(User, "nickname"),
                Changed(User, "score", was={"type": "string"}),
                Changed(User, "state", was={"choices": ["active"]}),
                Changed(User, "name", was={"size": 3}),
                Changed(User, "create", was={"page_size": 3}),
                Renamed(User, "score", was="pets"),
            ],
        )
    ],
)
