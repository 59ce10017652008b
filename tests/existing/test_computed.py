"""Fields that are computed when rows are read, of tables that were there before: compared with SQL on the original."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sternpost import (
    Browse,
    Context,
    Contract,
    Many,
    One,
    Read,
    Resource,
    Sternpost,
    computed,
    computes,
    count_of,
    exists_of,
    field,
    in_python,
    latest_of,
    many,
    one,
    public,
    this,
)
from sternpost.testing import Client
from tests.existing.support import Original, settings_for


class Artist(Resource, prefix="art", table="Artist"):
    id: str = field(column="ArtistId")
    name: str | None = field(column="Name", max_length=120)
    albums: Many[Album]
    album_count: int = computed(count_of("albums"))
    has_best: bool = computed(
        exists_of("albums", where=this.title.in_("The Best Of Billy Cobham", "Restless and Wild"))
    )
    last_title: str | None = computed(latest_of("albums", "title"))
    letters: int = computed(in_python("name"))

    browse = Browse(allow=public)


class Album(Resource, prefix="alb", table="Album"):
    id: str = field(column="AlbumId")
    title: str = field(column="Title", max_length=160)
    artist: One[Artist] = one(column="ArtistId")

    read = Read(allow=public)


class Playlist(Resource, prefix="pla", table="Playlist"):
    id: str = field(column="PlaylistId")
    tracks: Many[Track] = many(through="PlaylistTrack", columns=["PlaylistId", "TrackId"], max_length=10_000)
    track_count: int = computed(count_of("tracks"))
    highest: Decimal | None = computed(latest_of("tracks", "unit_price"))

    browse = Browse(allow=public)


class Track(Resource, prefix="trk", table="Track"):
    id: str = field(column="TrackId")
    unit_price: Decimal = field(column="UnitPrice", decimal_places=2, max_digits=10)

    read = Read(allow=public)


@computes(Artist, "letters")
async def letters(ctx: Context, rows: Sequence[Artist]) -> list[int]:
    return [len(row.name or "") for row in rows]


contract = Contract("store", resources=[Artist, Album, Playlist, Track], schema="external")


async def test_lists_of_tables_that_were_there(chinook_url: str, original: Original) -> None:
    app = Sternpost(contract, services=[letters], settings=settings_for(chinook_url))
    async with Client(app) as client:
        artists = (await client.get("/api/v1/artists?pageSize=100")).data
        wanted = original.rows(
            "SELECT Name, (SELECT count(*) FROM Album a WHERE a.ArtistId = Artist.ArtistId), "
            "(SELECT max(Title) FROM Album a WHERE a.ArtistId = Artist.ArtistId), "
            "EXISTS (SELECT 1 FROM Album a WHERE a.ArtistId = Artist.ArtistId "
            "AND Title IN ('The Best Of Billy Cobham', 'Restless and Wild')), length(Name) "
            "FROM Artist ORDER BY ArtistId LIMIT 100"
        )
        names = ("name", "albumCount", "lastTitle", "hasBest", "letters")
        assert [tuple(row[name] for name in names) for row in artists] == [tuple(row) for row in wanted]
        assert {row["hasBest"] for row in artists} == {True, False}
        playlists = (await client.get("/api/v1/playlists")).data
        counts = original.rows(
            "SELECT (SELECT count(*) FROM PlaylistTrack t WHERE t.PlaylistId = Playlist.PlaylistId) "
            "FROM Playlist ORDER BY PlaylistId LIMIT 20"
        )
        assert [row["trackCount"] for row in playlists] == [row[0] for row in counts]
        assert {row["highest"] for row in playlists} == {None, "0.99", "1.99"}
