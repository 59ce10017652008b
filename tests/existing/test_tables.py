"""A contract that a person wrote for tables that were there before: columns, keys, links, what is refused."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Many,
    One,
    Read,
    Resource,
    Sternpost,
    Update,
    field,
    many,
    one,
    public,
    this,
)
from sternpost.errors import StartupError
from sternpost.ids import decode
from sternpost.ports.storage import ListShape, ListValues, View
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.existing.support import Original, settings_for, sha256


class Artist(Resource, prefix="art", table="Artist"):
    id: str = field(column="ArtistId")
    name: str | None = field(column="Name", max_length=120, filter=True)
    albums: Many[Album]

    browse = Browse(allow=public, sort=["name"])
    read = Read(allow=public)
    create = Create(allow=public)


class Album(Resource, prefix="alb", table="Album"):
    id: str = field(column="AlbumId")
    title: str = field(column="Title", max_length=160)
    artist: One[Artist] = one(column="ArtistId", filter=True)

    browse = Browse(allow=public, sort=["title"])
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)


class Playlist(Resource, prefix="pla", table="Playlist"):
    id: str = field(column="PlaylistId")
    name: str | None = field(column="Name", max_length=120)
    tracks: Many[Track] = many(through="PlaylistTrack", columns=["PlaylistId", "TrackId"], max_length=10_000)

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


class Track(Resource, prefix="trk", table="Track"):
    id: str = field(column="TrackId")
    name: str = field(column="Name", max_length=200)
    unit_price: Decimal = field(column="UnitPrice", decimal_places=2, max_digits=10, filter=True)
    album: One[Album] | None = one(column="AlbumId")

    browse = Browse(allow=public)
    read = Read(allow=public)


class Customer(Resource, prefix="cus", table="Customer", owner="id"):
    id: str = field(column="CustomerId")
    first_name: str = field(column="FirstName", max_length=40)
    invoices: Many[Invoice]

    browse = Browse(allow=this.is_owner)
    read = Read(allow=this.is_owner)


class Invoice(Resource, prefix="inv", table="Invoice", owner="customer_id"):
    id: str = field(column="InvoiceId")
    invoice_date: datetime = field(column="InvoiceDate", filter=True, storage="timestamp")
    total: Decimal = field(column="Total", decimal_places=2, max_digits=10)
    customer: One[Customer] = one(column="CustomerId")

    browse = Browse(allow=this.is_owner)
    read = Read(allow=this.is_owner)


contract = Contract("store", resources=[Artist, Album, Playlist, Track, Customer, Invoice], schema="external")


class Reader(Resource, prefix="art", table="Artist"):
    id: str = field(column="ArtistId")
    name: str | None = field(column="Name")

    browse = Browse(allow=public)
    read = Read(allow=public)


only_reads = Contract("reader", resources=[Reader], schema="external")


def store(url: str, log_lines: LogLines | None = None) -> Client:
    return Client(Sternpost(contract, settings=settings_for(url), write_log=log_lines))


async def test_a_row_is_read_by_an_id_that_tells_nothing_of_its_key(chinook_url: str, original: Original) -> None:
    async with store(chinook_url) as client:
        first = (await client.get("/api/v1/albums?pageSize=2&include=artist")).json()["data"]
        assert [row["title"] for row in first] == [
            row[0] for row in original.rows("SELECT Title FROM Album ORDER BY AlbumId LIMIT 2")
        ]
        assert first[0]["artist"]["name"] == "AC/DC"
        assert first[0]["artist"]["id"] == first[0]["artistId"]
        ids = [decode("alb", row["id"]) for row in first]
        assert all(ids)
        assert len({digits[:4] for digits in ids if digits} | {digits[-4:] for digits in ids if digits}) == 4, (
            "neither half repeats"
        )
        again = (await client.get(f"/api/v1/albums/{first[1]['id']}")).json()["data"]
        assert again == {name: value for name, value in first[1].items() if name != "artist"}
    async with store(chinook_url) as client:
        assert (await client.get("/api/v1/albums?pageSize=2&include=artist")).json()["data"] == first


async def test_an_id_of_another_table_or_a_made_up_one_is_not_found(chinook_url: str) -> None:
    async with store(chinook_url) as client:
        artist = (await client.get("/api/v1/artists?pageSize=1")).json()["data"][0]["id"]
        for digits in (artist.removeprefix("art_"), "0" * 32, "f" * 32, f"{1:032x}"):
            assert (await client.get(f"/api/v1/albums/alb_{digits}")).status == 404
            found = (await client.get(f"/api/v1/albums?artistId=art_{digits}")).json()
            assert found["meta"]["totalCount"] == (2 if f"art_{digits}" == artist else 0)
        others = (await client.get(f"/api/v1/albums?artistId[ne]=art_{'0' * 32}")).json()
        assert others["meta"]["totalCount"] == 347
        both = (await client.get(f"/api/v1/albums?artistId[in]={artist},art_{'0' * 32}")).json()
        assert both["meta"]["totalCount"] == 2


async def test_rows_are_made_with_keys_of_the_database(chinook_url: str) -> None:
    async with store(chinook_url) as client:
        made = await client.post("/api/v1/artists", json={"name": "Nobody"})
        assert made.status == 201, made.json()
        artist = made.json()["data"]["id"]
        assert made.headers["location"].endswith(f"/api/v1/artists/{artist}")
        album = await client.post("/api/v1/albums", json={"title": "Nothing", "artistId": artist})
        assert album.status == 201, album.json()
        key = album.json()["data"]["id"]
        changed = await client.patch(f"/api/v1/albums/{key}", json={"title": "Something"})
        assert changed.json()["data"] == {"id": key, "title": "Something", "artistId": artist}
        under = (await client.get(f"/api/v1/artists/{artist}/albums")).json()["data"]
        assert [row["id"] for row in under] == [key]
        for wrong in ("0" * 32, key.removeprefix("alb_")):
            refused = await client.post("/api/v1/albums", json={"title": "x", "artistId": f"art_{wrong}"})
            assert refused.status == 422
            assert refused.json()["error"]["details"][0]["path"] == "artistId"
        assert (await client.delete(f"/api/v1/albums/{key}")).status == 204
        assert (await client.get(f"/api/v1/albums/{key}")).status == 404


async def test_what_others_refer_to_is_not_deleted(chinook_url: str) -> None:
    async with store(chinook_url) as client:
        key = (await client.get("/api/v1/albums?pageSize=1")).json()["data"][0]["id"]
        refused = await client.delete(f"/api/v1/albums/{key}")
        assert refused.status == 409
        assert refused.json()["error"]["code"] == "STILL_REFERENCED"


async def test_a_link_table_under_its_own_names(chinook_url: str, original: Original) -> None:
    async with store(chinook_url) as client:
        lists = (await client.get("/api/v1/playlists?include=tracks&pageSize=100")).json()["data"]
        counts = original.rows("""SELECT Name, (SELECT count(*) FROM PlaylistTrack t WHERE t.PlaylistId = p.PlaylistId)
            FROM Playlist p ORDER BY PlaylistId""")
        assert [(row["name"], len(row["tracks"])) for row in lists] == counts
        tracks = [row["id"] for row in (await client.get("/api/v1/tracks?pageSize=3")).json()["data"]]
        made = await client.post("/api/v1/playlists", json={"name": "mine", "trackIds": tracks[:2]})
        assert made.status == 201, made.json()
        key = made.json()["data"]["id"]
        await client.patch(f"/api/v1/playlists/{key}", json={"trackIds": tracks[1:]})
        under = (await client.get(f"/api/v1/playlists/{key}/tracks")).json()["data"]
        assert [row["id"] for row in under] == tracks[1:]
        refused = await client.patch(f"/api/v1/playlists/{key}", json={"trackIds": [f"trk_{'0' * 32}"]})
        assert refused.status == 422, refused.json()
        assert refused.json()["error"]["details"][0]["path"] == "trackIds.0"


async def test_owners_are_known_by_their_ids(chinook_url: str, original: Original) -> None:
    async with store(chinook_url) as client:
        nobody = client.token("nobody")
        assert (await client.get("/api/v1/customers", token=nobody)).json()["data"] == []
        keys = client.app.running.runtime.storage.statements.keys.by_resource  # type: ignore[attr-defined]
        me = f"cus_{keys['Customer'].digits(5)}"
        mine = (await client.get("/api/v1/customers?include=invoices", token=client.token(me))).json()["data"]
        assert [row["id"] for row in mine] == [me]
        expected = original.rows("SELECT InvoiceDate, Total FROM Invoice WHERE CustomerId = 5 ORDER BY InvoiceId")
        assert [(row["invoiceDate"], row["total"]) for row in mine[0]["invoices"]] == [
            (date.replace(" ", "T") + "Z", f"{total:.2f}") for date, total in expected
        ]
        invoices = (await client.get("/api/v1/invoices", token=client.token(me))).json()
        assert invoices["meta"]["totalCount"] == len(expected)
        other = (await client.get(f"/api/v1/invoices/{invoices['data'][0]['id']}", token=nobody)).status
        assert other == 404


async def test_filters_compare_stored_forms(chinook_url: str, original: Original) -> None:
    async with store(chinook_url) as client:
        cheap = (await client.get("/api/v1/tracks?unitPrice[lt]=1.99")).json()["meta"]["totalCount"]
        assert cheap == original.one("SELECT count(*) FROM Track WHERE UnitPrice < 1.99") > 0
        exact = (await client.get("/api/v1/tracks?unitPrice[in]=1.99,5.00")).json()["meta"]["totalCount"]
        assert exact == original.one("SELECT count(*) FROM Track WHERE UnitPrice = 1.99") > 0


async def test_reading_leaves_the_file_as_it_is(chinook_file: Path) -> None:
    before, beside = sha256(chinook_file), sorted(chinook_file.parent.iterdir())
    for served in (only_reads, contract):
        async with Client(Sternpost(served, settings=settings_for(f"sqlite:///{chinook_file}"))) as client:
            assert (await client.get("/health/ready")).status == 200
            rows = (await client.get("/api/v1/" + ("readers" if served is only_reads else "artists"))).json()["data"]
            assert len(rows) == 20
    assert sha256(chinook_file) == before
    assert sorted(chinook_file.parent.iterdir()) == beside


async def test_a_file_that_cannot_be_written_to_is_read(original_path: Path) -> None:
    """The file that everybody shares."""
    before = sha256(original_path)
    async with Client(Sternpost(only_reads, settings=settings_for(f"sqlite:///{original_path}"))) as client:
        assert (await client.get("/health/ready")).status == 200
        assert (await client.get("/api/v1/readers")).json()["meta"]["totalCount"] == 275
    assert sha256(original_path) == before


async def test_readiness_says_what_is_missing(chinook_url: str, log_lines: LogLines) -> None:
    class Song(Resource, prefix="sng", table="Song"):
        name: str

        read = Read(allow=public)

    class Genre(Resource, prefix="gen", table="Genre"):
        id: str = field(column="GenreId")
        nom: str | None = field(column="Nom")

        read = Read(allow=public)

    wrong = Contract("wrong", resources=[Song, Genre], schema="external")
    async with Client(Sternpost(wrong, settings=settings_for(chinook_url), write_log=log_lines)) as client:
        assert (await client.get("/health/ready")).status == 503
    reason = next(line["reason"] for line in log_lines.lines if "reason" in line)
    assert reason.endswith("there is no table Song; Genre has no column Nom")


async def test_its_schema_is_not_made(chinook_url: str) -> None:
    async with store(chinook_url) as client:
        with pytest.raises(StartupError, match="does not create or change tables"):
            await client.app.running.runtime.storage.create_schema()


async def test_production_needs_a_secret_that_stays(chinook_url: str) -> None:
    settings = settings_for(
        chinook_url, env="production", jwt_secret=None, secret_key=None, jwt_jwks_url="https://issuer.test/keys"
    )
    with pytest.raises(StartupError, match="STERNPOST_SECRET_KEY"):
        await Sternpost(contract, settings=settings).start()


async def test_development_is_told_that_ids_change(chinook_url: str, log_lines: LogLines) -> None:
    settings = settings_for(
        chinook_url, env="development", jwt_secret=None, secret_key=None, jwt_jwks_url="https://issuer.test/keys"
    )
    app = Sternpost(contract, settings=settings, write_log=log_lines)
    await app.start()
    await app.stop()
    assert [line["message"] for line in log_lines.lines if line["level"] == "warning"] == [
        "Ids will change at every start, because no secret key is set"
    ]


async def test_a_position_in_a_list_tells_nothing_of_keys(chinook_url: str, original: Original) -> None:
    async with store(chinook_url) as client:
        reader = client.app.running.runtime.storage.reader()
        shape = ListShape(View("Album", ("title",)), sort=(("title", False),))
        page = await reader.browse(shape, ListValues(limit=100, resume=True), count=True)
        seen = [row["title"] for row in page.documents]
        while page.next is not None:
            title, key = page.next
            assert title == seen[-1]
            assert re.fullmatch("[0-9a-f]{32}", key)
            behind = shape.behind(page.next)
            page = await reader.browse(behind, ListValues(limit=100, resume=True, after=page.next))
            seen += [row["title"] for row in page.documents]
        assert seen == [row[0] for row in original.rows("SELECT Title FROM Album ORDER BY Title, AlbumId")]


async def test_reads_wait_for_another_program_and_writes_for_readers(chinook_file: Path) -> None:
    """The file has no write-ahead log: who writes and who reads keep each other out."""
    async with store(f"sqlite:///{chinook_file}") as client:
        (artist,) = (await client.get("/api/v1/artists?pageSize=1")).json()["data"]
        other = sqlite3.connect(chinook_file, isolation_level=None, timeout=5)
        await asyncio.sleep(0)  # what one turn of the loop reads, it reads of one state of the file
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE Artist SET Name = 'Changed' WHERE ArtistId = 1")
        waiting = [
            asyncio.create_task(client.get(f"/api/v1/artists/{artist['id']}")),
            asyncio.create_task(client.get("/api/v1/artists?pageSize=1")),
            asyncio.create_task(client.post("/api/v1/artists", json={"name": "Next"})),
        ]
        done, _ = await asyncio.wait(waiting, timeout=0.2)
        assert not done
        other.execute("COMMIT")
        other.close()
        one, page, made = [await task for task in waiting]
        assert one.json()["data"]["name"] == page.json()["data"][0]["name"] == "Changed"
        assert made.status == 201
