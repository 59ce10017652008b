"""Includes, totals and rights of the store against SQL on the original."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest

from tests.real.conftest import Original, Store, id_of, key_of


def track_document(row: tuple[Any, ...]) -> dict[str, Any]:
    key, name, album, genre, medium, composer, milliseconds, size, price = row
    return {
        "id": id_of("Track", key),
        "name": name,
        "albumId": id_of("Album", album),
        "genreId": id_of("Genre", genre),
        "mediaTypeId": id_of("MediaType", medium),
        "composer": composer,
        "milliseconds": milliseconds,
        "bytes": size,
        "unitPrice": f"{price:.2f}",
    }


@pytest.fixture(scope="module")
def tracks(original: Original) -> dict[int, dict[str, Any]]:
    rows = original.rows(
        "SELECT TrackId, Name, AlbumId, GenreId, MediaTypeId, Composer, Milliseconds, Bytes, UnitPrice FROM Track ORDER BY 1"
    )
    return {row[0]: track_document(row) for row in rows}


@pytest.fixture(scope="module")
def albums(original: Original) -> dict[int, dict[str, Any]]:
    rows = original.rows("SELECT AlbumId, Title, ArtistId FROM Album ORDER BY 1")
    return {
        key: {"id": id_of("Album", key), "title": title, "artistId": id_of("Artist", artist)}
        for key, title, artist in rows
    }


def named(original: Original, table: str) -> dict[int, dict[str, Any]]:
    return {
        key: {"id": id_of(table, key), "name": name}
        for key, name in original.rows(f"SELECT [{table}Id], Name FROM [{table}] ORDER BY 1")
    }


async def test_one_level_to_many(store: Store, original: Original, albums: dict[int, dict[str, Any]]) -> None:
    expected = [
        artist
        | {
            "albums": [
                albums[album]
                for album in original.column("SELECT AlbumId FROM Album WHERE ArtistId = ? ORDER BY 1", key)
            ]
        }
        for key, artist in named(original, "Artist").items()
    ]
    assert await store.walk("artists", include="albums") == expected
    assert any(not artist["albums"] for artist in expected)


async def test_one_level_to_one(
    store: Store, original: Original, tracks: dict[int, dict[str, Any]], albums: dict[int, dict[str, Any]]
) -> None:
    media, genres = named(original, "MediaType"), named(original, "Genre")
    keys = {
        key: (album, genre, medium)
        for key, album, genre, medium in original.rows("SELECT TrackId, AlbumId, GenreId, MediaTypeId FROM Track")
    }
    page = await store.get("tracks", include="album,genre,mediaType", pageSize=100, sort="-milliseconds")
    assert page.data == [
        tracks[key] | {"album": albums[keys[key][0]], "genre": genres[keys[key][1]], "mediaType": media[keys[key][2]]}
        for key in original.column("SELECT TrackId FROM Track ORDER BY Milliseconds DESC, TrackId DESC LIMIT 100")
    ]


async def test_three_levels_of_everything(
    store: Store, original: Original, tracks: dict[int, dict[str, Any]], albums: dict[int, dict[str, Any]]
) -> None:
    """Every artist with every album, every track and its genre: the whole catalogue through one address."""
    genres = named(original, "Genre")
    of_album: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for key, album, genre in original.rows("SELECT TrackId, AlbumId, GenreId FROM Track ORDER BY 1"):
        of_album[album].append(tracks[key] | {"genre": genres[genre]})
    of_artist: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for album, artist in original.rows("SELECT AlbumId, ArtistId FROM Album ORDER BY 1"):
        of_artist[artist].append(albums[album] | {"tracks": of_album[album]})
    expected = [artist | {"albums": of_artist[key]} for key, artist in named(original, "Artist").items()]
    assert await store.walk("artists", include="albums.tracks.genre") == expected
    assert sum(len(album["tracks"]) for artist in expected for album in artist["albums"]) == 3503


async def test_many_to_many_from_both_sides(
    store: Store, original: Original, tracks: dict[int, dict[str, Any]]
) -> None:
    playlists = named(original, "Playlist")
    tracks_of: dict[int, list[dict[str, Any]]] = defaultdict(list)
    playlists_of: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for playlist, track in original.rows("SELECT PlaylistId, TrackId FROM PlaylistTrack ORDER BY 1, 2"):
        tracks_of[playlist].append(tracks[track])
        playlists_of[track].append(playlists[playlist])
    whole = await store.get("playlists", include="tracks")
    assert whole.data == [playlist | {"tracks": tracks_of[key]} for key, playlist in playlists.items()]
    assert "truncated" not in whole.meta
    page = await store.get("tracks", include="playlists", pageSize=100, page=3)
    assert page.data == [tracks[key] | {"playlists": playlists_of[key]} for key in range(201, 301)]


async def test_many_to_many_three_levels(store: Store, original: Original) -> None:
    page = await store.get("playlists", include="tracks.album.artist", **{"name[ne]": "Music"})
    answered = [
        (playlist["name"], track["name"], track["album"]["title"], track["album"]["artist"]["name"])
        for playlist in page.data
        for track in playlist["tracks"]
    ]
    assert (
        answered
        == original.rows("""
        SELECT p.Name, t.Name, a.Title, r.Name FROM Playlist p JOIN PlaylistTrack USING (PlaylistId) JOIN Track t USING (TrackId)
        JOIN Album a USING (AlbumId) JOIN Artist r USING (ArtistId) WHERE p.Name <> 'Music' ORDER BY p.PlaylistId, t.TrackId""")
    )


async def test_a_relation_of_employees_with_themselves(store: Store, original: Original) -> None:
    rows = {
        key: (name, boss)
        for key, name, boss in original.rows("SELECT EmployeeId, LastName, ReportsTo FROM Employee ORDER BY 1")
    }
    page = await store.get("employees", include="reports,manager")
    answered = [
        (
            row["lastName"],
            row["manager"] and row["manager"]["lastName"],
            [report["lastName"] for report in row["reports"]],
        )
        for row in page.data
    ]
    assert answered == [
        (name, rows[boss][0] if boss else None, [other for other, of in rows.values() if of == key])
        for key, (name, boss) in rows.items()
    ]
    deep = await store.get(f"employees/{id_of('Employee', 8)}", include="manager.manager.reports")
    assert deep.data["manager"]["manager"]["id"] == id_of("Employee", 1)
    assert [report["id"] for report in deep.data["manager"]["manager"]["reports"]] == [
        id_of("Employee", 2),
        id_of("Employee", 6),
    ]


async def test_to_one_three_levels(store: Store, original: Original) -> None:
    answered = [
        (
            key_of("Invoice", row["id"]),
            row["customer"]["email"],
            row["customer"]["supportRep"]["lastName"],
            row["customer"]["supportRep"]["manager"]["lastName"],
        )
        for row in await store.walk("invoices", include="customer.supportRep.manager")
    ]
    assert answered == original.rows("""
        SELECT i.InvoiceId, c.Email, e.LastName, m.LastName FROM Invoice i JOIN Customer c USING (CustomerId)
        JOIN Employee e ON e.EmployeeId = c.SupportRepId JOIN Employee m ON m.EmployeeId = e.ReportsTo ORDER BY 1""")


async def test_owned_lines_with_their_tracks_and_albums(store: Store, original: Original) -> None:
    answered = [
        (
            key_of("Invoice", row["id"]),
            key_of("InvoiceLine", line["id"]),
            line["unitPrice"],
            line["quantity"],
            line["track"]["name"],
            line["track"]["album"]["title"],
        )
        for row in await store.walk("invoices", include="lines.track.album")
        for line in row["lines"]
    ]
    assert (
        answered
        == original.rows("""
        SELECT InvoiceId, InvoiceLineId, printf('%.2f', l.UnitPrice), Quantity, t.Name, a.Title
        FROM InvoiceLine l JOIN Track t USING (TrackId) JOIN Album a USING (AlbumId) ORDER BY InvoiceId, InvoiceLineId""")
    )
    assert len(answered) == 2240


async def test_a_row_with_what_belongs_to_it(
    store: Store, original: Original, tracks: dict[int, dict[str, Any]]
) -> None:
    page = await store.get(f"albums/{id_of('Album', 141)}", include="tracks,artist")
    assert page.data["tracks"] == [
        tracks[key] for key in original.column("SELECT TrackId FROM Track WHERE AlbumId = 141 ORDER BY 1")
    ]
    assert page.data["artist"]["name"] == original.one(
        "SELECT Name FROM Artist JOIN Album USING (ArtistId) WHERE AlbumId = 141"
    )


async def test_what_is_more_than_an_include_may_give_is_said(store: Store, original: Original) -> None:
    page = await store.get("genres", include="tracks")
    assert page.meta["truncated"] == ["tracks"]
    for row in page.data:
        expected = original.ids(
            "Track", "SELECT TrackId FROM Track WHERE GenreId = ? ORDER BY 1 LIMIT 1000", key_of("Genre", row["id"])
        )
        assert [track["id"] for track in row["tracks"]] == expected


# -- totals


async def test_the_total_of_every_invoice(store: Store, original: Original) -> None:
    rows = await store.walk("invoices")
    sums = original.rows("SELECT InvoiceId, SUM(UnitPrice * Quantity) FROM InvoiceLine GROUP BY 1 ORDER BY 1")
    assert [(key_of("Invoice", row["id"]), row["total"]) for row in rows] == [
        (key, f"{total:.2f}") for key, total in sums
    ]
    assert [row["total"] for row in rows] == original.column(
        "SELECT printf('%.2f', Total) FROM Invoice ORDER BY InvoiceId"
    )
    assert len(rows) == 412
    assert sum(Decimal(row["total"]) for row in rows) == Decimal(
        f"{original.one('SELECT SUM(UnitPrice * Quantity) FROM InvoiceLine'):.2f}"
    )
    for row in rows:
        assert Decimal(row["total"]) == sum(Decimal(line["unitPrice"]) * line["quantity"] for line in row["lines"])


async def test_what_each_customer_has_spent(store: Store, original: Original) -> None:
    spent: dict[int, Decimal] = {}
    for row in await store.walk("customers", include="invoices"):
        spent[key_of("Customer", row["id"])] = sum(
            (Decimal(invoice["total"]) for invoice in row["invoices"]), Decimal(0)
        )
    assert {key: f"{total:.2f}" for key, total in spent.items()} == dict(
        original.rows("SELECT CustomerId, printf('%.2f', SUM(Total)) FROM Invoice GROUP BY 1")
    )


# -- who may


@pytest.mark.parametrize("path", ["artists", "albums", "tracks", "genres", "media-types", "playlists"])
async def test_the_catalogue_is_open_to_read_and_not_to_write(store: Store, path: str) -> None:
    """Each write is complete, so that nothing but the scope is wrong with it."""
    client, address = store.client, f"/api/v1/{path}"
    listed = await client.get(address)
    assert listed.status == 200
    row = listed.data[0]
    body = {name: value for name, value in row.items() if name != "id"}
    writes = (("POST", address, body), *((method, f"{address}/{row['id']}", body) for method in ("PUT", "PATCH")))
    for method, where, sent in (*writes, ("DELETE", f"{address}/{row['id']}", None)):
        for token, expected in ((None, (401, "UNAUTHENTICATED")), (store.token, (403, "FORBIDDEN"))):
            answer = await client.request(method, where, json=sent, token=token)
            assert (answer.status, answer.error["code"]) == expected, (method, answer.content)
    again = await client.get(address)
    assert (again.data, again.json()["meta"]["totalCount"]) == (listed.data, listed.json()["meta"]["totalCount"])


@pytest.mark.parametrize("path", ["customers", "employees", "invoices"])
async def test_the_store_is_for_its_staff(store: Store, path: str) -> None:
    stranger = store.client.token("stranger", "catalogue:write")
    assert (await store.client.get(f"/api/v1/{path}")).status == 401
    assert (await store.client.get(f"/api/v1/{path}", token=stranger)).status == 403
    assert (await store.client.get(f"/api/v1/{path}", token=store.token)).status == 200
