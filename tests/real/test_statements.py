"""What each request costs in SQL statements: a number that depends on what is asked for, never on how much is found."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.conftest import Store, id_of

# A page comes with its count in one statement; each included relation is one more, and so is the row that a list is under.
LISTS = [
    ("artists", {}, 1, 100),
    ("artists", {"include": "albums"}, 2, 100),
    ("artists", {"include": "albums.tracks"}, 3, 100),
    ("artists", {"include": "albums.tracks.genre"}, 4, 100),
    ("artists", {"include": "albums.tracks.genre,albums.tracks.mediaType,albums.tracks.playlists"}, 6, 100),
    ("albums", {"include": "artist,tracks"}, 3, 100),
    ("tracks", {}, 1, 100),
    ("tracks", {"name[contains]": "a", "sort": "-composer,name", "unitPrice[gte]": "0.99"}, 1, 100),
    ("tracks", {"include": "album,genre,mediaType"}, 4, 100),
    ("tracks", {"include": "album.artist,playlists"}, 4, 100),
    ("invoices", {}, 2, 100),
    ("invoices", {"include": "lines"}, 2, 100),
    ("invoices", {"include": "lines.track"}, 3, 100),
    ("invoices", {"include": "lines.track.album"}, 4, 100),
    ("invoices", {"include": "lines.track.album.artist,customer.supportRep"}, 7, 100),
    ("customers", {}, 1, 50),
    ("customers", {"include": "supportRep.manager"}, 3, 50),
    ("customers", {"include": "invoices"}, 3, 50),  # an invoice never comes without its lines
    ("employees", {"include": "reports,manager"}, 3, 4),
    ("playlists", {"include": "tracks"}, 2, 10),
    ("playlists", {"include": "tracks.album.artist"}, 4, 10),
    (f"playlists/{id_of('Playlist', 1)}/tracks", {}, 2, 100),
    (f"playlists/{id_of('Playlist', 1)}/tracks", {"include": "album", "sort": "name"}, 3, 100),
    (f"genres/{id_of('Genre', 1)}/tracks", {"composer[isNull]": "false"}, 2, 100),
    (f"employees/{id_of('Employee', 3)}/customers", {"include": "invoices.lines.track"}, 5, 20),
]


def named(case: tuple[Any, ...]) -> str:
    return f"{case[0].partition('_')[0]}-{'&'.join(case[1].values())}-{case[2]}"


@pytest.mark.parametrize(("path", "parameters", "cost", "large"), LISTS, ids=map(named, LISTS))
async def test_a_page_of_a_list(store: Store, path: str, parameters: dict[str, str], cost: int, large: int) -> None:
    small = await store.get(path, pageSize=2, **parameters)
    full = await store.get(path, pageSize=large, **parameters)
    assert (len(small.data), len(full.data)) == (2, large)
    assert small.meta["totalPages"] > 1
    assert full.meta["totalCount"] == small.meta["totalCount"] > large
    assert (small.statements, full.statements) == (cost, cost)
    middle = await store.get(path, pageSize=2, page=2, **parameters)
    assert middle.statements == cost


async def test_only_a_page_beyond_the_end_asks_for_the_count(store: Store) -> None:
    """Every other page brings it along, or is the first and empty."""
    last = await store.get("tracks", page=36, pageSize=100)
    assert (len(last.data), last.meta["totalCount"], last.statements) == (3, 3503, 1)
    nothing = await store.get("tracks", name="no such name")
    assert (nothing.data, nothing.meta["totalCount"], nothing.statements) == ([], 0, 1)
    nothing_to_include = await store.get("tracks", name="no such name", include="album,playlists")
    assert nothing_to_include.statements == 1
    beyond = await store.get("tracks", page=37, pageSize=100)
    assert (beyond.data, beyond.meta["totalCount"], beyond.statements) == ([], 3503, 2)


ROWS = [
    (f"artists/{id_of('Artist', 1)}", {}, 1),
    (f"artists/{id_of('Artist', 1)}", {"include": "albums.tracks.genre"}, 4),
    (f"tracks/{id_of('Track', 1)}", {}, 1),
    (f"tracks/{id_of('Track', 1)}", {"include": "album.artist,genre,mediaType,playlists"}, 6),
    (f"playlists/{id_of('Playlist', 1)}", {"include": "tracks"}, 2),
    (f"playlists/{id_of('Playlist', 1)}", {"include": "tracks.album.artist"}, 4),
    (f"playlists/{id_of('Playlist', 18)}", {"include": "tracks.album.artist"}, 4),  # one track costs what 3,290 do
    (f"invoices/{id_of('Invoice', 1)}", {}, 2),
    (f"invoices/{id_of('Invoice', 1)}", {"include": "lines.track.album"}, 4),
    (f"employees/{id_of('Employee', 1)}", {"include": "manager,reports"}, 2),  # there is nobody above: nothing to ask
    (f"employees/{id_of('Employee', 2)}", {"include": "manager,reports"}, 3),
]


@pytest.mark.parametrize(("path", "parameters", "cost"), ROWS, ids=map(named, ROWS))
async def test_one_row(store: Store, path: str, parameters: dict[str, str], cost: int) -> None:
    assert (await store.get(path, **parameters)).statements == cost


async def test_what_is_refused_costs_nothing(store: Store) -> None:
    refused = [
        ("invoices", None, 401),
        ("invoices", store.client.token("stranger"), 403),
        ("tracks?nonsense=1", None, 400),
        ("tracks?sort=albumId", None, 400),
        ("tracks?include=lines", None, 400),
        ("tracks/nonsense", None, 404),
        ("artists?include=albums.tracks.playlists.tracks.album", None, 400),
    ]
    for path, token, status in refused:
        assert (await store.client.get(f"/api/v1/{path}", token=token)).status == status
        assert store.log_lines.requests[-1]["statements"] == 0
