"""Options of wrong types everywhere: each is told, and none gets in another's way."""

from __future__ import annotations

from sternpost import Browse, Contract, Custom, Many, One, Resource, Transition, computed, field, many, one, scope, sum_of


class User(Resource, prefix=["usr"], owner=["id"], plural=5, table=6, unique=7):
    name: str = field(min_length="1", max_length=None, pattern=b"^a$", write=1, read=2, filter=3, description=4)
    age: int = field(ge="x", le=[], default={}, auto=5)
    posts: Many[Post] = many(by=1, through=2, min_length=3.5, max_length="4", write=5, route=6, description=7)
    total: int = computed(sum_of(["posts"], 3), filter=9)

    browse = Browse(page_size="20", max_page_size=None, sort=3, default_sort="name", timeout=True, summary=None, allow=3)
    close = Transition(1, source=2, target=3, allow=[])
    work = Custom(method=["POST"], on={}, input=3, output=4, allow=scope(["a"]))


class Post(Resource, prefix="pst", abstract=1):
    user: One[User] = one(on_delete=1, default=2, write=3, read=4, filter=5, unique=6, description=7)


contract = Contract(name=None, resources=[User, Post, None], title=1, description=2, version=3, api_version=4)
services = 5
