"""No answer tells of a row that the caller may not see: neither of a deleted one, nor through the policy of a new row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Many,
    One,
    Owned,
    Read,
    Resource,
    Restore,
    Settings,
    Sternpost,
    authenticated,
    field,
    public,
    scope,
    this,
)
from sternpost.testing import Client, Response

V1 = "/api/v1"
NEVER = "0" * 32


class Shelf(Resource, prefix="shf", plural="shelves", owner="opened_by", soft_delete=True):
    opened_by: str
    name: str
    open: bool = field(default=True)
    books: Many[Book]

    read = Read(allow=this.is_owner | scope("all"))
    create = Create(allow=public)
    delete = Delete(allow=this.is_owner)
    restore = Restore(allow=scope("admin") & this.is_owner)


class Note(Resource, prefix="not", soft_delete=True):
    text: str

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=scope("admin"))


class Poster(Resource, prefix="pos", soft_delete=True):
    free: bool

    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=scope("admin") | this.free.eq(True))


class Book(Resource, prefix="boo"):
    shelf: One[Shelf]
    parts: Owned[Part]

    read = Read(allow=public)
    create = Create(allow=this.shelf.name.eq("a"))


class Part(Resource, prefix="par"):
    book: One[Book]
    about: One[Shelf] | None


CONTRACT = Contract("library", resources=[Shelf, Note, Poster, Book, Part])


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    async with Client(Sternpost(CONTRACT, settings=make_settings(), write_log=lambda line: None)) as client:
        yield client


async def made(client: Client, path: str, **body: Any) -> str:
    answer = await client.post(f"{V1}/{path}", json=body)
    assert answer.status == 201, answer.content
    return answer.data["id"]


def told(answer: Response) -> tuple[int, Any]:
    return answer.status, {name: value for name, value in answer.error.items() if name != "requestId"}


@pytest.mark.parametrize("batch", [False, True], ids=["alone", "in a batch"])
async def test_who_may_not_restore_is_not_told_what_was_deleted(client: Client, batch: bool) -> None:
    async def restore(key: str, *scopes: str) -> Response:
        token = client.token("ann", *scopes)
        if batch:
            steps = {"operations": [{"operation": "notes.restore", "id": key}]}
            return await client.post(f"{V1}/$batch", json=steps, token=token)
        return await client.post(f"{V1}/notes/{key}/restore", token=token)

    there, gone = await made(client, "notes", text="there"), await made(client, "notes", text="gone")
    assert (await client.delete(f"{V1}/notes/{gone}")).status == 204
    assert (await restore(there)).status == 403, "who sees a row is told that they may not"
    assert told(await restore(gone)) == told(await restore(f"not_{NEVER}"))
    assert (await restore(gone)).status == 404
    assert (await restore(gone, "admin")).status == 200


async def test_nor_by_a_policy_that_looks_at_the_row(client: Client) -> None:
    gone = await made(client, "shelves", openedBy="ann", name="a")
    assert (await client.delete(f"{V1}/shelves/{gone}", token=client.token("ann"))).status == 204
    for token in (client.token("bob", "admin", "all"), client.token("ann")):
        refused = await client.post(f"{V1}/shelves/{gone}/restore", token=token)
        assert told(refused) == told(await client.post(f"{V1}/shelves/shf_{NEVER}/restore", token=token))
        assert refused.status == 404
    assert (await client.post(f"{V1}/shelves/{gone}/restore", token=client.token("ann", "admin"))).status == 200


async def test_nor_to_a_caller_who_does_not_say_who_they_are(client: Client) -> None:
    async def restore(key: str) -> Response:
        return await client.post(f"{V1}/posters/{key}/restore")

    there, gone = await made(client, "posters", free=False), await made(client, "posters", free=False)
    assert (await client.delete(f"{V1}/posters/{gone}")).status == 204
    assert (await restore(there)).status == 401, "who sees a row is told to say who they are"
    assert told(await restore(gone)) == told(await restore(f"pos_{NEVER}"))
    assert (await restore(gone)).status == 404


async def test_the_policy_of_a_new_row_does_not_look_at_what_is_hidden(client: Client) -> None:
    hers = {name: await made(client, "shelves", openedBy="ann", name=name) for name in ("a", "b")}
    bob = client.token("bob")

    async def create(shelf: str, **more: Any) -> Response:
        return await client.post(f"{V1}/books", json={"shelfId": shelf, "parts": [], **more}, token=bob)

    never = told(await create(f"shf_{NEVER}"))
    assert never[0] == 422
    assert told(await create(hers["a"])) == never
    assert told(await create(hers["b"])) == never, "the policy would say no, and so tell the shelf's name"
    his = {name: await made(client, "shelves", openedBy="bob", name=name) for name in ("a", "b")}
    assert (await create(his["a"])).status == 201
    assert (await create(his["b"])).status == 403
    about = [{"aboutId": hers["b"]}]
    assert (await create(his["b"], parts=about)).status == 422, "what is hidden is refused before the policy is asked"
    steps = [{"operation": "books.create", "body": {"shelfId": shelf, "parts": []}} for shelf in (hers["b"], hers["a"])]
    answers = [await client.post(f"{V1}/$batch", json={"operations": [step]}, token=bob) for step in steps]
    assert told(answers[0]) == told(answers[1])
    assert answers[0].status == 422


class Sheet(Resource, prefix="sht"):
    open: bool = field(default=False)

    browse = Browse(allow=authenticated | this.open.eq(True))
    read = Read(allow=authenticated | this.open.eq(True))
    create = Create(allow=public)


@pytest.mark.parametrize("known_first", [True, False])
async def test_a_token_without_scopes_is_not_nobody(make_settings: Callable[..., Settings], known_first: bool) -> None:
    """What is decided for one of them is not taken for the other."""
    app = Sternpost(Contract("sheets", resources=[Sheet]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        for is_open in (True, False):
            made = await client.post(f"{V1}/sheets", json={"open": is_open})
        address = f"{V1}/sheets/{made.data['id']}"
        known = client.token("ann")
        callers = [known, None] if known_first else [None, known]
        for _ in range(2):
            for token in callers:
                found = [row["open"] for row in (await client.get(f"{V1}/sheets", token=token)).data]
                assert sorted(found) == ([False, True] if token else [True])
                assert (await client.get(address, token=token)).status == (200 if token else 404)
