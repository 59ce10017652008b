"""Loads the original database into the store: `python -m chinook.load`.

The original is the SQLite file that the variable `CHINOOK_DB` names. It is read as a stream and written in one
transaction: afterwards the database holds all of it, or nothing.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from chinook.contract import (
    Album,
    Artist,
    Customer,
    Employee,
    Genre,
    Invoice,
    MediaType,
    Playlist,
    Track,
)
from sternpost import Database, Resource, Sternpost, SternpostError
from sternpost.errors import StartupError

DEFAULT_SOURCE = Path(__file__).resolve().parents[3] / ".." / "shared" / "data" / "chinook.sqlite"
BATCH = 500
"""Rows that are read at once, so that memory stays the same whatever the size of the original."""

MADE_AT = datetime(2021, 1, 1, tzinfo=UTC)
"""The time in every id: the same original gives the same ids, each time and on every database."""

Report = Callable[[str, int, int], None]
"""Is told of each batch: the table, the rows of it that are done, and how many it has."""


class LoadError(Exception):
    """It cannot be loaded; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Source:
    """One table of the original.

    Attributes:
        resource: the class, which has the table's name.
        query: its rows, each after the rows that it refers to.
        data: one row as the data client takes it.
    """

    resource: type[Resource]
    query: str
    data: Callable[[sqlite3.Row], dict[str, Any]]

    @property
    def name(self) -> str:
        """The table."""
        return self.resource.__name__


def hex_id(table: str, key: int) -> str:
    """The 32 digits of a row's id: a UUIDv7 of a fixed time, the table's number and the key, so ids sort as keys do."""
    milliseconds = int(MADE_AT.timestamp() * 1000)
    return f"{milliseconds:012x}7{_NUMBERS[table]:03x}8{key:015x}"


def _id(table: str, key: int) -> str:
    return f"{_PREFIXES[table]}_{hex_id(table, key)}"


def source_path() -> Path:
    """The original: `CHINOOK_DB`, or the default."""
    named = os.environ.get("CHINOOK_DB")
    return Path(named) if named else DEFAULT_SOURCE.resolve()


def open_source(source: Path) -> sqlite3.Connection:
    """A read-only connection to the original. Raises `LoadError`."""
    if not source.is_file():
        raise LoadError(f"There is no Chinook database at {source}. Set CHINOOK_DB to the path of chinook.sqlite.")
    original = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
    original.row_factory = sqlite3.Row
    return original


async def load(app: Sternpost, source: Path, progress: Report = lambda table, done, total: None) -> dict[str, int]:
    """Creates the schema and copies everything; how many rows of each table there were.

    Args:
        app: the application; it is started and stopped here, so it must not be running.
        source: the original.
        progress: is told of each batch.

    Raises:
        LoadError: there is no original, it is not one, or the database is not empty.
    """
    with closing(open_source(source)) as original:
        try:
            totals = {name: _count(original, name) for name in _NUMBERS}
        except sqlite3.DatabaseError as error:
            raise LoadError(
                f"{source} is not a Chinook database: {error}. Set CHINOOK_DB to the path of chinook.sqlite."
            ) from error
        running = await app.start()
        try:
            await running.runtime.storage.create_schema()
            async with app.data() as db, db.transaction():
                await _refuse_rows(app, db)
                loading = _Loading(db, original, totals, progress)
                for table in SOURCES:
                    await loading.table(table)
                await loading.invoices()
                await loading.playlists()
        finally:
            await app.stop()
    return totals


async def _refuse_rows(app: Sternpost, db: Database) -> None:
    for resource in app.contract.resources:
        if await db.table(resource).exists():
            table = app.plan.by_name[resource.__name__].table
            raise LoadError(
                f"The database holds rows already ({table}). Load into an empty one: set STERNPOST_DATABASE_URL."
            )


