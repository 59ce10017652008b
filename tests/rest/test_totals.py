"""Computed totals: exact, within what a column holds, and refused where they are not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from sternpost import (
    Contract,
    Create,
    One,
    Owned,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Unprocessable,
    Update,
    computed,
    field,
    many,
    public,
    sum_of,
)
from sternpost.testing import Client

V1 = "/api/v1"
MOST = 2**63 - 1


class Line(Resource, prefix="lin"):
    bill: One[Bill]
    count: int = field(default=1)
    price: int = field(default=1)
    amount: Decimal = field(default=Decimal(1), decimal_places=2)


class Bill(Resource, prefix="bil"):
    lines: Owned[Line] = many(min_length=1, max_length=3)
    total: int = computed(sum_of("lines", "count", "price"))
    exact: Decimal = computed(sum_of("lines", "count", "amount"))

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    replace = Replace(allow=public)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(Contract("bills", resources=[Bill, Line]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


@pytest.mark.parametrize(
    ("lines", "total", "exact"),
    [
        ([{"count": MOST}], MOST, None),
        ([{"count": MOST, "amount": "0.00"}, {"count": MOST, "amount": "0.00"}], None, "0.00"),
        ([{"count": 2**62, "price": 4, "amount": "0.00"}], None, "0.00"),
        ([{"count": -(2**62), "price": 2, "amount": "0.00"}], -(2**63), "0.00"),
        ([{"count": 2**40, "amount": "9999999999999.99"}], 2**40, None),
        ([{"amount": "9999999999999999.99"}], 1, "9999999999999999.99"),
        ([{"amount": "9999999999999999.99"}] * 2, 2, None),
        ([{"amount": "9999999999999999.99"}, {"amount": "0.01"}], 2, None),
        ([{"count": 10**17, "amount": "999999.99"}, {"count": -(10**17), "amount": "999999.99"}], 0, "0.00"),
        ([{"count": 10**17 + 3, "amount": "0.01"}], 10**17 + 3, "1000000000000000.03"),
    ],
)
async def test_a_total_is_exact_or_refused(
    client: Client, lines: list[dict[str, Any]], total: int | None, exact: str | None
) -> None:
    small = (await client.post(f"{V1}/bills", json={"lines": [{}]})).data["id"]
    wrong = [name for name, value in (("total", total), ("exact", exact)) if value is None]
    answers = [
        await client.post(f"{V1}/bills", json={"lines": lines}),
        await client.patch(f"{V1}/bills/{small}", json={"lines": lines}),
        await client.put(f"{V1}/bills/{small}", json={"lines": lines}),
    ]
    for answer in answers:
        if wrong:
            assert answer.status == 422, answer.content
            assert [detail["code"] for detail in answer.error["details"]] == ["out_of_range"]
            assert answer.error["details"][0]["path"] == wrong[0]
        else:
            assert answer.status in (200, 201), answer.content
            assert (answer.data["total"], answer.data["exact"]) == (total, exact)
    stored = (await client.get(f"{V1}/bills/{small}")).data
    assert (stored["total"], stored["exact"]) == ((1, "1.00") if wrong else (total, exact))


async def test_the_data_client_keeps_the_length_of_lists(client: Client) -> None:
    async with client.app.data() as db:
        bills = db.table(Bill)
        for lines in ([], [{}] * 4):
            with pytest.raises(ValueError, match=r"Bill\.lines takes 1 to 3 rows, not"):
                await bills.create({"lines": {"create": lines}})
        bill = await bills.create({"lines": {"create": [{}] * 2}})
        for change in ({"create": [{}, {}]}, {"set": []}, {"set": [{}] * 4}):
            with pytest.raises(ValueError, match=r"Bill\.lines takes 1 to 3 rows, not"):
                await bills.update(bill.id, {"lines": change})
        with pytest.raises(Unprocessable):
            await bills.update(bill.id, {"lines": {"set": [{"count": MOST}] * 2}})
        assert (await bills.get(bill.id)).total == 2
        assert await db.table(Line).count() == 2
