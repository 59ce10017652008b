"""Whole lists as NDJSON and CSV: the same rows as the pages, in one answer."""

from __future__ import annotations

import asyncio
import csv
import http.client
import io
import json
import re
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from shop.app import app as shop_app

from sternpost import Browse, Contract, Json, Resource, Settings, Sternpost, field, public
from sternpost.app.drivers import make_storage
from sternpost.ids import new_hex
from sternpost.ports.storage import PART_ROWS, Statistics
from sternpost.protocols.rest.exports import wanted_export
from sternpost.testing import Client
from tests.conftest import DATABASES, LogLines, shared_database
from tests.support.server import Process, serving
from tests.support.shop import Shop

NDJSON = {"accept": "application/x-ndjson"}
CSV = {"accept": "text/csv"}


class Cell(Resource, prefix="cel"):
    """Values that are hard to write as CSV."""

    text: str | None = field(filter=True)
    number: float | None = None
    flag: bool = field(default=False)
    anything: Json = field(default=None)

    browse = Browse(sort=["text"], export=True, page_size=1000, max_page_size=1000, allow=public)


CELLS = Contract("cells", resources=[Cell])


@pytest.fixture
async def cells(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    async with Client(Sternpost(CELLS, settings=make_settings(), write_log=log_lines)) as client:
        yield client


async def fill(client: Client, rows: list[dict[str, Any]]) -> None:
    names = ("text", "number", "flag", "anything")
    async with client.app.running.runtime.storage.transaction(Statistics()) as session:
        for row in rows:
            values: dict[str, Any] = {**dict.fromkeys(names), "flag": False, "id": new_hex(), **row}
            await session.insert("Cell", values)


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


async def test_an_export_is_the_list_that_the_pages_give(cells: Client) -> None:
    await fill(cells, [{"text": f"row {number % 7}", "number": number} for number in range(PART_ROWS * 2 + 3)])
    for query in ("", "?sort=-text", "?text=row%203&fields=id,text", "?fields=number"):
        answer = await cells.get(f"/api/v1/cells{query}", headers=NDJSON)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
        assert "content-length" not in answer.headers
        pages: list[dict[str, Any]] = []
        for page in (1, 2):
            address = f"/api/v1/cells{query}{'&' if query else '?'}page={page}"
            pages += (await cells.get(address)).json()["data"]
        assert lines(answer.content) == pages


async def test_csv_is_read_back_by_a_csv_reader(cells: Client) -> None:
    await fill(
        cells,
        [
            {"text": 'a "quoted", text\r\nin two lines', "number": -1.5, "flag": True, "anything": {"a": [1, None]}},
            {"text": "", "number": 0.1, "anything": "=1+1"},
            {"text": None, "anything": None},
            {"text": "=SUM(A1)"},
            {"text": "+49 30"},
            {"text": "-x"},
            {"text": "@x"},
            {"text": "\tx"},
            {"text": "ä漢😀"},
        ],
    )
    answer = await cells.get("/api/v1/cells", headers=CSV)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"] == 'attachment; filename="cells.csv"'
    assert answer.headers["vary"] == "accept", "at the same address there is JSON, too"
    text = answer.content.decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[0] == ["id", "text", "number", "flag", "anything"]
    assert rows[1][1:] == ['a "quoted", text\r\nin two lines', "-1.5", "true", '{"a":[1,null]}']
    assert [row[1] for row in rows[2:]] == ["", "", "'=SUM(A1)", "'+49 30", "'-x", "'@x", "'\tx", "ä漢😀"]
    assert rows[2][4] == "'=1+1"
    assert re.search(r',"",0\.1', text), "an empty text is not null"
    assert text.endswith("\r\n")


HARMFUL = [
    *(f"{lead}1+1" for lead in "=+-@＝＋－＠﹦﹢﹣﹫−"),
    *(f"{before}=1+1" for before in (" ", "\t", "\r", "\n", "\r\n", "\u00a0", "\u3000", "\ufeff", "\u200b", '"', ' "', "\x0b", "\x1f")),
    *(f"x{separator}=1+1" for separator in (";", "; ", ';"', "\t", "\n", "\r\n", ";\n", ";;", "\t\t", ';"";')),
    ";=1+1",
    ";＝1+1",
    "x;y;@SUM(1)",
    "\tx",
    "\rx",
    "\nx",
    " \tx",
    "x\n-1;+2\n=3",
]  # fmt: skip
HARMLESS = ["a=b", "a-b", "a@b.example", "x; y", "1;2", "5 - 3", "a\nb", "'=1", "ä漢😀", "a;b=c", "#1", "x\ty"]


def formulas(text: str, delimiter: str) -> list[str]:
    """The cells that a spreadsheet runs, or may run when it cleans them first, where it separates by `delimiter`."""
    cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]
    found: list[str] = []
    for cell in cells:
        bare = cell.lstrip(' "\t\r\n\x0b\x0c\x1f\u00a0\u3000\ufeff\u200b')
        if bare.startswith(tuple("=+-@＝＋－＠﹦﹢﹣﹫−")) or cell[:1] in ("\t", "\r", "\n"):
            found.append(cell)
    return found


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_no_cell_is_a_formula_whatever_separates_cells(cells: Client, delimiter: str) -> None:
    await fill(cells, [{"text": text} for text in HARMFUL])
    text = (await cells.get("/api/v1/cells?fields=text", headers=CSV)).content.decode()
    assert len(list(csv.reader(io.StringIO(text, newline="")))) == len(HARMFUL) + 1
    assert formulas(text, delimiter) == []
    assert formulas("text\r\n" + "\r\n".join(HARMFUL), delimiter) != [], "the check finds formulas"