class _Loading:
    """One load, in its transaction."""

    def __init__(self, db: Database, original: sqlite3.Connection, totals: dict[str, int], progress: Report) -> None:
        self.db = db
        self.original = original
        self.totals = totals
        self.progress = progress

    async def table(self, source: Source) -> None:
        """Copies the rows of one table."""
        self._done(source.name, 0)
        for done, rows in _batches(self.original.execute(source.query)):
            await self.db.table(source.resource).create_many([source.data(row) for row in rows])
            self._done(source.name, done)

    async def invoices(self) -> None:
        """Copies the invoices, each with the lines that it owns."""
        invoices, lines_done = self.db.table(Invoice), 0
        self._done("Invoice", 0)
        self._done("InvoiceLine", 0)
        for done, rows in _batches(self.original.execute("SELECT * FROM [Invoice] ORDER BY [InvoiceId]")):
            for row in rows:
                lines = self.original.execute(
                    "SELECT * FROM [InvoiceLine] WHERE [InvoiceId] = ? ORDER BY [InvoiceLineId]", (row["InvoiceId"],)
                ).fetchall()
                await invoices.create({**_invoice(row), "lines": {"create": [_line(line) for line in lines]}})
                lines_done += len(lines)
            self._done("Invoice", done)
            self._done("InvoiceLine", lines_done)

    async def playlists(self) -> None:
        """Copies what is in which playlist."""
        playlists, done = self.db.table(Playlist), 0
        self._done("PlaylistTrack", 0)
        keys = [
            row[0]
            for row in self.original.execute("SELECT DISTINCT [PlaylistId] FROM [PlaylistTrack] ORDER BY [PlaylistId]")
        ]
        for key in keys:
            rows = self.original.execute(
                "SELECT [TrackId] FROM [PlaylistTrack] WHERE [PlaylistId] = ? ORDER BY [TrackId]", (key,)
            )
            tracks = [_id("Track", row[0]) for row in rows]
            await playlists.update(_id("Playlist", key), {"tracks": {"connect": tracks}})
            done += len(tracks)
            self._done("PlaylistTrack", done)

    def _done(self, table: str, rows: int) -> None:
        self.progress(table, rows, self.totals[table])


def _batches(cursor: sqlite3.Cursor) -> Iterator[tuple[int, list[sqlite3.Row]]]:
    done = 0
    while rows := cursor.fetchmany(BATCH):
        done += len(rows)
        yield done, rows


def _count(original: sqlite3.Connection, table: str) -> int:
    return original.execute(f"SELECT count(*) FROM [{table}]").fetchone()[0]  # noqa: S608  (a name from the list below)


# -- the tables


def _reference(table: str, key: int | None) -> str | None:
    return None if key is None else _id(table, key)


def _money(value: float) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def _day(text: str | None) -> date | None:
    return None if text is None else datetime.fromisoformat(text).date()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _named(table: str) -> Callable[[sqlite3.Row], dict[str, Any]]:
    return lambda row: {"id": _id(table, row[f"{table}Id"]), "name": row["Name"]}


def _album(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": _id("Album", row["AlbumId"]),
        "title": row["Title"],
        "artist_id": _id("Artist", row["ArtistId"]),
    }


def _track(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": _id("Track", row["TrackId"]),
        "name": row["Name"],
        "composer": row["Composer"],
        "milliseconds": row["Milliseconds"],
        "bytes": row["Bytes"],
        "unit_price": _money(row["UnitPrice"]),
        "album_id": _reference("Album", row["AlbumId"]),
        "genre_id": _reference("Genre", row["GenreId"]),
        "media_type_id": _id("MediaType", row["MediaTypeId"]),
    }


def _person(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "first_name": row["FirstName"],
        "last_name": row["LastName"],
        "address": row["Address"],
        "city": row["City"],
        "state": row["State"],
        "country": row["Country"],
        "postal_code": row["PostalCode"],
        "phone": row["Phone"],
        "fax": row["Fax"],
        "email": row["Email"],
    }


