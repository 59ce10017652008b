"""The data client on databases that were there before: keys of other kinds, native types, ids that were made up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import asyncpg
import pytest

from sternpost import Browse, Contract, Json, Many, One, Resource, Sternpost, field, public
from sternpost.data.database import Database
from sternpost.errors import Invalid, ReferenceNotFound
from tests.conftest import SECRET
from tests.existing.support import Original, settings_for
from tests.existing.test_tables import Album, Artist, Playlist, Track, contract

NOWHERE = "0" * 32


@pytest.fixture
async def store(chinook_url: str) -> AsyncIterator[Database]:
    """The music store, with whole numbers for keys."""
    async with Sternpost(contract, settings=settings_for(chinook_url)).data() as db:
        yield db


async def test_groups_by_a_reference_are_known_by_ids(store: Database, original: Original) -> None:
    albums, artists = store.table(Album), store.table(Artist)
    groups = await albums.aggregate(by=["artist_id"], order=["-count"], limit=3)
    assert [group.count for group in groups] == [21, 14, 11]
    names = [(await artists.get(group.by["artist_id"])).name for group in groups]
    assert names == ["Iron Maiden", "Led Zeppelin", "Deep Purple"]
    everyone = await albums.aggregate(by=["artist_id"])
    assert len(everyone) == original.one("SELECT count(DISTINCT ArtistId) FROM Album")
    assert await store.table(Track).aggregate(by=["album_id"], where={"album_id": None}) == []


async def test_groups_by_a_key_that_is_hidden(store: Database) -> None:
    groups = await store.table(Artist).aggregate(by=["id", "name"], where={"name": "AC/DC"})
    (artist,) = await store.table(Artist).find({"name": "AC/DC"})
    assert [(group.by["id"], group.count) for group in groups] == [(artist.id, 1)]


async def test_rows_of_own_sql_become_instances_with_ids(store: Database) -> None:
    (album,) = await store.table(Album).find({"title": "Big Ones"}, include={"artist": True})
    text = 'select "AlbumId" as id, "Title" as title, "ArtistId" as artist_id from "Album" where "Title" = :title'
    (found,) = await store.sql(text, into=Album, title="Big Ones")
    assert (found.id, found.title, found.artist_id) == (album.id, album.title, album.artist_id)
    assert found.artist.id == album.artist.row.id
    key = store.key(album.id)
    assert isinstance(key, int)
    assert await store.sql('select "Title" as title from "Album" where "AlbumId" = :key', key=key) == [
        {"title": "Big Ones"}
    ]


async def test_an_id_that_was_made_up_is_refused_by_every_way_of_writing(store: Database) -> None:
    albums = store.table(Album)
    (album,) = await albums.find({"title": "Big Ones"})
    made_up = f"art_{NOWHERE}"
    before = await albums.count()
    for write in (
        lambda: albums.create({"title": "x", "artist_id": made_up}),
        lambda: albums.create({"title": "x", "artist": {"connect": made_up}}),
        lambda: albums.create_many(
            [{"title": "x", "artist_id": album.artist_id}, {"title": "y", "artist_id": made_up}]
        ),
        lambda: albums.create_many([{"title": "x", "artist_id": made_up}], on_conflict="skip"),
        lambda: albums.update(album.id, {"artist_id": made_up}),
        lambda: albums.update(album.id, {"artist": {"connect": made_up}}),
        lambda: albums.update_many({"title": "Big Ones"}, {"artist_id": made_up}),
        lambda: store.table(Playlist).create({"name": "x", "tracks": {"connect": [f"trk_{NOWHERE}"]}}),
    ):
        with pytest.raises(ReferenceNotFound):
            await write()
    assert await albums.update_many({"title": "there is none"}, {"artist_id": made_up}) == 0
    assert await albums.count() == before
    assert (await albums.get(album.id)).artist_id == album.artist_id
    assert await albums.find({"artist_id": made_up}) == []
    with pytest.raises(Invalid):
        await albums.update(album.id, {"artist_id": f"alb_{NOWHERE}"})


async def test_many_rows_get_keys_of_the_database(store: Database) -> None:
    artists, albums = store.table(Artist), store.table(Album)
    made = await artists.create_many([{"name": f"Artist {number}"} for number in range(1200)], returning=True)
    assert [row.name for row in made] == [f"Artist {number}" for number in range(1200)]
    assert len({row.id for row in made}) == 1200
    count = await albums.create_many([{"title": f"Of {row.name}", "artist_id": row.id} for row in made[:3]])
    assert count == 3
    found = await albums.find({"artist": {"name": "Artist 1"}}, include={"artist": True})
    assert [(row.title, row.artist.row.id) for row in found] == [("Of Artist 1", made[1].id)]
    assert await albums.update_many({"artist_id": made[0].id}, {"artist_id": made[2].id}) == 1
    assert await albums.count({"artist_id": made[2].id}) == 2


# -- native types of PostgreSQL

NATIVE = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE teams (id serial PRIMARY KEY, name varchar(20) NOT NULL);
CREATE TABLE members (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id integer REFERENCES teams,
    second_id smallint,
    mood mood,
    tags text[],
    numbers integer[],
    profile jsonb,
    code char(3),
    small smallint,
    part real,
    price numeric(8,2),
    active boolean,
    born date,
    seen timestamp,
    at timestamptz,
    serial uuid,
    moved mood NOT NULL DEFAULT 'ok'
);
"""