async def test_what_is_no_formula_is_exported_unchanged(cells: Client) -> None:
    await fill(cells, [{"text": text, "number": -1.5} for text in HARMLESS])
    text = (await cells.get("/api/v1/cells?fields=text,number", headers=CSV)).content.decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert rows[1:] == [[each, "-1.5"] for each in HARMLESS]


async def test_a_formula_is_marked_where_it_would_begin(cells: Client) -> None:
    await fill(cells, [{"text": "x;=1\n-2"}, {"text": "＝1"}])
    text = (await cells.get("/api/v1/cells?fields=text", headers=CSV)).content.decode()
    assert text == "text\r\n\"x;'=1\n'-2\"\r\n'＝1\r\n"


@pytest.mark.timeout(20)
async def test_a_long_text_takes_time_as_it_is_long(cells: Client) -> None:
    text = "".join(each * 40 for each in ("\x1f", " ", '"', "; ", "\n", "\ufeff")) + "="
    await fill(cells, [{"text": text}])
    assert (await cells.get("/api/v1/cells?fields=text", headers=CSV)).status == 200


async def test_an_empty_list_is_an_empty_file(cells: Client) -> None:
    assert (await cells.get("/api/v1/cells", headers=NDJSON)).content == b""
    assert (await cells.get("/api/v1/cells", headers=CSV)).content == b"id,text,number,flag,anything\r\n"
    head = await cells.request("HEAD", "/api/v1/cells", headers=CSV)
    assert (head.status, head.content) == (200, b"")


async def test_an_export_keeps_policies_filters_and_owned_lists(client: Client, shop: Shop) -> None:
    user, other, product = await shop.user(), await shop.user(), await shop.product(stock=50)
    mine = await shop.order(user, (product, 2))
    await shop.order(other, (product, 1))
    answer = await client.get("/api/v1/orders", headers=NDJSON, token=shop.token(user))
    assert lines(answer.content) == [mine]
    assert len(lines((await client.get("/api/v1/orders", headers=NDJSON, token=shop.admin)).content)) == 2
    nested = await client.get(f"/api/v1/users/{user['id']}/orders?fields=id", headers=CSV, token=shop.admin)
    assert nested.content == f"id\r\n{mine['id']}\r\n".encode()
    table = await client.get("/api/v1/orders?fields=id,items.quantity", headers=CSV, token=shop.token(user))
    assert table.content == f'id,items\r\n{mine["id"]},"[{{""quantity"":2}}]"\r\n'.encode()
    assert (await client.get("/api/v1/orders", headers=NDJSON)).status == 401
    assert (await client.get("/api/v1/orders?status=nope", headers=CSV, token=shop.admin)).status == 400


