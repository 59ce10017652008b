"""Operations that an older version could not have had like this."""

from __future__ import annotations

from typing import Any

from sternpost import Browse, Changed, Contract, Read, Resource, Version, public


class User(Resource, prefix="usr"):
    name: str

    browse = Browse(allow=public)
    read = Read(allow=public)


nobody: Any = "nobody"

contract = Contract(
    "users",
    resources=[User],
    api_version="v2",
    older=[
        Version(
            "v1",
            [
                Changed(User, "browse", was={"timeout": 3}),
                Changed(User, "browse", was={"page_size": 0}),
                Changed(User, "browse", was={"max_page_size": True}),
                Changed(User, "browse", was={"sort": "name"}),
                Changed(User, "browse", was={"sort": ["age"]}),
                Changed(User, "browse", was={"default_sort": ["-age"]}),
                Changed(User, "browse", was={"default_sort": 5}),
                Changed(User, "read", was={"sort": ["name"]}),
                Changed(User, "browse", was={"search": ["name"]}),
                Changed(User, "read", was={"allow": nobody}),
            ],
        )
    ],
)
