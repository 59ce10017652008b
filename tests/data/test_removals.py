"""What goes along with a row, what it holds, and what comes back with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import pytest

from sternpost import (
    Contract,
    Delete,
    Many,
    One,
    Owned,
    Resource,
    Restore,
    Settings,
    Sternpost,
    Update,
    field,
    one,
    public,
)
from sternpost.data.database import Database
from sternpost.errors import ReferenceNotFound, StillReferenced
from sternpost.testing import Client


class Album(Resource, prefix="alb"):
    name: str = field(default="")


class Track(Resource, prefix="trk"):
    album: One[Album] = one(on_delete="cascade")


class Pick(Resource, prefix="pic"):
    """It goes with its album, and holds a track."""

    album: One[Album] = one(on_delete="cascade")
    track: One[Track]


class Badge(Resource, prefix="bad"):
    track: One[Track] | None = one(on_delete="set_null")
    version: int = field(auto="version")
    changed_at: datetime = field(auto="updated")

    update = Update(allow=public)


class Flag(Resource, prefix="fla"):
    """It keeps no count, but when it was changed."""

    pick: One[Pick] | None = one(on_delete="set_null")
    changed_at: datetime = field(auto="updated")


class Node(Resource, prefix="nod"):
    parent: One[Node] | None


class Cabin(Resource, prefix="cab"):
    """It holds a guest, who goes with another cabin."""

    guest: One[Guest] | None


class Guest(Resource, prefix="gue"):
    home: One[Cabin] | None = one(on_delete="cascade")


class Crate(Resource, prefix="cra"):
    """It goes with its album, refers to another, and owns slots; those that fill them go along, too."""

    album: One[Album] | None = one(on_delete="cascade")
    other: One[Crate] | None
    outer: One[Crate] | None = one(on_delete="cascade")
    filling: One[Filling] | None
    slots: Owned[Slot]


class Slot(Resource, prefix="slo"):
    crate: One[Crate] = one(write="never")
    code: str = field(default="")


class Filling(Resource, prefix="fil"):
    album: One[Album] = one(on_delete="cascade")
    slot: One[Slot]


class Person(Resource, prefix="per", soft_delete=True):
    mentor: One[Person] | None = one(on_delete="cascade")
    friend: One[Person] | None = one(on_delete="set_null")
    backup: One[Person] | None
    version: int = field(auto="version")
    seats: Many[Seat]

    delete = Delete(allow=public)
    restore = Restore(allow=public)


class Seat(Resource, prefix="sea"):
    code: str = field(unique=True, filter=True)
    person: One[Person]


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract(
        "removals", resources=[Album, Track, Pick, Badge, Flag, Node, Cabin, Guest, Crate, Slot, Filling, Person, Seat]
    )
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        yield client


@pytest.fixture
async def db(client: Client) -> AsyncIterator[Database]:
    async with client.app.data() as db:
        yield db


async def test_a_row_that_goes_along_holds_nothing(db: Database) -> None:
    album = await db.table(Album).create({})
    tracks = [await db.table(Track).create({"album_id": album.id}) for _ in range(2)]
    for track in tracks:
        await db.table(Pick).create({"album_id": album.id, "track_id": track.id})
    assert await db.table(Album).delete(album.id)
    assert [await db.table(kind).count() for kind in (Album, Track, Pick)] == [0, 0, 0]


async def test_a_row_that_stays_holds_what_would_go_along(db: Database) -> None:
    ours, theirs = [await db.table(Album).create({}) for _ in range(2)]
    track = await db.table(Track).create({"album_id": ours.id})
    pick = await db.table(Pick).create({"album_id": theirs.id, "track_id": track.id})
    with pytest.raises(StillReferenced):
        await db.table(Album).delete(ours.id)
    assert [await db.table(kind).count() for kind in (Album, Track, Pick)] == [2, 1, 1]
    await db.table(Pick).delete(pick.id)
    assert await db.table(Album).delete(ours.id)


async def test_rows_that_hold_each_other_go_together(db: Database) -> None:
    nodes = db.table(Node)
    root = await nodes.create({})
    child = await nodes.create({"parent_id": root.id})
    await nodes.create({"parent_id": child.id})
    own = await nodes.create({})
    await nodes.update(own.id, {"parent_id": own.id})
    with pytest.raises(StillReferenced):
        await nodes.delete_many({"id": {"in": [root.id, child.id]}})
    assert await nodes.count() == 4
    assert await nodes.delete_many({}) == 4


async def test_rows_that_hold_each_other_in_a_ring_go_together(db: Database) -> None:
    album = await db.table(Album).create({})
    crates, tables = db.table(Crate), [db.table(kind) for kind in (Album, Crate, Slot, Filling)]
    first = await crates.create({"album_id": album.id, "slots": {"create": [{"code": "a"}]}})
    second = await crates.create({"album_id": album.id, "other_id": first.id})
    slot = (await db.table(Slot).find())[0]
    filling = await db.table(Filling).create({"album_id": album.id, "slot_id": slot.id})
    await crates.update(first.id, {"other_id": second.id, "filling_id": filling.id})
    outside = await crates.create({"other_id": first.id})
    with pytest.raises(StillReferenced):
        await db.table(Album).delete(album.id)
    assert [await table.count() for table in tables] == [1, 3, 1, 1]
    assert (await crates.get(first.id)).other_id == second.id
    await crates.delete(outside.id)
    assert await db.table(Album).delete(album.id)
    assert [await table.count() for table in tables] == [0, 0, 0, 0]


async def test_a_row_holds_what_goes_with_another_that_goes(db: Database) -> None:
    cabins, guests = db.table(Cabin), db.table(Guest)
    first = await cabins.create({})
    guest = await guests.create({"home_id": first.id})
    second = await cabins.create({"guest_id": guest.id})
    with pytest.raises(StillReferenced):
        await cabins.delete(first.id)
    assert await cabins.delete_many({"id": {"in": [first.id, second.id]}}) == 2
    assert await guests.count() == 0


async def test_what_an_owned_row_is_held_by_goes_before_its_owner(db: Database) -> None:
    album = await db.table(Album).create({})
    await db.table(Crate).create({"album_id": album.id, "slots": {"create": [{"code": "a"}]}})
    slot = (await db.table(Slot).find())[0]
    await db.table(Filling).create({"album_id": album.id, "slot_id": slot.id})
    assert await db.table(Album).delete(album.id)
    assert [await db.table(kind).count() for kind in (Crate, Slot, Filling)] == [0, 0, 0]


async def test_rows_that_go_with_others_of_those_asked_for_are_counted(db: Database) -> None:
    crates = db.table(Crate)
    outer = await crates.create({})
    inner = await crates.create({"outer_id": outer.id})
    await crates.create({"outer_id": inner.id})
    assert await crates.delete_many({"id": {"in": [outer.id, inner.id]}}) == 2
    assert await crates.count() == 0


async def test_what_has_to_refer_to_a_row_is_not_disconnected(db: Database) -> None:
    person = await db.table(Person).create({})
    seat = await db.table(Seat).create({"code": "a", "person_id": person.id})
    with pytest.raises(TypeError, match=r"Seat\.person cannot be None, so it cannot be disconnected"):
        await db.table(Seat).update(seat.id, {"person": {"disconnect": True}})
    for change in ({"disconnect": [seat.id]}, {"set": []}):
        with pytest.raises(TypeError, match=r"Seat\.person_id cannot be None, so Person\.seats cannot be"):
            await db.table(Person).update(person.id, {"seats": change})
    await db.table(Person).update(person.id, {"seats": {"create": [{"code": "b"}]}})
    assert await db.table(Seat).count({"person_id": person.id}) == 2


async def test_what_is_not_written_may_refer_to_what_is_deleted(db: Database) -> None:
    there, gone = [await db.table(Person).create({}) for _ in range(2)]
    await db.table(Person).delete(gone.id)
    seats = db.table(Seat)

    def row(code: str, person: Person) -> dict[str, Any]:
        return {"code": code, "person_id": person.id}

    await seats.create(row("a", there))
    rows = [row("a", gone), row("b", there), row("c", there)]
    made = await seats.create_many(rows, on_conflict="skip", returning=True)
    assert [(seat.code, seat.person_id) for seat in made] == [("b", there.id), ("c", there.id)]
    assert await seats.create_many([*rows, row("d", there)], on_conflict="skip") == 1
    for conflict in ("error", "skip"):
        with pytest.raises(ReferenceNotFound):
            await seats.create_many([row("e", there), row("f", gone)], on_conflict=conflict)
    assert await seats.update_many({"code": "none"}, {"person_id": gone.id}) == 0
    with pytest.raises(ReferenceNotFound):
        await seats.update_many({"code": "a"}, {"person_id": gone.id})
    assert {seat.code: seat.person_id for seat in await seats.find()} == dict.fromkeys("abcd", there.id)


async def test_a_deletion_counts_rows_that_go_with_others_of_them(db: Database) -> None:
    people = db.table(Person)
    first = await people.create({})
    await people.create({"mentor_id": first.id})
    assert await people.delete_many({}) == 2


async def test_whatever_clears_a_reference_counts_as_a_change(db: Database) -> None:
    """Directly, or because what it refers to goes along with another row."""
    for delete in ("album", "track"):
        album = await db.table(Album).create({})
        track = await db.table(Track).create({"album_id": album.id})
        pick = await db.table(Pick).create({"album_id": album.id, "track_id": track.id})
        badge = await db.table(Badge).create({"track_id": track.id})
        flag = await db.table(Flag).create({"pick_id": pick.id})
        if delete == "album":
            await db.table(Album).delete(album.id)
        else:
            await db.table(Pick).delete(pick.id)
            await db.table(Track).delete(track.id)
        after, raised = await db.table(Badge).get(badge.id), await db.table(Flag).get(flag.id)
        assert (after.track_id, after.version) == (None, 2), delete
        assert after.changed_at > badge.changed_at
        assert (raised.pick_id, raised.changed_at > flag.changed_at) == (None, True)


async def test_an_old_tag_is_refused_after_a_reference_was_cleared(client: Client, db: Database) -> None:
    album = await db.table(Album).create({})
    track = await db.table(Track).create({"album_id": album.id})
    badge = await db.table(Badge).create({"track_id": track.id})
    await db.table(Album).delete(album.id)
    url, headers = f"/api/v1/badges/{badge.id}", {"If-Match": '"1-0123456789abcdef"'}
    assert (await client.patch(url, json={"trackId": None}, headers=headers)).status == 412


@pytest.mark.parametrize("name", ["mentor_id", "friend_id", "backup_id"])
async def test_a_row_that_refers_to_itself_comes_back(client: Client, db: Database, name: str) -> None:
    people = db.table(Person)
    person = await people.create({})
    await people.update(person.id, {name: person.id})
    url = f"/api/v1/persons/{person.id}"
    assert (await client.delete(url)).status == 204
    assert (await client.post(f"{url}/restore")).status == 200
    assert getattr(await people.get(person.id), name) == person.id


async def test_rows_that_refer_to_each_other_come_back(db: Database) -> None:
    people = db.table(Person)
    first, second = [await people.create({}) for _ in range(2)]
    await people.update(first.id, {"mentor_id": second.id, "friend_id": second.id, "backup_id": second.id})
    await people.update(second.id, {"mentor_id": first.id, "friend_id": first.id})
    for one_of_them in (first, second):
        assert await people.delete(one_of_them.id)
        assert await people.count() == 0
        await people.restore(one_of_them.id)
        back: list[Any] = await people.find(order=["id"])
        assert [(row.mentor_id, row.friend_id) for row in back] == [(second.id,) * 2, (first.id,) * 2]
        assert back[0].backup_id == second.id


async def test_a_row_does_not_come_back_to_what_is_gone(db: Database) -> None:
    people = db.table(Person)
    first, second = [await people.create({}) for _ in range(2)]
    await people.update(first.id, {"backup_id": second.id})
    await people.delete(first.id)
    await people.delete(second.id)
    with pytest.raises(ReferenceNotFound):
        await people.restore(first.id)
    await people.restore(second.id)
    assert (await people.restore(first.id)).backup_id == second.id


async def test_what_is_deleted_already_keeps_its_references(db: Database) -> None:
    people = db.table(Person)
    first, second = [await people.create({}) for _ in range(2)]
    await people.update(first.id, {"friend_id": second.id})
    before = (await people.get(first.id)).version
    await people.delete(first.id)
    await people.delete(second.id)
    await people.restore(second.id)
    back = await people.restore(first.id)
    assert (back.friend_id, back.version) == (second.id, before + 2)