def _employee(row: sqlite3.Row) -> dict[str, Any]:
    return _person(row) | {
        "id": _id("Employee", row["EmployeeId"]),
        "title": row["Title"],
        "manager_id": _reference("Employee", row["ReportsTo"]),
        "birth_date": _day(row["BirthDate"]),
        "hire_date": _day(row["HireDate"]),
    }


def _customer(row: sqlite3.Row) -> dict[str, Any]:
    return _person(row) | {
        "id": _id("Customer", row["CustomerId"]),
        "company": row["Company"],
        "support_rep_id": _reference("Employee", row["SupportRepId"]),
    }


def _invoice(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": _id("Invoice", row["InvoiceId"]),
        "customer_id": _id("Customer", row["CustomerId"]),
        "invoice_date": _instant(row["InvoiceDate"]),
        "billing_address": row["BillingAddress"],
        "billing_city": row["BillingCity"],
        "billing_state": row["BillingState"],
        "billing_country": row["BillingCountry"],
        "billing_postal_code": row["BillingPostalCode"],
    }


def _line(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": _id("InvoiceLine", row["InvoiceLineId"]),
        "track_id": _id("Track", row["TrackId"]),
        "unit_price": _money(row["UnitPrice"]),
        "quantity": row["Quantity"],
    }


_MANAGERS_FIRST = """
    WITH RECURSIVE [Staff] AS (
        SELECT [Employee].*, 0 AS [Level] FROM [Employee] WHERE [ReportsTo] IS NULL
        UNION ALL
        SELECT [Employee].*, [Level] + 1 FROM [Employee] JOIN [Staff] ON [Employee].[ReportsTo] = [Staff].[EmployeeId]
    ) SELECT * FROM [Staff] ORDER BY [Level], [EmployeeId]
"""

SOURCES = (
    Source(Artist, "SELECT * FROM [Artist] ORDER BY [ArtistId]", _named("Artist")),
    Source(Album, "SELECT * FROM [Album] ORDER BY [AlbumId]", _album),
    Source(Genre, "SELECT * FROM [Genre] ORDER BY [GenreId]", _named("Genre")),
    Source(MediaType, "SELECT * FROM [MediaType] ORDER BY [MediaTypeId]", _named("MediaType")),
    Source(Track, "SELECT * FROM [Track] ORDER BY [TrackId]", _track),
    Source(Playlist, "SELECT * FROM [Playlist] ORDER BY [PlaylistId]", _named("Playlist")),
    Source(Employee, _MANAGERS_FIRST, _employee),
    Source(Customer, "SELECT * FROM [Customer] ORDER BY [CustomerId]", _customer),
)
"""The tables whose rows stand by themselves."""

_PREFIXES = {
    "Artist": "art",
    "Album": "alb",
    "Genre": "gen",
    "MediaType": "med",
    "Track": "trk",
    "Playlist": "pla",
    "Employee": "emp",
    "Customer": "cus",
    "Invoice": "inv",
    "InvoiceLine": "lin",
}
_NUMBERS = {name: number for number, name in enumerate((*_PREFIXES, "PlaylistTrack"), start=1)}


# -- the command


class _Bars:
    """A progress bar for each table."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, table: str, done: int, total: int) -> None:
        if table not in self.tasks:
            self.tasks[table] = self.progress.add_task(table, total=total)
        self.progress.update(self.tasks[table], completed=done)


def main() -> int:
    """Loads the original into the database of the settings; the exit code."""
    from chinook.app import app

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description:<14}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console) as progress:
            loaded = asyncio.run(load(app, source_path(), _Bars(progress)))
    except (LoadError, StartupError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    except SternpostError as error:
        console.print(f"The database refused: {error} {error.log or ''}", style="red", markup=False)
        return 1
    console.print(f"{sum(loaded.values()):,} rows loaded from {source_path()}", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
