"""What refers to the items of a row that is kept when it is deleted is asked as if they were deleted. On each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sternpost import (
    Contract,
    Create,
    Delete,
    One,
    Owned,
    Read,
    Resource,
    Restore,
    Settings,
    Sternpost,
    field,
    one,
    public,
)
from sternpost.errors import StillReferenced
from sternpost.testing import Client
from tests.conftest import LogLines

V1 = "/api/v1"


class Customer(Resource, prefix="cus", soft_delete=True):
    name: str = field(default="")

    create = Create(allow=public)
    read = Read(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=public)


class Order(Resource, prefix="ord", soft_delete=True):
    customer: One[Customer] | None = one(on_delete="cascade")
    items: Owned[Item]

    create = Create(allow=public)
    read = Read(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=public)


class Item(Resource, prefix="itm"):
    order: One[Order]
    text: str


class Shipment(Resource, prefix="shp"):
    """Keeps its item from going, and so the whole order."""

    item: One[Item] = one(link=public)

    create = Create(allow=public)
    read = Read(allow=public)
    delete = Delete(allow=public)


class Mark(Resource, prefix="mrk"):
    """Goes with its item, for good."""

    item: One[Item] = one(on_delete="cascade", link=public)

    create = Create(allow=public)
    read = Read(allow=public)


class Remark(Resource, prefix="rmk", soft_delete=True):
    """Goes with its item, and is kept."""

    item: One[Item] = one(on_delete="cascade", link=public)

    create = Create(allow=public)
    read = Read(allow=public)
    delete = Delete(allow=public)


class Answer(Resource, prefix="ans"):
    """Keeps a remark from going."""

    remark: One[Remark]

    create = Create(allow=public)
    read = Read(allow=public)


class Hint(Resource, prefix="hnt"):
    """Refers to nothing once its item is gone."""

    item: One[Item] | None = one(on_delete="set_null", link=public)
    version: int = field(auto="version")

    create = Create(allow=public)
    read = Read(allow=public)


CONTRACT = Contract("orders", resources=[Customer, Order, Item, Shipment, Mark, Remark, Answer, Hint])
DELETIONS = ("order", "customer", "batch", "data client", "many by data client")


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    async with Client(Sternpost(CONTRACT, settings=make_settings(), write_log=log_lines)) as client:
        yield client


class Ordered:
    """A customer's order of two items."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.customer = self.order = ""
        self.items: list[str] = []

    async def fill(self) -> None:
        self.customer = await self.made("customers")
        self.order = await self.made("orders", customerId=self.customer, items=[{"text": "a"}, {"text": "b"}])
        self.items = [item["id"] for item in (await self.client.get(f"{V1}/orders/{self.order}")).data["items"]]

    async def made(self, path: str, **values: Any) -> str:
        answer = await self.client.post(f"{V1}/{path}", json=values)
        assert answer.status == 201, answer.content
        return answer.data["id"]

    async def status(self, path: str, row: str) -> int:
        return (await self.client.get(f"{V1}/{path}/{row}")).status

    async def delete(self, how: str) -> bool:
        """Deletes the order; whether that was allowed."""
        if how in ("data client", "many by data client"):
            async with self.client.app.data() as db:
                orders = db.table(Order)
                try:
                    if how == "data client":
                        assert await orders.delete(self.order)
                    else:
                        assert await orders.delete_many({}) == 1
                except StillReferenced:
                    return False
            return True
        if how == "batch":
            steps = [{"operation": "orders.delete", "id": self.order}]
            answer = await self.client.post(f"{V1}/$batch", json={"operations": steps})
        else:
            row = self.order if how == "order" else self.customer
            answer = await self.client.delete(f"{V1}/{how}s/{row}")
        if answer.status == 409:
            assert answer.error["code"] == "STILL_REFERENCED"
            return False
        assert answer.status < 300, answer.content
        return True


