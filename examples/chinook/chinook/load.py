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

from sternpost import Sternpost, SternpostError
from sternpost.errors import StartupError
from sternpost.pipeline.runtime import Runtime
from sternpost.data.writing import computed_values
from sternpost.plan.query import Select
from sternpost.ports.storage import Session, Statistics

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
        name: the table, which is the resource as well.
        query: its rows, each after the rows that it refers to.
        values: one row as the values of the resource, in the form in which the storage port takes them.
    """

    name: str
    query: str
    values: Callable[[sqlite3.Row], dict[str, Any]]


def hex_id(table: str, key: int) -> str:
    """The 32 digits of a row's id: a UUIDv7 of a fixed time, the table's number and the key, so ids sort as keys do."""
    milliseconds = int(MADE_AT.timestamp() * 1000)
    return f"{milliseconds:012x}7{_NUMBERS[table]:03x}8{key:015x}"


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
            async with running.runtime.storage.transaction(Statistics()) as session:
                await _refuse_rows(running.runtime, session)
                loading = _Loading(running.runtime, session, original, totals, progress)
                for table in SOURCES:
                    await loading.table(table)
                await loading.playlists()
        finally:
            await app.stop()
    return totals


async def _refuse_rows(runtime: Runtime, session: Session) -> None:
    for resource in runtime.plan.resources:
        if await session.count(Select(resource.name, ("id",))):
            raise LoadError(
                f"The database holds rows already ({resource.table}). Load into an empty one: set STERNPOST_DATABASE_URL."
            )


class _Loading:
    """One load, in its transaction."""

    def __init__(
        self, runtime: Runtime, session: Session, original: sqlite3.Connection, totals: dict[str, int], progress: Report
    ) -> None:
        self.runtime = runtime
        self.session = session
        self.original = original
        self.totals = totals
        self.progress = progress

    async def table(self, source: Source) -> None:
        """Copies the rows of one table."""
        resource = self.runtime.plan.by_name[source.name]
        self.progress(source.name, 0, self.totals[source.name])
        for done, rows in _batches(self.original.execute(source.query)):
            for row in rows:
                values = source.values(row)
                if resource.name == "Invoice":
                    values |= computed_values(resource, {"lines": self._lines(row["InvoiceId"])})
                await self.session.insert(resource.name, values)
            self.progress(source.name, done, self.totals[source.name])

    def _lines(self, invoice: int) -> list[dict[str, Any]]:
        rows = self.original.execute(
            "SELECT [UnitPrice], [Quantity] FROM [InvoiceLine] WHERE [InvoiceId] = ?", (invoice,)
        )
        return [{"unit_price": _money(row["UnitPrice"]), "quantity": row["Quantity"]} for row in rows]

    async def playlists(self) -> None:
        """Copies what is in which playlist."""
        total, done = self.totals["PlaylistTrack"], 0
        self.progress("PlaylistTrack", 0, total)
        keys = [
            row[0]
            for row in self.original.execute("SELECT DISTINCT [PlaylistId] FROM [PlaylistTrack] ORDER BY [PlaylistId]")
        ]
        for key in keys:
            rows = self.original.execute(
                "SELECT [TrackId] FROM [PlaylistTrack] WHERE [PlaylistId] = ? ORDER BY [TrackId]", (key,)
            )
            tracks = [hex_id("Track", row[0]) for row in rows]
            await self.session.replace_links("Playlist", "tracks", hex_id("Playlist", key), tracks)
            done += len(tracks)
            self.progress("PlaylistTrack", done, total)


def _batches(cursor: sqlite3.Cursor) -> Iterator[tuple[int, list[sqlite3.Row]]]:
    done = 0
    while rows := cursor.fetchmany(BATCH):
        done += len(rows)
        yield done, rows


def _count(original: sqlite3.Connection, table: str) -> int:
    return original.execute(f"SELECT count(*) FROM [{table}]").fetchone()[0]  # noqa: S608  (a name from the list below)


# -- the tables


def _reference(table: str, key: int | None) -> str | None:
    return None if key is None else hex_id(table, key)


def _money(value: float) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))


def _day(text: str | None) -> date | None:
    return None if text is None else datetime.fromisoformat(text).date()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _named(table: str) -> Callable[[sqlite3.Row], dict[str, Any]]:
    return lambda row: {"id": hex_id(table, row[f"{table}Id"]), "name": row["Name"]}


def _album(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": hex_id("Album", row["AlbumId"]),
        "title": row["Title"],
        "artist_id": hex_id("Artist", row["ArtistId"]),
    }


def _track(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": hex_id("Track", row["TrackId"]),
        "name": row["Name"],
        "composer": row["Composer"],
        "milliseconds": row["Milliseconds"],
        "bytes": row["Bytes"],
        "unit_price": _money(row["UnitPrice"]),
        "album_id": _reference("Album", row["AlbumId"]),
        "genre_id": _reference("Genre", row["GenreId"]),
        "media_type_id": hex_id("MediaType", row["MediaTypeId"]),
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
        "id": hex_id("Employee", row["EmployeeId"]),
        "title": row["Title"],
        "manager_id": _reference("Employee", row["ReportsTo"]),
        "birth_date": _day(row["BirthDate"]),
        "hire_date": _day(row["HireDate"]),
    }


def _customer(row: sqlite3.Row) -> dict[str, Any]:
    return _person(row) | {
        "id": hex_id("Customer", row["CustomerId"]),
        "company": row["Company"],
        "support_rep_id": _reference("Employee", row["SupportRepId"]),
    }


def _invoice(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": hex_id("Invoice", row["InvoiceId"]),
        "customer_id": hex_id("Customer", row["CustomerId"]),
        "invoice_date": _instant(row["InvoiceDate"]),
        "billing_address": row["BillingAddress"],
        "billing_city": row["BillingCity"],
        "billing_state": row["BillingState"],
        "billing_country": row["BillingCountry"],
        "billing_postal_code": row["BillingPostalCode"],
    }


def _line(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "id": hex_id("InvoiceLine", row["InvoiceLineId"]),
        "invoice_id": hex_id("Invoice", row["InvoiceId"]),
        "track_id": hex_id("Track", row["TrackId"]),
        "unit_price": _money(row["UnitPrice"]),
        "quantity": row["Quantity"],
        "position": row["Position"],
    }


_MANAGERS_FIRST = """
    WITH RECURSIVE [Staff] AS (
        SELECT [Employee].*, 0 AS [Level] FROM [Employee] WHERE [ReportsTo] IS NULL
        UNION ALL
        SELECT [Employee].*, [Level] + 1 FROM [Employee] JOIN [Staff] ON [Employee].[ReportsTo] = [Staff].[EmployeeId]
    ) SELECT * FROM [Staff] ORDER BY [Level], [EmployeeId]
