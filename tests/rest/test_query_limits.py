"""How much one query may ask for: what is just allowed is answered, one more is refused with the bound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from sternpost import Settings
from sternpost.testing import Client
from tests.support.contracts import app_of

SORTED = [f"s{number:02d}" for number in range(21)]


CONTRACT = f"""
from __future__ import annotations
from sternpost import Browse, Contract, Create, One, Resource, field, one, public

class Node(Resource, prefix="nod"):
    label: str = field(filter=True)
    parent: One[Node] | None = one(filter=True)
    {"; ".join(f"{name}: int = field(default=0)" for name in SORTED)}
    browse = Browse(allow=public, sort={SORTED}, page_size=2, max_page_size=3)
    create = Create(allow=public)

contract = Contract("nodes", resources=[Node])
"""


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = app_of(CONTRACT, make_settings())
    async with Client(app) as client:
        yield client


def listed(count: int, item: str = "label") -> str:
    return ",".join([item] * count)


@pytest.mark.parametrize(
    ("allowed", "refused", "said"),
    [
        (f"label[in]={listed(100)}", f"label[in]={listed(101)}", "At most 100 values can be listed"),
        (f"fields={listed(200)}", f"fields={listed(201)}", "At most 200 fields can be listed"),
        (f"include={listed(20, 'parent')}", f"include={listed(21, 'parent')}", "At most 20 relations can be included"),
        (
            "include=parent.parent.parent.parent",
            "include=parent.parent.parent.parent.parent",
            "Relations can be included at most 4 levels deep",
        ),
        (f"sort={','.join(SORTED[:20])}", f"sort={','.join(SORTED)}", "sorted by at most 20 fields"),
        ("page=10000000", "page=10000001", "from 1 to 10000000"),
        ("page=1", "page=0", "from 1 to 10000000"),
        ("pageSize=3", "pageSize=4", "from 1 to 3"),
        ("pageSize=1", "pageSize=0", "from 1 to 3"),
    ],
    ids=["in", "fields", "include", "depth", "sort", "last page", "first page", "largest page", "smallest page"],
)
async def test_a_list(client: Client, allowed: str, refused: str, said: str) -> None:
    for label in "abcd":
        created = await client.post("/api/v1/nodes", json={"label": label})
        assert created.status == 201, created.content
    answer = await client.get(f"/api/v1/nodes?{allowed}")
    assert answer.status == 200, answer.content
    answer = await client.get(f"/api/v1/nodes?{refused}")
    assert (answer.status, answer.error["code"]) == (400, "VALIDATION_ERROR")
    (detail,) = answer.error["details"]
    assert detail["path"] == refused.partition("=")[0]
    assert said in detail["message"]


async def test_a_page_has_as_many_rows_as_are_asked_for(client: Client) -> None:
    for label in "abcd":
        await client.post("/api/v1/nodes", json={"label": label})
    for query, count in (("", 2), ("?pageSize=1", 1), ("?pageSize=3", 3), ("?pageSize=3&page=2", 1)):
        assert len((await client.get(f"/api/v1/nodes{query}")).data) == count, query