@pytest.fixture
async def ordered(client: Client) -> Ordered:
    found = Ordered(client)
    await found.fill()
    return found


@pytest.mark.parametrize("how", DELETIONS)
async def test_an_item_that_is_referred_to_keeps_its_owner(ordered: Ordered, how: str) -> None:
    shipment = await ordered.made("shipments", itemId=ordered.items[1])
    mark = await ordered.made("marks", itemId=ordered.items[0])
    hint = await ordered.made("hints", itemId=ordered.items[0])
    before = (await ordered.client.get(f"{V1}/orders/{ordered.order}")).data
    assert not await ordered.delete(how)
    assert (await ordered.client.get(f"{V1}/orders/{ordered.order}")).data == before
    assert await ordered.status("customers", ordered.customer) == 200
    assert await ordered.status("marks", mark) == 200, "nothing of it has happened"
    told = (await ordered.client.get(f"{V1}/hints/{hint}")).data
    assert (told["itemId"], told["version"]) == (ordered.items[0], 1)
    assert (await ordered.client.delete(f"{V1}/shipments/{shipment}")).status == 204
    assert await ordered.delete(how)
    assert await ordered.status("orders", ordered.order) == 404


@pytest.mark.parametrize("how", DELETIONS)
async def test_what_goes_with_an_item_goes_with_its_owner(ordered: Ordered, how: str) -> None:
    mark = await ordered.made("marks", itemId=ordered.items[0])
    remark = await ordered.made("remarks", itemId=ordered.items[1])
    hint = await ordered.made("hints", itemId=ordered.items[0])
    assert await ordered.delete(how)
    assert [await ordered.status("marks", mark), await ordered.status("remarks", remark)] == [404, 404]
    told = (await ordered.client.get(f"{V1}/hints/{hint}")).data
    assert (told["itemId"], told["version"]) == (None, 2)
    async with ordered.client.app.data() as db:
        rows = await db.sql("select (select count(*) from marks) as marks, (select count(*) from remarks) as remarks")
    assert rows == [{"marks": 0, "remarks": 1}], "a remark is kept"


@pytest.mark.parametrize("how", DELETIONS)
async def test_what_keeps_a_row_that_would_go_keeps_the_owner(ordered: Ordered, how: str) -> None:
    remark = await ordered.made("remarks", itemId=ordered.items[1])
    await ordered.made("answers", remarkId=remark)
    assert not await ordered.delete(how)
    assert [await ordered.status("orders", ordered.order), await ordered.status("remarks", remark)] == [200, 200]


@pytest.mark.parametrize("what", ["order", "customer"])
async def test_what_went_with_an_item_comes_back_with_its_owner(ordered: Ordered, what: str) -> None:
    """As what went with the owner itself does; what was deleted before stays so."""
    kept = await ordered.made("remarks", itemId=ordered.items[0])
    earlier = await ordered.made("remarks", itemId=ordered.items[0])
    assert (await ordered.client.delete(f"{V1}/remarks/{earlier}")).status == 204
    before = (await ordered.client.get(f"{V1}/orders/{ordered.order}")).data
    assert await ordered.delete(what)
    assert await ordered.status("remarks", kept) == 404
    row = ordered.order if what == "order" else ordered.customer
    assert (await ordered.client.post(f"{V1}/{what}s/{row}/restore")).status == 200
    assert (await ordered.client.get(f"{V1}/orders/{ordered.order}")).data == before
    assert [await ordered.status("remarks", kept), await ordered.status("remarks", earlier)] == [200, 404]


async def test_nothing_new_refers_to_an_item_of_a_deleted_row(ordered: Ordered) -> None:
    assert await ordered.delete("order")
    for path in ("shipments", "marks", "remarks", "hints"):
        answer = await ordered.client.post(f"{V1}/{path}", json={"itemId": ordered.items[0]})
        assert (answer.status, answer.error["code"]) == (422, "REFERENCE_NOT_FOUND"), path
