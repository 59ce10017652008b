"""Lists of the store against SQL on the original: counts, pages, nested lists, filters, sorts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.real.conftest import Original, Store, id_of

LISTS = {
    "artists": "Artist",
    "albums": "Album",
    "tracks": "Track",
    "genres": "Genre",
    "media-types": "MediaType",
    "playlists": "Playlist",
    "customers": "Customer",
    "employees": "Employee",
    "invoices": "Invoice",
}
NESTED = [
    ("artists", "Artist", "albums", "Album", "SELECT AlbumId FROM Album WHERE ArtistId = ? ORDER BY 1"),
    ("albums", "Album", "tracks", "Track", "SELECT TrackId FROM Track WHERE AlbumId = ? ORDER BY 1"),
    ("genres", "Genre", "tracks", "Track", "SELECT TrackId FROM Track WHERE GenreId = ? ORDER BY 1"),
    ("media-types", "MediaType", "tracks", "Track", "SELECT TrackId FROM Track WHERE MediaTypeId = ? ORDER BY 1"),
    ("playlists", "Playlist", "tracks", "Track", "SELECT TrackId FROM PlaylistTrack WHERE PlaylistId = ? ORDER BY 1"),
    ("tracks", "Track", "playlists", "Playlist", "SELECT PlaylistId FROM PlaylistTrack WHERE TrackId = ? ORDER BY 1"),
    ("customers", "Customer", "invoices", "Invoice", "SELECT InvoiceId FROM Invoice WHERE CustomerId = ? ORDER BY 1"),
    ("employees", "Employee", "reports", "Employee", "SELECT EmployeeId FROM Employee WHERE ReportsTo = ? ORDER BY 1"),
    (
        "employees",
        "Employee",
        "customers",
        "Customer",
        "SELECT CustomerId FROM Customer WHERE SupportRepId = ? ORDER BY 1",
    ),
]


def test_loading_reported_what_the_original_holds(loaded: tuple[str, dict[str, int]], original: Original) -> None:
    tables = original.column("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert loaded[1] == {table: original.one(f"SELECT count(*) FROM [{table}]") for table in tables}
    assert sum(loaded[1].values()) == 15_607


@pytest.mark.parametrize("path", LISTS)
async def test_count_and_every_page(store: Store, original: Original, path: str) -> None:
    table = LISTS[path]
    first = await store.get(path)
    assert first.meta["totalCount"] == original.one(f"SELECT count(*) FROM [{table}]")
    everything = await store.walk(path)
    assert [row["id"] for row in everything] == original.ids(table, f"SELECT [{table}Id] FROM [{table}] ORDER BY 1")


async def test_pages_of_an_odd_size_give_everything_once(store: Store, original: Original) -> None:
    for path, size in (("albums", 7), ("invoices", 33), ("customers", 1)):
        rows = await store.walk(path, size)
        assert [row["id"] for row in rows] == original.ids(
            LISTS[path], f"SELECT [{LISTS[path]}Id] FROM [{LISTS[path]}] ORDER BY 1"
        )


async def test_every_value_of_every_track(store: Store, original: Original) -> None:
    expected = [
        {
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
        for key, name, album, genre, medium, composer, milliseconds, size, price in original.rows(
            "SELECT TrackId, Name, AlbumId, GenreId, MediaTypeId, Composer, Milliseconds, Bytes, UnitPrice FROM Track ORDER BY 1"
        )
    ]
    assert await store.walk("tracks") == expected


async def test_every_value_of_every_employee_and_customer(store: Store, original: Original) -> None:
    columns = ("FirstName", "LastName", "Address", "City", "State", "Country", "PostalCode", "Phone", "Fax", "Email")
    names = [column[0].lower() + column[1:] for column in columns]
    for path, table, more in (("employees", "Employee", "Title"), ("customers", "Customer", "Company")):
        rows = original.rows(f"SELECT {', '.join(columns)}, {more} FROM {table} ORDER BY {table}Id")
        answered = await store.walk(path)
        assert [tuple(row[name] for name in (*names, more.lower())) for row in answered] == rows
    assert [(row["birthDate"], row["hireDate"], row["managerId"]) for row in await store.walk("employees")] == [
        (birth, hire, id_of("Employee", manager))
        for birth, hire, manager in original.rows(
            "SELECT date(BirthDate), date(HireDate), ReportsTo FROM Employee ORDER BY EmployeeId"
        )
    ]


@pytest.mark.parametrize(
    ("path", "table", "relation", "target", "sql"), NESTED, ids=lambda value: value if value in LISTS else ""
)
async def test_nested_lists(
    store: Store, original: Original, path: str, table: str, relation: str, target: str, sql: str
) -> None:
    keys = original.column(f"SELECT [{table}Id] FROM [{table}] ORDER BY 1")
    for key in keys if len(keys) < 80 else keys[:: len(keys) // 40]:
        expected = original.ids(target, sql, key)
        page = await store.get(f"{path}/{id_of(table, key)}/{relation}", pageSize=100)
        assert page.meta["totalCount"] == len(expected)
        assert page.ids == expected[:100]


async def test_a_nested_list_has_pages_filters_and_an_order(store: Store, original: Original) -> None:
    address = f"playlists/{id_of('Playlist', 1)}/tracks"
    rows = await store.walk(address)
    assert [row["id"] for row in rows] == original.ids(
        "Track", "SELECT TrackId FROM PlaylistTrack WHERE PlaylistId = 1 ORDER BY 1"
    )
    assert len(rows) == 3290
    page = await store.get(address, **{"composer[contains]": "Jobim", "sort": "-milliseconds", "pageSize": 100})
    assert page.ids == original.ids(
        "Track",
        """
        SELECT t.TrackId FROM PlaylistTrack p JOIN Track t USING (TrackId)
        WHERE p.PlaylistId = 1 AND instr(t.Composer, 'Jobim') ORDER BY t.Milliseconds DESC, t.TrackId DESC""",
    )
    assert page.ids


def _track(where: str) -> str:
    return f"SELECT TrackId FROM Track WHERE {where} ORDER BY TrackId"


FILTERS: list[tuple[str, str, dict[str, Any], str]] = [
    # texts
    ("tracks", "Track", {"name": "Último Pau-De-Arara"}, "Name = 'Último Pau-De-Arara'"),
    ("tracks", "Track", {"name[ne]": "Intro"}, "Name <> 'Intro'"),
    (
        "tracks",
        "Track",
        {"name[in]": "Intro,Evidence,Último Pau-De-Arara,Nenhum"},
        "Name IN ('Intro', 'Evidence', 'Último Pau-De-Arara', 'Nenhum')",
    ),
    ("tracks", "Track", {"name[contains]": "ão"}, "instr(Name, 'ão') > 0"),
    ("tracks", "Track", {"name[contains]": "love"}, "instr(Name, 'love') > 0"),
    ("tracks", "Track", {"name[contains]": "%"}, "instr(Name, '%') > 0"),
    ("tracks", "Track", {"name[contains]": "_"}, "instr(Name, '_') > 0"),
    ("tracks", "Track", {"name[startsWith]": "É"}, "substr(Name, 1, 1) = 'É'"),
    ("tracks", "Track", {"name[startsWith]": "The "}, "substr(Name, 1, 4) = 'The '"),
    ("tracks", "Track", {"name[startsWith]": '"'}, "substr(Name, 1, 1) = '\"'"),
    ("tracks", "Track", {"name": "' OR 1=1 --"}, "0"),
    # a text that may be null: ne gives the rows without one as well
    ("tracks", "Track", {"composer": "AC/DC"}, "Composer = 'AC/DC'"),
    ("tracks", "Track", {"composer[ne]": "AC/DC"}, "Composer <> 'AC/DC'"),
    ("tracks", "Track", {"composer[in]": "AC/DC,U2"}, "Composer IN ('AC/DC', 'U2')"),
    ("tracks", "Track", {"composer[isNull]": "true"}, "Composer IS NULL"),
    ("tracks", "Track", {"composer[isNull]": "false"}, "Composer IS NOT NULL"),
    ("tracks", "Track", {"composer[contains]": "João"}, "instr(Composer, 'João') > 0"),
    ("tracks", "Track", {"composer[startsWith]": "Ant"}, "substr(Composer, 1, 3) = 'Ant'"),
    ("artists", "Artist", {"name": "Motörhead"}, "Name = 'Motörhead'"),
    ("artists", "Artist", {"name[contains]": "ô"}, "instr(Name, 'ô') > 0"),
    ("playlists", "Playlist", {"name": "90’s Music"}, "Name = '90’s Music'"),
    ("playlists", "Playlist", {"name": "Music"}, "Name = 'Music'"),
    ("customers", "Customer", {"city": "São Paulo"}, "City = 'São Paulo'"),
    ("customers", "Customer", {"company[isNull]": "false"}, "Company IS NOT NULL"),
    # integers
    ("tracks", "Track", {"milliseconds": 205662}, "Milliseconds = 205662"),
    ("tracks", "Track", {"milliseconds[ne]": 205662}, "Milliseconds <> 205662"),
    ("tracks", "Track", {"milliseconds[gt]": 343719}, "Milliseconds > 343719"),
    ("tracks", "Track", {"milliseconds[gte]": 343719}, "Milliseconds >= 343719"),
    ("tracks", "Track", {"milliseconds[lt]": 343719}, "Milliseconds < 343719"),
    ("tracks", "Track", {"milliseconds[lte]": 343719}, "Milliseconds <= 343719"),
    ("tracks", "Track", {"milliseconds[in]": "343719,205662,-1"}, "Milliseconds IN (343719, 205662)"),
    ("tracks", "Track", {"bytes[gte]": 1_000_000_000}, "Bytes >= 1000000000"),
    ("tracks", "Track", {"bytes[isNull]": "true"}, "Bytes IS NULL"),
    # decimals
    ("tracks", "Track", {"unitPrice": "1.99"}, "UnitPrice = 1.99"),
    ("tracks", "Track", {"unitPrice[ne]": "1.99"}, "UnitPrice <> 1.99"),
    ("tracks", "Track", {"unitPrice[gt]": "0.99"}, "UnitPrice > 0.99"),
    ("tracks", "Track", {"unitPrice[gte]": "0.99"}, "UnitPrice >= 0.99"),
    ("tracks", "Track", {"unitPrice[lt]": "1.99"}, "UnitPrice < 1.99"),
    ("tracks", "Track", {"unitPrice[lte]": "0.98"}, "UnitPrice <= 0.98"),
    ("tracks", "Track", {"unitPrice[in]": "1.99,2"}, "UnitPrice IN (1.99, 2)"),
    ("invoices", "Invoice", {"total": "5.94"}, "Total = 5.94"),
    ("invoices", "Invoice", {"total[gt]": "13.86"}, "Total > 13.86"),
    ("invoices", "Invoice", {"total[gte]": "13.86"}, "Total >= 13.86"),
    ("invoices", "Invoice", {"total[in]": "1.98,25.86"}, "Total IN (1.98, 25.86)"),
    # instants and days
    ("invoices", "Invoice", {"invoiceDate": "2021-01-01T00:00:00Z"}, "InvoiceDate = '2021-01-01 00:00:00'"),
    ("invoices", "Invoice", {"invoiceDate[ne]": "2021-01-01T00:00:00Z"}, "InvoiceDate <> '2021-01-01 00:00:00'"),
    ("invoices", "Invoice", {"invoiceDate[gt]": "2025-12-05T00:00:00Z"}, "InvoiceDate > '2025-12-05 00:00:00'"),
    ("invoices", "Invoice", {"invoiceDate[gte]": "2025-12-05T02:00:00+02:00"}, "InvoiceDate >= '2025-12-05 00:00:00'"),
    ("invoices", "Invoice", {"invoiceDate[lt]": "2021-01-03T00:00:00Z"}, "InvoiceDate < '2021-01-03 00:00:00'"),
    (
        "invoices",
        "Invoice",
        {"invoiceDate[lte]": "2021-01-03T00:00:00.000001Z"},
        "InvoiceDate <= '2021-01-03 00:00:00'",
    ),
    (
        "invoices",
        "Invoice",
        {"invoiceDate[in]": "2021-01-01T00:00:00Z,2025-12-22T00:00:00Z"},
        "InvoiceDate IN ('2021-01-01 00:00:00', '2025-12-22 00:00:00')",
    ),
    ("employees", "Employee", {"birthDate": "1973-08-29"}, "date(BirthDate) = '1973-08-29'"),
    ("employees", "Employee", {"hireDate[gte]": "2003-10-17"}, "date(HireDate) >= '2003-10-17'"),
    ("employees", "Employee", {"hireDate[lt]": "2003-10-17"}, "date(HireDate) < '2003-10-17'"),
    (
        "employees",
        "Employee",
        {"hireDate[in]": "2004-03-04,2003-10-17"},
        "date(HireDate) IN ('2004-03-04', '2003-10-17')",
    ),
    # ids
    ("tracks", "Track", {"albumId": id_of("Album", 141)}, "AlbumId = 141"),
    ("tracks", "Track", {"genreId[ne]": id_of("Genre", 1)}, "GenreId <> 1"),
    ("tracks", "Track", {"genreId[in]": f"{id_of('Genre', 2)},{id_of('Genre', 24)}"}, "GenreId IN (2, 24)"),
    ("tracks", "Track", {"albumId[isNull]": "true"}, "AlbumId IS NULL"),
    ("tracks", "Track", {"mediaTypeId": id_of("MediaType", 3)}, "MediaTypeId = 3"),
    ("employees", "Employee", {"managerId[isNull]": "true"}, "ReportsTo IS NULL"),
    ("employees", "Employee", {"managerId[isNull]": "false"}, "ReportsTo IS NOT NULL"),
    ("employees", "Employee", {"managerId[ne]": id_of("Employee", 2)}, "ReportsTo <> 2"),
    ("customers", "Customer", {"supportRepId": id_of("Employee", 4)}, "SupportRepId = 4"),
    # several at once
    (
        "tracks",
        "Track",
        {
            "milliseconds[gte]": 300000,
            "milliseconds[lt]": 310000,
            "unitPrice": "0.99",
            "genreId[ne]": id_of("Genre", 1),
            "composer[isNull]": "false",
        },
        "Milliseconds >= 300000 AND Milliseconds < 310000 AND UnitPrice = 0.99 AND GenreId <> 1 AND Composer IS NOT NULL",
    ),
    (
        "invoices",
        "Invoice",
        {"billingCountry[in]": "Brazil,Chile", "total[gt]": "5", "billingState[isNull]": "false"},
        "BillingCountry IN ('Brazil', 'Chile') AND Total > 5 AND BillingState IS NOT NULL",
    ),
]
EMPTY = {"0", "UnitPrice <= 0.98", "Bytes IS NULL", "AlbumId IS NULL", "instr(Name, '_') > 0"}
"""Conditions that nothing in the original fits; of the others something must be found."""


@pytest.mark.parametrize(
    ("path", "table", "parameters", "where"),
    FILTERS,
    ids=[f"{f[0]}-{'&'.join(f[2])}-{i}" for i, f in enumerate(FILTERS)],
)
async def test_filters(
    store: Store, original: Original, path: str, table: str, parameters: dict[str, Any], where: str
) -> None:
    expected = original.ids(table, f"SELECT [{table}Id] FROM [{table}] WHERE {where} ORDER BY 1")
    assert bool(expected) is (where not in EMPTY)
    page = await store.get(path, pageSize=100, **parameters)
    assert page.meta["totalCount"] == len(expected)
    assert page.ids == expected[:100]
    if len(expected) > 100:
        last = await store.get(path, pageSize=100, page=page.meta["totalPages"], **parameters)
        assert last.ids == expected[(len(expected) - 1) // 100 * 100 :]


SORTS = [
    ("tracks", "Track", "name", "Name"),  # by code point: SQLite compares texts as UTF-8, which has the same order
    ("tracks", "Track", "-name", "Name DESC"),
    ("tracks", "Track", "composer", "Composer IS NULL, Composer"),
    ("tracks", "Track", "-composer", "Composer IS NOT NULL, Composer DESC"),
    ("tracks", "Track", "unitPrice,-milliseconds", "UnitPrice, Milliseconds DESC"),
    ("tracks", "Track", "-composer,name", "Composer IS NOT NULL, Composer DESC, Name"),
    ("tracks", "Track", "-bytes", "Bytes DESC"),
    ("artists", "Artist", "name", "Name"),
    ("artists", "Artist", "-name", "Name DESC"),
    ("albums", "Album", "title", "Title"),
    ("playlists", "Playlist", "name", "Name"),
    ("customers", "Customer", "company,-lastName", "Company IS NULL, Company, LastName DESC"),
    ("customers", "Customer", "-country,city", "Country DESC, City"),
    ("employees", "Employee", "hireDate,lastName", "HireDate, LastName"),
    ("employees", "Employee", "-birthDate", "BirthDate DESC"),
    ("invoices", "Invoice", "-total", "Total DESC"),
    ("invoices", "Invoice", "invoiceDate,-total", "InvoiceDate, Total DESC"),
    ("invoices", "Invoice", "-billingState,total", "BillingState IS NOT NULL, BillingState DESC, Total"),
]


@pytest.mark.parametrize(("path", "table", "sort", "order"), SORTS, ids=[f"{s[0]}-{s[2]}" for s in SORTS])
async def test_sorts(store: Store, original: Original, path: str, table: str, sort: str, order: str) -> None:
    direction = "DESC" if order.endswith("DESC") else "ASC"  # equal rows come in the direction of what decided last
    expected = original.ids(table, f"SELECT [{table}Id] FROM [{table}] ORDER BY {order}, [{table}Id] {direction}")
    assert [row["id"] for row in await store.walk(path, sort=sort)] == expected


def test_texts_of_the_original_tell_code_points_from_alphabets(original: Original) -> None:
    """Otherwise the sorts above would prove little."""
    names = original.column("SELECT Name FROM Track ORDER BY Name, TrackId")
    assert names == sorted(names)
    assert names != sorted(names, key=str.casefold)
    assert names[-1] == "Último Pau-De-Arara"


# -- any combination

_texts = st.sampled_from(["a", "the", "The", "ão", "é", "Love", "(", "'", '"', "%", "Ú", "João", "zz zz", "\\", " "])
_numbers = st.sampled_from([0, 1071, 205662, 255399, 300000, 343719, 1_000_000, 5286953, -5])
_sizes = st.sampled_from([0, 38747, 5_000_000, 8_000_000, 1_059_546_140])
_prices = st.sampled_from(["0.99", "1.99", "1", "1.5", "0", "-1.00"])
_composers = st.sampled_from(["AC/DC", "U2", "Jagger/Richards", "Nobody", "Antônio Carlos Jobim"])
_comparisons = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def _compared(name: str, column: str, values: st.SearchStrategy[Any], number: Any) -> list[st.SearchStrategy[Any]]:
    tests: list[st.SearchStrategy[Any]] = [
        st.tuples(st.just(f"{name}[{operator}]" if operator != "eq" else name), values).map(
            lambda pair, symbol=symbol: (pair[0], str(pair[1]), f"{column} {symbol} ?", [number(pair[1])])
        )
        for operator, symbol in _comparisons.items()
    ]
    tests.append(values.map(lambda value: (f"{name}[ne]", str(value), f"{column} <> ?", [number(value)])))
    tests.append(
        st.lists(values, min_size=1, max_size=4).map(
            lambda found: (
                f"{name}[in]",
                ",".join(map(str, found)),
                f"{column} IN ({', '.join('?' * len(found))})",
                [number(value) for value in found],
            )
        )
    )
    return tests


def _searched(name: str, column: str) -> list[st.SearchStrategy[Any]]:
    return [
        _texts.map(lambda text: (f"{name}[contains]", text, f"instr({column}, ?) > 0", [text])),
        _texts.map(lambda text: (f"{name}[startsWith]", text, f"substr({column}, 1, length(?)) = ?", [text, text])),
    ]


def _key(name: str, column: str, table: str, most: int) -> list[st.SearchStrategy[Any]]:
    keys = st.integers(1, most)
    return [
        keys.map(lambda key: (name, id_of(table, key), f"{column} = ?", [key])),
        keys.map(lambda key: (f"{name}[ne]", id_of(table, key), f"{column} <> ?", [key])),
        st.lists(keys, min_size=1, max_size=10).map(
            lambda found: (
                f"{name}[in]",
                ",".join(str(id_of(table, key)) for key in found),
                f"{column} IN ({', '.join('?' * len(found))})",
                found,
            )
        ),
    ]


_filters = st.one_of(
    *_compared("milliseconds", "Milliseconds", _numbers, int),
    *_compared("bytes", "Bytes", _sizes, int),
    *_compared("unitPrice", "UnitPrice", _prices, float),
    *_searched("name", "Name"),
    *_searched("composer", "Composer"),
    _composers.map(lambda text: ("composer", text, "Composer = ?", [text])),
    _composers.map(lambda text: ("composer[ne]", text, "Composer <> ?", [text])),
    st.booleans().map(
        lambda null: ("composer[isNull]", "true" if null else "false", f"Composer IS {'' if null else 'NOT '}NULL", [])
    ),
    *_key("albumId", "AlbumId", "Album", 400),
    *_key("genreId", "GenreId", "Genre", 26),
    *_key("mediaTypeId", "MediaTypeId", "MediaType", 6),
)
_ORDERS = {
    "name": "Name",
    "-name": "Name DESC",
    "milliseconds": "Milliseconds",
    "-milliseconds": "Milliseconds DESC",
    "bytes": "Bytes IS NULL, Bytes",
    "-bytes": "Bytes IS NOT NULL, Bytes DESC",
    "unitPrice": "UnitPrice",
    "-unitPrice": "UnitPrice DESC",
    "composer": "Composer IS NULL, Composer",
    "-composer": "Composer IS NOT NULL, Composer DESC",
}


@given(
    filters=st.lists(_filters, max_size=3, unique_by=lambda found: found[0]),
    order=st.lists(st.sampled_from(list(_ORDERS)), max_size=3, unique_by=lambda name: name.removeprefix("-")),
    number=st.sampled_from([1, 1, 2, 3, 17, 400]),
    size=st.sampled_from([1, 3, 20, 100]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
async def test_any_combination_is_what_sql_says(
    store: Store,
    original: Original,
    filters: list[tuple[str, str, str, list[Any]]],
    order: list[str],
    number: int,
    size: int,
) -> None:
    where = " AND ".join(f"({condition})" for _, _, condition, _ in filters) or "1"
    by = ", ".join(
        [_ORDERS[name] for name in order] + ["TrackId DESC" if order and order[-1].startswith("-") else "TrackId"]
    )
    expected = original.ids(
        "Track",
        f"SELECT TrackId FROM Track WHERE {where} ORDER BY {by}",
        *[value for found in filters for value in found[3]],
    )
    parameters: dict[str, Any] = {name: value for name, value, _, _ in filters}
    if order:
        parameters["sort"] = ",".join(order)
    page = await store.get("tracks", page=number, pageSize=size, **parameters)
    has_more = number * size < len(expected)
    assert page.meta.pop("nextCursor", None) is not None or not has_more
    assert page.meta == {
        "page": number,
        "pageSize": size,
        "totalCount": len(expected),
        "totalPages": -(-len(expected) // size),
        "requestId": page.meta["requestId"],
    }
    assert page.ids == expected[(number - 1) * size : number * size]
