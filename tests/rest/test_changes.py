"""A change in an author's hands: what it holds, what may be set in it, and what is written of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Json,
    Many,
    One,
    Owned,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    field,
    implements,
    many,
    public,
)
from sternpost.errors import Invalid
from sternpost.testing import Client


class Tag(Resource, prefix="tag"):
    word: str

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


class Item(Resource, prefix="itm"):
    order: One[Order]
    name: str
    amount: int = field(default=1)
    extra: Json = field(default=None)


class Order(Resource, prefix="ord"):
    name: str
    note: str | None = None
    extra: Json = field(default=None)
    tags: Many[Tag] = many(through="order_tags", write="always")
    items: Owned[Item]

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


Work = Callable[[Context, Any], Awaitable[None]]
WORK: list[Work] = []
"""What the functions do with the next change before it is written."""


@implements(Order.create)
async def create(ctx: Context, change: Change[Order]) -> Order:
    await WORK[0](ctx, change)
    return await change.apply()


@implements(Order.update)
async def update(ctx: Context, change: Change[Order]) -> Order:
    await WORK[0](ctx, change)
    return await change.apply()


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("orders", resources=[Order, Item, Tag])
    app = Sternpost(contract, services=[create, update], settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client
    WORK.clear()


def doing(work: Work) -> None:
    WORK[:] = [work]


async def nothing(ctx: Context, change: Any) -> None:
    """It is written as it came."""


async def tags_of(client: Client, *words: str) -> list[str]:
    return [(await client.post("/api/v1/tags", json={"word": word})).data["id"] for word in words]


async def sent(client: Client, **more: Any) -> dict[str, Any]:
    doing(nothing)
    first, second = await tags_of(client, "first", "second")
    items = [{"name": "one"}, {"name": "two", "amount": 2}]
    body = {"name": "a", "note": "n", "tagIds": [first, second], "items": items, **more}
    answer = await client.post("/api/v1/orders", json=body)
    assert answer.status == 201, answer.content
    return {**answer.data, "tagIds": [first, second]}


async def stored(client: Client, order: dict[str, Any]) -> tuple[Any, ...]:
    found = (await client.get(f"/api/v1/orders/{order['id']}?include=tags")).data
    items = [(item["name"], item["amount"]) for item in found["items"]]
    return found["name"], found["note"], sorted(tag["word"] for tag in found["tags"]), items


async def test_it_holds_what_the_client_sent_in_the_form_that_authors_see(client: Client) -> None:
    seen: list[Any] = []

    async def look(ctx: Context, change: Any) -> None:
        items = [dict(item) for item in change.get("items", ())]
        name = change.get("name")
        seen[:] = [set(change), len(change), name, change["tags"], items, repr(change), change.current]

    tags = await tags_of(client, "x", "y")
    doing(look)
    body = {"name": "a", "tagIds": tags, "items": [{"name": "one"}]}
    created = await client.post("/api/v1/orders", json=body)
    assert created.status == 201, created.content
    names, size, name, linked, items, text, current = seen
    assert names >= {"name", "tags", "items"}
    assert size == len(names)
    assert (name, linked, current) == ("a", tags, None)
    assert items[0]["name"] == "one"
    assert text.startswith("<Change of Order: ")
    changed = await client.patch(f"/api/v1/orders/{created.data['id']}", json={"tagIds": tags[:1]})
    assert changed.status == 200
    assert (seen[0], seen[3]) == ({"tags"}, tags[:1])
    assert seen[6].name == "a"


async def test_what_is_set_in_it_is_written(client: Client) -> None:
    order = await sent(client)

    async def set_all(ctx: Context, change: Any) -> None:
        first, *_ = change["items"]
        change["items"] = [{"name": "new", "amount": 7}, first, {"name": "last"}]
        change["tags"] = order["tagIds"][1:]
        change["note"] = "set"
        del change["name"]

    doing(set_all)
    body = {"name": "never", "items": [{"name": "kept"}, {"name": "left out"}]}
    answer = await client.patch(f"/api/v1/orders/{order['id']}", json=body)
    assert answer.status == 200, answer.content
    items = [("new", 7), ("kept", 1), ("last", 1)]
    assert [(item["name"], item["amount"]) for item in answer.data["items"]] == items
    assert await stored(client, order) == ("a", "set", ["second"], items)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("nam", "x", TypeError),
        ("name", 5, TypeError),
        ("tags", ["tag_1"], Invalid),
        ("items", [{"nam": "x"}], TypeError),
    ],
)
async def test_what_does_not_fit_is_not_set(client: Client, name: str, value: Any, error: type[Exception]) -> None:
    order = await sent(client)
    raised: list[Exception] = []

    async def set_wrong(ctx: Context, change: Any) -> None:
        try:
            change[name] = value
        except error as problem:
            raised.append(problem)

    doing(set_wrong)
    answer = await client.patch(f"/api/v1/orders/{order['id']}", json={"note": "changed"})
    assert (answer.status, len(raised)) == (200, 1), answer.content
    assert await stored(client, order) == ("a", "changed", ["first", "second"], [("one", 1), ("two", 2)])


async def test_it_is_written_once_and_then_closed(client: Client) -> None:
    raised: list[str] = []

    async def apply_twice(ctx: Context, change: Any) -> None:
        first, second = await change.apply(), await change.apply()
        assert first.id == second.id
        with pytest.raises(RuntimeError, match="set values before apply") as error:
            change["note"] = "late"
        raised.append(str(error.value))
        assert await ctx.data.table(Order).count() == 1

    doing(apply_twice)
    answer = await client.post("/api/v1/orders", json={"name": "a"})
    assert (answer.status, len(raised)) == (201, 1), answer.content
    assert await stored(client, answer.data) == ("a", None, [], [])


async def test_a_row_that_is_deleted_before_its_change_is_not_found_and_stays(client: Client) -> None:
    order = await sent(client)

    async def delete(ctx: Context, change: Any) -> None:
        assert await ctx.data.table(Order).delete(change.current.id)

    doing(delete)
    answer = await client.patch(f"/api/v1/orders/{order['id']}", json={"note": "changed"})
    assert (answer.status, answer.error["code"]) == (404, "NOT_FOUND")
    assert (await stored(client, order))[1] == "n", "what the function did is undone, too"


LONG = "1234567890.12345678901234567890"


@pytest.mark.parametrize(
    "items",
    ["", ', "items": []', f', "items": [{{"name": "x", "extra": {{"b": {LONG}}}}}, {{"name": "y"}}]'],
    ids=["no list", "an empty one", "items with and without"],
)
async def test_json_of_a_row_and_its_items_keeps_every_digit(client: Client, items: str) -> None:
    doing(nothing)
    body = f'{{"name": "a", "extra": {{"a": {LONG}}}{items}}}'.encode()
    answer = await client.post("/api/v1/orders", content=body, headers={"content-type": "application/json"})
    assert answer.status == 201, answer.content
    found = (await client.get(f"/api/v1/orders/{answer.data['id']}")).content.decode()
    assert f'{{"a":{LONG}}}' in found.replace(" ", "")
    assert (f'{{"b":{LONG}}}' in found.replace(" ", "")) == ("b" in items)


async def test_a_function_that_asks_for_the_caller_needs_one(client: Client) -> None:
    """Also where the operation itself is public."""
    callers: list[str] = []

    async def note(ctx: Context, change: Any) -> None:
        change["note"] = ctx.now().isoformat()
        callers.append(ctx.caller.subject)

    doing(note)
    answer = await client.post("/api/v1/orders", json={"name": "a"})
    assert (answer.status, answer.error["code"], callers) == (401, "UNAUTHENTICATED", [])
    answer = await client.post("/api/v1/orders", json={"name": "a"}, token=client.token("ada"))
    assert (answer.status, callers) == (201, ["ada"])
    assert abs(datetime.fromisoformat(answer.data["note"]) - datetime.now(UTC)) < timedelta(minutes=1)
