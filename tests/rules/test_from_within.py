"""Rules over rows where the author's own code writes: the data client, own SQL, a function of an operation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sternpost.data.database import Database
from sternpost.errors import ConstraintViolated, Overlapping, SternpostError
from sternpost.testing import Client
from tests.rules.clinic import Practitioner, Visit

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
SPAN = {"startsAt", "endsAt"}


def hour(number: int) -> datetime:
    return NINE + timedelta(hours=number - 9)


def span(start: int, end: int | None, **more: Any) -> dict[str, Any]:
    return {"starts_at": hour(start), "ends_at": None if end is None else hour(end), **more}


def told(error: SternpostError) -> set[tuple[str, str]]:
    return {(detail.path, detail.code) for detail in error.details}


BACKWARDS = {(name, "starts_at_before_ends_at") for name in SPAN}
TAKEN = {(name, "overlap") for name in SPAN}


@pytest.fixture
async def db(client: Client) -> AsyncIterator[Database]:
    async with client.app.data(tenants="all") as db:
        yield db


@pytest.fixture
async def who(db: Database) -> str:
    return (await db.table(Practitioner).create({"name": "Ada"})).id


async def test_the_data_client_raises_what_clients_are_told(db: Database, who: str) -> None:
    visits = db.table(Visit)
    with pytest.raises(ConstraintViolated) as error:
        await visits.create({"practitioner_id": who, **span(10, 9)})
    assert told(error.value) == BACKWARDS
    visit = await visits.create({"practitioner_id": who, **span(9, 11)})
    with pytest.raises(Overlapping) as taken:
        await visits.create({"practitioner_id": who, **span(10, None)})
    assert told(taken.value) == TAKEN
    with pytest.raises(ConstraintViolated) as error:  # which the database alone can tell
        await visits.update(visit.id, {"starts_at": hour(11)})
    assert told(error.value) == BACKWARDS
    assert (await visits.get(visit.id)).starts_at == hour(9)


async def test_many_rows_are_all_written_or_none(db: Database, who: str) -> None:
    visits = db.table(Visit)
    rows = [{"practitioner_id": who, **span(start, end)} for start, end in ((9, 10), (10, 11), (12, 14))]
    with pytest.raises(ConstraintViolated) as error:
        await visits.create_many([*rows, {"practitioner_id": who, **span(9, 8)}])
    assert told(error.value) == BACKWARDS
    with pytest.raises(Overlapping) as taken:
        await visits.create_many([*rows, {"practitioner_id": who, **span(13, 15)}])
    assert told(taken.value) == TAKEN
    assert await visits.count() == 0
    assert await visits.create_many(rows) == 3
    more = [{"practitioner_id": who, **span(start, end)} for start, end in ((9, 15), (11, 12), (11, 12), (14, 15))]
    assert await visits.create_many(more, on_conflict="skip") == 2
    assert [row.starts_at for row in await visits.find(order=["starts_at"])] == list(map(hour, (9, 10, 11, 12, 14)))


async def test_a_change_of_many_rows_keeps_the_rules(db: Database, who: str) -> None:
    visits = db.table(Visit)
    await visits.create_many([{"practitioner_id": who, **span(n, n + 1), "fee": Decimal(10)} for n in range(9, 12)])
    with pytest.raises(ConstraintViolated) as error:
        await visits.update_many({}, {"fee": {"multiply": 11}})
    assert {code for _, code in told(error.value)} == {"fee_within_most"}
    with pytest.raises(Overlapping):
        await visits.update_many({}, span(9, 10))
    with pytest.raises(ConstraintViolated):
        await visits.update_many({}, {"starts_at": hour(10), "ends_at": hour(9)})
    assert await visits.update_many({"fee": 77}, {"starts_at": hour(10), "ends_at": hour(9)}) == 0
    assert await visits.update_many({}, {"status": "cancelled"}) == 3
    assert await visits.update_many({}, span(9, 10)) == 3


async def test_an_upsert_keeps_the_rules(db: Database, who: str) -> None:
    visits = db.table(Visit)

    async def upsert(code: str, start: int, end: int) -> Any:
        values = span(start, end)
        return await visits.upsert({"code": code}, create={"practitioner_id": who, **values}, update=values)

    first, again = await upsert("a", 9, 10), await upsert("a", 9, 11)
    assert (first.id, again.ends_at) == (again.id, hour(11))
    with pytest.raises(Overlapping):
        await upsert("b", 10, 12)
    await upsert("b", 11, 12)
    with pytest.raises(Overlapping):
        await upsert("a", 9, 12)
    with pytest.raises(ConstraintViolated):
        await upsert("a", 10, 9)
    assert await visits.count() == 2


async def test_own_sql_is_kept_to_the_rules_and_told_in_the_same_words(db: Database, who: str) -> None:
    visits = db.table(Visit)
    one = await visits.create({"practitioner_id": who, **span(9, 10)})
    other = await visits.create({"practitioner_id": who, **span(10, 11)})
    with pytest.raises(ConstraintViolated) as error:
        await db.execute("UPDATE visits SET ends_at = starts_at WHERE id = :id", id=db.key(one.id))
    assert told(error.value) == BACKWARDS
    with pytest.raises(Overlapping) as taken:
        await db.execute("UPDATE visits SET starts_at = NULL WHERE id = :id", id=db.key(other.id))
    assert told(taken.value) == TAKEN
    await db.execute("UPDATE visits SET status = 'cancelled' WHERE id = :id", id=db.key(one.id))
    await db.execute("UPDATE visits SET starts_at = NULL WHERE id = :id", id=db.key(other.id))


async def test_two_transactions_cannot_take_the_same_span(db: Database, who: str, client: Client) -> None:
    async def take(start: int) -> str:
        async with client.app.data(tenants="all") as own, own.transaction():
            await own.table(Visit).create({"practitioner_id": who, **span(start, start + 2)})
        return "taken"

    outcomes = await asyncio.gather(*(take(9 + number % 2) for number in range(8)), return_exceptions=True)
    assert outcomes.count("taken") == 1
    assert all(isinstance(each, Overlapping) for each in outcomes if each != "taken"), outcomes
    assert await db.table(Visit).count() == 1


async def test_a_part_of_a_transaction_that_is_refused_is_undone_alone(db: Database, who: str) -> None:
    visits = db.table(Visit)
    async with db.transaction():
        await visits.create({"practitioner_id": who, **span(9, 10)})
        with pytest.raises(Overlapping):
            async with db.transaction():
                await visits.create({"practitioner_id": who, **span(8, 12)})
        await visits.create({"practitioner_id": who, **span(10, 11)})
    assert await visits.count() == 2