"""
_LINES_IN_ORDER = """
    SELECT *, row_number() OVER (PARTITION BY [InvoiceId] ORDER BY [InvoiceLineId]) - 1 AS [Position]
    FROM [InvoiceLine] ORDER BY [InvoiceLineId]
"""

SOURCES = (
    Source("Artist", "SELECT * FROM [Artist] ORDER BY [ArtistId]", _named("Artist")),
    Source("Album", "SELECT * FROM [Album] ORDER BY [AlbumId]", _album),
    Source("Genre", "SELECT * FROM [Genre] ORDER BY [GenreId]", _named("Genre")),
    Source("MediaType", "SELECT * FROM [MediaType] ORDER BY [MediaTypeId]", _named("MediaType")),
    Source("Track", "SELECT * FROM [Track] ORDER BY [TrackId]", _track),
    Source("Playlist", "SELECT * FROM [Playlist] ORDER BY [PlaylistId]", _named("Playlist")),
    Source("Employee", _MANAGERS_FIRST, _employee),
    Source("Customer", "SELECT * FROM [Customer] ORDER BY [CustomerId]", _customer),
    Source("Invoice", "SELECT * FROM [Invoice] ORDER BY [InvoiceId]", _invoice),
    Source("InvoiceLine", _LINES_IN_ORDER, _line),
)
_NUMBERS = {
    name: number for number, name in enumerate((*(source.name for source in SOURCES), "PlaylistTrack"), start=1)
}


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
