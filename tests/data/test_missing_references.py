"""A reference to what is not there is an error where it would be written, and only there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from sternpost import Contract, Create, Delete, One, Owned, Resource, Settings, Sternpost, field, one, public
from sternpost.data.database import Database
from sternpost.errors import ReferenceNotFound
from sternpost.testing import Client

NOBODY = "per_" + "0" * 32


class Person(Resource, prefix="per", soft_delete=True):
    """One that may be deleted, so that a reference to it is looked at before it is written."""

    name: str = field(default="")


class Topic(Resource, prefix="top"):
    """One that the database alone looks after."""

    name: str = field(default="")


class Note(Resource, prefix="not"):
    slug: str = field(unique=True)
    text: str = field(default="")
    person: One[Person] | None = one()
    topic: One[Topic] | None = one()
    parts: Owned[Part]

    create = Create(allow=public)
    delete = Delete(allow=public)


class Part(Resource, prefix="par"):
    note: One[Note]
    person: One[Person] | None = one(link=public)
    topic: One[Topic] | None = one(link=public)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("references", resources=[Person, Topic, Note, Part])
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        yield client


@pytest.fixture
async def db(client: Client) -> AsyncIterator[Database]:
    async with client.app.data() as db:
        yield db


@pytest.fixture(params=["person", "topic", "deleted"])
async def missing(request: pytest.FixtureRequest, db: Database) -> dict[str, str]:
    """A reference to nothing: to a row that never was, or to one that was deleted."""
    if request.param == "topic":
        return {"topic_id": "top_" + "0" * 32}
    if request.param == "person":
        return {"person_id": NOBODY}
    person = await db.table(Person).create({})
    await db.table(Person).delete(person.id)
    return {"person_id": person.id}


async def test_an_upsert_looks_at_what_it_writes(db: Database, missing: dict[str, str]) -> None:
    notes = db.table(Note)
    note = await notes.upsert({"slug": "a"}, create={"slug": "a"}, update=missing)
    assert note.slug == "a"
    with pytest.raises(ReferenceNotFound):
        await notes.upsert({"slug": "a"}, create={"slug": "a"}, update=missing)
    with pytest.raises(ReferenceNotFound):
        await notes.upsert({"slug": "b"}, create={"slug": "b", **missing}, update={})
    assert (await notes.upsert({"slug": "a"}, create={"slug": "a", **missing}, update={"text": "x"})).text == "x"
    assert await notes.count() == 1


async def test_a_change_of_no_row_refers_to_nothing(db: Database, missing: dict[str, str]) -> None:
    notes = db.table(Note)
    assert await notes.update_many({"slug": "a"}, missing) == 0
    await notes.create({"slug": "a"})
    with pytest.raises(ReferenceNotFound):
        await notes.update_many({"slug": "a"}, missing)
    assert await notes.update_many({"slug": "b"}, missing) == 0


async def test_a_row_that_is_left_out_refers_to_nothing(db: Database, missing: dict[str, str]) -> None:
    notes = db.table(Note)
    await notes.create({"slug": "a"})
    rows = [{"slug": "b"}, {"slug": "a", **missing}, {"slug": "c", "text": "x"}]
    assert await notes.create_many(rows, on_conflict="skip") == 2
    with pytest.raises(ReferenceNotFound):
        await notes.create_many([{"slug": "d"}, {"slug": "e", **missing}], on_conflict="skip")
    assert sorted(note.slug for note in await notes.find()) == ["a", "b", "c"]
    with pytest.raises(ReferenceNotFound):
        await notes.create_many([{"slug": "d"}, {"slug": "f", **missing}])


async def test_an_item_that_refers_to_nothing_is_told_by_its_place(client: Client, missing: dict[str, str]) -> None:
    ((name, key),) = missing.items()
    public_name = name.replace("_id", "Id")
    body = {"slug": "a", "parts": [{}, {public_name: key}, {}]}
    answer = await client.post("/api/v1/notes", json=body)
    assert (answer.status, answer.error["code"]) == (422, "REFERENCE_NOT_FOUND")
    assert [detail["path"] for detail in answer.error["details"]] == [f"parts.1.{public_name}"]
    step = {"operation": "notes.create", "body": body}
    answer = await client.post("/api/v1/$batch", json={"operations": [step]})
    assert [detail["path"] for detail in answer.error["details"]] == [f"operations.0.parts.1.{public_name}"]