@pytest.mark.parametrize("query", ["page=1", "pageSize=5", "cursor=", "cursor=&count=true"])
async def test_an_export_takes_no_page(client: Client, query: str) -> None:
    answer = await client.get(f"/api/v1/products?{query}", headers=NDJSON)
    assert (answer.status, answer.error["code"]) == (400, "VALIDATION_ERROR")


async def test_a_relation_that_may_be_cut_is_not_exported(client: Client, shop: Shop) -> None:
    for query in ("include=user.orders", "items.limit=1", "fields=user.orders.id"):
        answer = await client.get(f"/api/v1/orders?{query}", headers=NDJSON, token=shop.admin)
        assert answer.status == 400, query
    one = await client.get("/api/v1/orders?fields=user.name", headers=NDJSON, token=shop.admin)
    assert one.status == 200


async def test_only_what_is_declared_is_exported(client: Client, shop: Shop) -> None:
    for headers in (NDJSON, CSV):
        answer = await client.get("/api/v1/users", headers=headers, token=shop.admin)
        assert (answer.status, answer.error["code"]) == (406, "NOT_ACCEPTABLE")


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/csv", "text/csv"),
        ("TEXT/CSV; q=0.5", "text/csv"),
        ("text/csv, */*;q=0.1", "text/csv"),
        ("application/json, text/csv", None),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("text/csv;q=0.2, application/x-ndjson;q=0.8", "application/x-ndjson"),
        ("text/csv;q=0", None),
        ("text/csv;q=x", None),
        ("text/csv; header=present; q=0.4, application/json;q=0.5", None),
        ("text/csv; header=present; q=0.6, application/json;q=0.5", "text/csv"),
        ("application/*, text/csv;q=0.9", None),
        ("text/csv;q=0.9, */*;q=0.8", "text/csv"),
        ("text/csv;q=0.5, application/json;q=0.5", "text/csv"),
        ("application/json;q=0.5, text/csv;q=0.5", None),
        ("text/html, text/csv;q=0.1", "text/csv"),
        ("text/csv-schema", None),
        ("*/*", None),
        ("", None),
    ],
)
def test_the_media_type_is_what_the_client_prefers(accept: str, media: str | None) -> None:
    assert wanted_export(accept.encode()) == (media.encode() if media else None)


# -- on a real server


LONG = 200_000