class Team(Resource, prefix="tea", table="teams"):
    name: str = field(max_length=20)
    members: Many[Member]

    browse = Browse(allow=public)


class Member(Resource, prefix="mem", table="members"):
    team: One[Team] | None
    mood: Literal["sad", "ok", "happy"] | None
    tags: Json = field(default=None, storage="array")
    numbers: Json = field(default=None, storage="array")
    profile: Json = None
    code: str | None = field(max_length=3, storage="char")
    small: int | None
    part: float | None
    price: Decimal | None = field(decimal_places=2, max_digits=8)
    active: bool | None
    born: date | None
    seen: datetime | None = field(storage="timestamp")
    at: datetime | None
    serial: UUID | None
    moved: Literal["sad", "ok", "happy"] = field(auto="database")

    browse = Browse(allow=public)


native = Contract("native", resources=[Team, Member], schema="external")


@pytest.fixture
async def teams(postgres_database: str) -> AsyncIterator[Database]:
    connection = await asyncpg.connect(postgres_database)
    await connection.execute(NATIVE)
    await connection.close()
    async with Sternpost(native, settings=settings_for(postgres_database, jwt_secret=SECRET)).data() as db:
        yield db


async def test_many_rows_of_native_types(teams: Database) -> None:
    (team,) = await teams.table(Team).create_many([{"name": "a"}], returning=True)
    members = teams.table(Member)
    instant = datetime(2026, 1, 31, 10, 0, 0, 5, tzinfo=UTC)
    full: dict[str, Any] = {
        "team_id": team.id,
        "mood": "happy",
        "tags": ["a", 'b"c', ""],
        "numbers": [1, 2],
        "profile": {"x": [1, None]},
        "code": "ab",
        "small": 7,
        "part": 0.5,
        "price": Decimal("12.30"),
        "active": True,
        "born": date(2024, 2, 29),
        "seen": instant,
        "at": instant,
        "serial": UUID(int=5),
    }
    given = [{}, full, {"mood": "sad", "tags": []}, {"moved": "sad"}, {"active": False, "moved": "happy"}, full]
    made = await members.create_many(given, returning=True)
    for row, wanted in zip(made, given, strict=True):
        everything = {**dict.fromkeys(full), "moved": "ok", **wanted}
        assert {name: getattr(row, name) for name in everything} == everything
    stored = {row.id: row for row in await members.find()}
    assert [stored[row.id] for row in made] == made
    alone = await members.create(full)
    assert {name: getattr(alone, name) for name in full} == full


async def test_changes_and_groups_of_native_types(teams: Database) -> None:
    first, second = await teams.table(Team).create_many([{"name": "a"}, {"name": "b"}], returning=True)
    members = teams.table(Member)
    await members.create_many([{"mood": mood, "team_id": first.id, "small": 1} for mood in ("sad", "ok", "ok")])
    assert await members.update_many({"mood": "ok"}, {"mood": "happy", "team_id": second.id, "tags": ["t"]}) == 2
    assert await members.update_many({"mood": {"in": ["happy"]}}, {"small": {"increment": 2}}) == 2
    groups = await members.aggregate(by=["mood", "team_id"], sum=["small"], order=["-count"])
    assert [(group.by, group.count, group.sum) for group in groups] == [
        ({"mood": "happy", "team_id": second.id}, 2, {"small": 6}),
        ({"mood": "sad", "team_id": first.id}, 1, {"small": 1}),
    ]
    with pytest.raises(ReferenceNotFound):
        await members.create_many([{"team_id": first.id}, {"team_id": f"tea_{NOWHERE}"}])
    assert await members.count() == 3
