"""Loading: refusals, all or nothing, the command, and writing through the contract that was loaded into."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
from asyncio import create_subprocess_exec, subprocess
from pathlib import Path
from typing import Any

import pytest
from chinook.contract import contract
from chinook.load import LoadError, hex_id, load

from sternpost import Sternpost, SternpostError
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.real.conftest import Original, Store, settings_for

EXAMPLE = Path(__file__).parents[2] / "examples" / "chinook"


def test_ids_are_uuids_of_version_7_and_sort_as_keys_do() -> None:
    ids = [hex_id("Track", key) for key in (1, 2, 9, 10, 99, 100, 3503, 2**60 - 1)]
    assert ids == sorted(ids)
    assert all(re.fullmatch("[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}", digits) for digits in ids)
    assert hex_id("Album", 1) != hex_id("Artist", 1)


@pytest.mark.slow
async def test_a_database_with_rows_is_refused(
    loaded: tuple[str, dict[str, int]], original: Original, store: Store
) -> None:
    with pytest.raises(LoadError, match=r"holds rows already \(artists\)"):
        await load(Sternpost(contract, settings=settings_for(loaded[0])), original.path)
    assert (await store.get("artists")).meta["totalCount"] == 275


async def test_a_missing_original_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"no Chinook database at .*nothing\.sqlite\. Set CHINOOK_DB"):
        await load(Sternpost(contract), tmp_path / "nothing.sqlite")
    other = tmp_path / "other.sqlite"
    other.write_text("not a database, but a text that is long enough to be read as one " * 20)
    with pytest.raises(LoadError, match="is not a Chinook database"):
        await load(Sternpost(contract), other)


async def test_a_load_that_fails_leaves_nothing(database_url: str, original: Original, tmp_path: Path) -> None:
    broken = tmp_path / "broken.sqlite"
    shutil.copyfile(original.path, broken)
    broken.chmod(0o600)
    connection = sqlite3.connect(broken)
    connection.execute("UPDATE Album SET ArtistId = 9999 WHERE AlbumId = 300")
    connection.commit()
    connection.close()
    app = Sternpost(contract, settings=settings_for(database_url))
    seen: list[tuple[str, int, int]] = []
    with pytest.raises(SternpostError):
        await load(app, broken, lambda table, done, total: seen.append((table, done, total)))
    assert ("Artist", 275, 275) in seen
    async with Client(app, create_schema=False) as client:
        for path in ("artists", "albums"):
            assert (await client.get(f"/api/v1/{path}")).json()["meta"]["totalCount"] == 0


@pytest.mark.slow
async def test_the_command(original: Original, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"

    async def run(**more: str) -> tuple[int | None, str]:
        environment = {**os.environ, "STERNPOST_DATABASE_URL": url, "CHINOOK_DB": str(original.path), **more}
        process = await create_subprocess_exec(
            sys.executable, "-m", "chinook.load", cwd=EXAMPLE, env=environment, stderr=subprocess.PIPE
        )
        _, shown = await process.communicate()
        return process.returncode, shown.decode()

    code, shown = await run(CHINOOK_DB="/nowhere/chinook.sqlite")
    assert (code, "Set CHINOOK_DB" in shown) == (1, True), shown
    code, shown = await run()
    assert code == 0, shown
    assert "15,607 rows loaded" in shown
    for line in ("Track 3503/3503", "PlaylistTrack 8715/8715", "InvoiceLine 2240/2240"):
        table, count = line.split()
        assert re.search(rf"^{table} .*{count}", shown, re.MULTILINE), shown
    code, shown = await run()
    assert (code, "holds rows already" in shown) == (1, True), shown


async def test_writing_through_the_contract(database_url: str, log_lines: LogLines) -> None:
    async with Client(Sternpost(contract, settings=settings_for(database_url), write_log=log_lines)) as client:
        token = client.token("clerk", "catalogue:write", "store:write")

        async def send(method: str, path: str, status: int, cost: int, body: dict[str, Any] | None = None) -> Any:
            answer = await client.request(method, f"/api/v1/{path}", json=body, token=token)
            assert answer.status == status, answer.content
            assert log_lines.requests[-1]["statements"] == cost, path
            return answer.data if answer.content else None

        artist = await send("POST", "artists", 201, 1, {"name": "Björk"})
        album = await send("POST", "albums", 201, 1, {"title": "Homogenic", "artistId": artist["id"]})
        medium = await send("POST", "media-types", 201, 1, {"name": "FLAC"})
        songs: list[str] = []
        for name, price in (("Jóga", "1.99"), ("Bachelorette", "0.10")):
            body = {
                "name": name,
                "albumId": album["id"],
                "mediaTypeId": medium["id"],
                "milliseconds": 1,
                "unitPrice": price,
            }
            songs.append((await send("POST", "tracks", 201, 1, body))["id"])
        playlist = await send(
            "POST", "playlists", 201, 4, {"name": "Iceland", "trackIds": songs}
        )  # the row, no old links, two links
        assert [row["id"] for row in await send("GET", f"playlists/{playlist['id']}/tracks", 200, 2)] == songs
        chief = await send("POST", "employees", 201, 1, {"lastName": "Adams", "firstName": "Andrew"})
        clerk = await send(
            "POST", "employees", 201, 1, {"lastName": "Peacock", "firstName": "Jane", "managerId": chief["id"]}
        )
        ada = {"firstName": "Ada", "lastName": "L", "email": "ada@example.com", "supportRepId": clerk["id"]}
        customer = await send("POST", "customers", 201, 1, ada)

        lines = [
            {"trackId": songs[0], "unitPrice": "1.99", "quantity": 3},
            {"trackId": songs[1], "unitPrice": "0.10", "quantity": 7},
        ]
        invoice = await send(
            "POST",
            "invoices",
            201,
            4,
            {"customerId": customer["id"], "invoiceDate": "2026-01-01T00:00:00Z", "lines": lines},
        )
        assert invoice["total"] == "6.67"
        changed = await send("PATCH", f"invoices/{invoice['id']}", 200, 5, {"lines": [{**lines[1], "quantity": 10}]})
        assert changed["total"] == "1.00"
        assert (await send("GET", f"invoices/{invoice['id']}", 200, 2)) == changed
        assert (await send("GET", "invoices?total=1.0", 200, 2))[0]["id"] == invoice["id"]
        emptied = await send("PATCH", f"invoices/{invoice['id']}", 200, 4, {"lines": []})
        assert emptied["total"] in ("0", "0.00")

        answer = await client.delete(f"/api/v1/customers/{customer['id']}", token=token)
        assert (answer.status, answer.error["code"]) == (409, "STILL_REFERENCED")
        await send("DELETE", f"invoices/{invoice['id']}", 204, 3)
        await send("DELETE", f"customers/{customer['id']}", 204, 2)