@pytest.fixture(scope="module", params=DATABASES)
def long_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with 200,000 products. The tests only read it."""

    async def fill(url: str) -> None:
        storage = make_storage(Settings(database_url=url, jwt_secret="exports-" + "x" * 30))  # pyright: ignore[reportCallIssue]
        await storage.open(shop_app.plan)
        await storage.create_schema()
        await storage.close()
        await insert_products(url, LONG)

    with shared_database(request.param, request) as url:
        asyncio.run(fill(url))
        yield url


@pytest.fixture
def long_list(long_url: str, tmp_path: Path) -> Callable[..., Any]:
    """A server with these products; give it the environment it is to have."""
    return lambda **env: serving("shop.app:app", tmp_path, **{"STERNPOST_DATABASE_URL": long_url, **env})


async def insert_products(url: str, count: int) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.execute(
                "INSERT INTO products (id, sku, name, price_cents, stock) WITH RECURSIVE n(i) AS "
                "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                "SELECT printf('%032x', i), 'SKU-' || i, 'Product ' || i, i, 1 FROM n",
                (count,),
            )
        connection.close()
        return
    import asyncpg

    database = await asyncpg.connect(url)
    await database.execute(
        "INSERT INTO products (id, sku, name, price_cents, stock) "
        "SELECT lpad(to_hex(i), 32, '0')::uuid, 'SKU-' || i, 'Product ' || i, i, 1 FROM generate_series(1, $1::int) i",
        count,
    )
    await database.close()


def resident_kib(process: Process, name: str = "VmRSS") -> int:
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1])  # pyright: ignore[reportOptionalSubscript]


def begin(
    port: int, accept: str, query: str = "sort=name"
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/api/v1/products?{query}", headers={"accept": accept})
    return connection, connection.getresponse()


def drained(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while block := response.read(65536):
        yield block


@pytest.mark.slow
@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/csv"])
async def test_a_long_list_is_exported_in_little_memory(long_list: Callable[..., Any], accept: str) -> None:
    with long_list() as server:
        peaks_kib: list[int] = []
        for rows in (LONG // 10, LONG):
            connection, response = begin(server.port, accept, f"sort=name&priceCents[lte]={rows}")
            size = count = 0
            for block in drained(response):
                count += block.count(b"\n")
                size += len(block)
            connection.close()
            assert count == rows + (accept == "text/csv")
            peaks_kib.append(resident_kib(server, "VmHWM"))
        first, second = peaks_kib
        assert (second - first) * 1024 < size / 4, "ten times the rows take no more memory"
        assert server.stop() == 0


async def test_a_client_that_goes_away_gives_its_connection_back(long_list: Callable[..., Any]) -> None:
    """More exports are begun and left than may be under way at a time."""
    with long_list(STERNPOST_DATABASE_POOL_SIZE="2") as server:
        for _ in range(4):
            connection, response = begin(server.port, "text/csv")
            assert response.status == 200
            assert response.read(100)
            assert connection.sock is not None, "an export has no length, so the connection is still that of the answer"
            connection.sock.shutdown(socket.SHUT_RDWR)
            response.close()
            connection.close()
            server.wait_for('"status":499')
            server.lines.clear()
        status, _ = server.request("GET", "/api/v1/products?page=3")
        assert status == 200
        assert server.stop() == 0
        assert not [line for line in server.lines if '"level":"error"' in line]


@pytest.mark.slow
async def test_too_many_exports_are_refused_and_pages_still_served(long_list: Callable[..., Any]) -> None:
    with long_list(STERNPOST_DATABASE_POOL_SIZE="4") as server:
        held = [begin(server.port, "text/csv") for _ in range(2)]
        assert [response.status for _, response in held] == [200, 200]
        third, refused = begin(server.port, "text/csv")
        assert (refused.status, refused.getheader("retry-after")) == (503, "1")
        assert server.request("GET", "/api/v1/products")[0] == 200
        for connection, response in held:
            assert sum(block.count(b"\n") for block in drained(response)) == LONG + 1
            connection.close()
        third.close()


@pytest.mark.slow
async def test_an_export_in_flight_is_finished_before_the_service_stops(long_list: Callable[..., Any]) -> None:
    with long_list() as server:
        connection, response = begin(server.port, "application/x-ndjson")
        first = response.read(1000)
        stopped: list[int] = []
        stopping = threading.Thread(target=lambda: stopped.append(server.stop()))
        stopping.start()
        server.wait_for("Shutting down")
        rest = b"".join(drained(response))
        connection.close()
        stopping.join()
        assert (first + rest).count(b"\n") == LONG
        assert stopped == [0]


async def test_an_error_on_the_way_cuts_the_answer_off(
    long_list: Callable[..., Any], long_url: str, tmp_path: Path
) -> None:
    url = long_url
    if url.startswith("sqlite"):
        copy = tmp_path / "damaged.sqlite"
        with (
            closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
        url = f"sqlite:///{copy}"
    with long_list(STERNPOST_DATABASE_URL=url) as server:
        connection, response = begin(server.port, "application/x-ndjson")
        response.read(1000)
        if url.startswith("sqlite"):
            damage(copy)
        else:
            await cut_off(url)
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
            for _ in drained(response):
                pass
        connection.close()
        server.wait_for('"level":"error"')
        assert not [line for line in server.lines if "ASGI" in line]


def damage(path: Path) -> None:
    """Overwrites all but the first pages of a SQLite file."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(65536)
        file.write(b"\xff" * (size - 65536))


async def cut_off(url: str) -> None:
    import asyncpg

    admin = await asyncpg.connect(url)
    await admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await admin.close()


async def test_a_client_that_reads_no_more_is_not_waited_for(cells: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays connected, and would keep a connection to the database as long."""
    monkeypatch.setattr("sternpost.protocols.rest.exports.STALLED_SECONDS", 0.1)
    body_begun = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            body_begun.set()
            await asyncio.Event().wait()

    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/api/v1/cells",
        "raw_path": b"/api/v1/cells",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"accept", b"text/csv")],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
        "scheme": "http",
    }
    reading = asyncio.ensure_future(cells.app(scope, receive, send))  # pyright: ignore[reportArgumentType]
    await asyncio.wait_for(body_begun.wait(), 5)
    done, _ = await asyncio.wait([reading], timeout=5)
    assert done
    reading.exception()
