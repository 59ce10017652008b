"""`sternpost contract infer` on the music store as it was published: served by a real server, compared with SQL."""

from __future__ import annotations

import http.client
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import pytest

from sternpost.auth.jwt import make_token
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from tests.existing.support import KEY, Original, sha256
from tests.support import forks
from tests.support.server import SECRET, Process, environment, running, send

GOLDEN = Path(__file__).parents[1] / "golden" / "inferred"
ID = re.compile(r"[a-z]{2,8}_[0-9a-f]{32}")
LISTED_MAX = 1000


def infer(url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return forks.run(["contract", "infer", url, *options], Path.cwd(), {**environment(), "COLUMNS": "200"})


def inferred(url: str, folder: Path, *options: str) -> ModuleType:
    """The module that the command wrote."""
    file = folder / "inferred.py"
    result = infer(url, "--out", os.fspath(file), *options)
    assert result.returncode == 0, result.stderr + result.stdout
    spec = importlib.util.spec_from_file_location(f"inferred_{folder.name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def served(url: str, folder: Path) -> Iterator[Process]:
    settings = {"STERNPOST_DATABASE_URL": url, "STERNPOST_PORT": "0", "STERNPOST_SECRET_KEY": KEY}
    env = environment(**settings)
    env["PYTHONPATH"] = os.fspath(folder)
    with running(["-m", "sternpost", "serve", "inferred:app"], env, folder) as process:
        yield process


def token(plan: Plan) -> str:
    scopes = [f"{resource.path}:{what}" for resource in plan.resources for what in ("read", "write")]
    return make_token(SECRET, subject="reader", scopes=scopes, issued=1_700_000_000, expires=4_000_000_000)


def walk(connection: http.client.HTTPConnection, path: str, key: str, include: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    number, pages = 1, 1
    while number <= pages:
        query = f"?page={number}&pageSize=100" + (f"&include={include}" if include else "")
        status, body = send(connection, "GET", f"/api/v1/{path}{query}", None, key)
        assert status == 200, body
        rows += body["data"]
        pages, number = body["meta"]["totalPages"], number + 1
    return rows


def expected(field: FieldPlan, value: Any, ids: dict[str, dict[int, str]]) -> Any:
    """A value of the original as the service has to answer it."""
    if value is None:
        return None
    if field.kind == "id":
        return ids[str(field.references)][value]
    if field.kind == "decimal":
        return f"{value:.2f}"
    return value.replace(" ", "T") + "Z" if field.kind == "datetime" else value


class Everything:
    """All rows of all tables, as the service answers them."""

    def __init__(self, plan: Plan, server: Process, original: Original) -> None:
        self.plan = plan
        self.original = original
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.key = token(plan)
        self.rows: dict[str, list[dict[str, Any]]] = {}
        for resource in plan.resources:
            include = ",".join(relation.public_name for relation in resource.relations)
            # one relation at a time where a page would hold too many rows
            plain = walk(connection, resource.path, self.key, "")
            for relation in include.split(",") if include else ():
                for row, with_list in zip(plain, walk(connection, resource.path, self.key, relation), strict=True):
                    row[relation] = with_list[relation]
            self.rows[resource.name] = plain
        connection.close()
        self.ids = {resource.name: self._ids(resource) for resource in plan.resources}

    def _ids(self, resource: ResourcePlan) -> dict[int, str]:
        key = resource.fields_by_name["id"].column_name
        keys = [row[0] for row in self.original.rows(f'SELECT "{key}" FROM "{resource.table}" ORDER BY "{key}"')]
        return dict(zip(keys, [row["id"] for row in self.rows[resource.name]], strict=True))

    def compare(self) -> None:
        for resource in self.plan.resources:
            columns = ", ".join(f'"{field.column_name}"' for field in resource.fields)
            key = resource.fields_by_name["id"].column_name
            original = self.original.rows(f'SELECT {columns} FROM "{resource.table}" ORDER BY "{key}"')
            for row, values in zip(self.rows[resource.name], original, strict=True):
                for field, value in zip(resource.fields, values, strict=True):
                    assert row[field.public_name] == expected(field, value, self.ids), (resource.name, field.name)
            for relation in resource.relations:
                self._compare_relation(resource, relation, key)

    def _compare_relation(self, resource: ResourcePlan, relation: Any, key: str) -> None:
        target = self.plan.by_name[relation.target]
        remote_key = target.fields_by_name["id"].column_name
        if relation.kind == "one":
            for row in self.rows[resource.name]:
                wanted_id = row[resource.fields_by_name[relation.local_field].public_name]
                included = row[relation.public_name]
                assert (None if included is None else included["id"]) == wanted_id
            return
        if relation.kind == "linked":
            pairs = (
                f'SELECT "{relation.link_local}", "{relation.link_remote}" FROM "{relation.link_table}" ORDER BY 1, 2'
            )
        else:
            back = target.fields_by_name[relation.remote_field].column_name
            pairs = f'SELECT "{back}", "{remote_key}" FROM "{target.table}" WHERE "{back}" IS NOT NULL ORDER BY 1, 2'
        wanted: dict[str, list[str]] = {}
        for here, there in self.original.rows(pairs):
            wanted.setdefault(self.ids[resource.name][here], []).append(self.ids[target.name][there])
        assert wanted, (resource.name, relation.name)
        for row in self.rows[resource.name]:
            found = [item["id"] for item in row[relation.public_name]]
            assert found == wanted.get(row["id"], [])[:LISTED_MAX], (resource.name, relation.name)


@pytest.fixture
def written(chinook_url: str, tmp_path: Path) -> ModuleType:
    return inferred(chinook_url, tmp_path)


def test_every_row_is_answered_as_it_is(
    chinook_url: str, chinook_file: Path, written: ModuleType, tmp_path: Path, original: Original
) -> None:
    plan: Plan = written.app.plan
    before = sha256(chinook_file)
    with served(chinook_url, tmp_path) as server:
        everything = Everything(plan, server, original)
        everything.compare()
        for table in original.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'PlaylistTrack'"):
            resource = next(resource for resource in plan.resources if resource.table == table[0])
            assert len(everything.rows[resource.name]) == original.one(f'SELECT count(*) FROM "{table[0]}"')
        assert server.stop() == 0
        log = "\n".join(server.lines)
    assert sha256(chinook_file) == before
    money = sum(round(float(row["total"]) * 100) for row in everything.rows["Invoice"])
    assert money == round(original.one("SELECT sum(Total) FROM Invoice") * 100)
    _no_key_is_told(everything, log)


def _no_key_is_told(everything: Everything, log: str) -> None:
    """Wherever an answer has an id, it is an opaque one; ids that follow each other have nothing in common."""
    for resource in everything.plan.resources:
        members = [field.public_name for field in resource.fields if field.kind == "id"]
        for row in everything.rows[resource.name]:
            assert all(row[member] is None or ID.fullmatch(row[member]) for member in members)
        ids = [row["id"].partition("_")[2] for row in everything.rows[resource.name]]
        assert len(set(ids)) == len(ids)
        assert sorted(ids) != ids, "their order would tell which row is the older one"
    assert not re.search(r"/api/v1/[a-z-]+/\d", log)


def test_rows_are_written_where_that_is_asked_for(chinook_url: str, tmp_path: Path) -> None:
    plan: Plan = inferred(chinook_url, tmp_path, "--write").app.plan
    key = token(plan)
    with served(chinook_url, tmp_path) as server:

        def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
            return server.request(method, f"/api/v1/{path}", body, key)

        status, body = call("POST", "artists", {"name": "Nobody"})
        assert status == 201, body
        artist = body["data"]["id"]
        status, body = call("POST", "albums", {"title": "Nothing", "artistId": artist})
        assert status == 201, body
        album = body["data"]["id"]
        media, genre = (call("GET", f"{path}?pageSize=1")[1]["data"][0]["id"] for path in ("media-types", "genres"))
        track = {"name": "Silence", "albumId": album, "mediaTypeId": media, "genreId": genre, "milliseconds": 273_000}
        status, body = call("POST", "tracks", {**track, "unitPrice": "0.30"})
        assert status == 201, body
        made = body["data"]
        assert made["unitPrice"] == "0.30"
        status, body = call("POST", "playlists", {"name": "Quiet", "trackIds": [made["id"]]})
        assert status == 201, body
        assert call("GET", f"playlists/{body['data']['id']}/tracks")[1]["data"] == [made]
        customer = call("GET", "customers?pageSize=1")[1]["data"][0]["id"]
        instant = "2026-11-23T01:02:03Z"
        status, body = call("POST", "invoices", {"customerId": customer, "invoiceDate": instant, "total": "12.10"})
        assert status == 201, body
        invoice = body["data"]
        assert (invoice["invoiceDate"], invoice["total"]) == (instant, "12.10")
        status, body = call("PATCH", f"invoices/{invoice['id']}", {"total": "12.35"})
        assert body["data"] == {**invoice, "total": "12.35"}
        assert call("DELETE", f"artists/{artist}")[0] == 409
        assert call("DELETE", f"invoices/{invoice['id']}")[0] == 204
        assert call("GET", f"invoices/{invoice['id']}")[0] == 404
        assert server.stop() == 0
    assert not re.search(r"/api/v1/[a-z-]+/\d", "\n".join(server.lines))


def test_what_a_write_stores_is_what_other_programs_expect(chinook_file: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{chinook_file}"
    before = Original(chinook_file)
    schema = before.rows("SELECT name, sql FROM sqlite_master ORDER BY name")
    counts = {row[0]: before.one(f'SELECT count(*) FROM "{row[0]}"') for row in schema if "TABLE" in (row[1] or "")}
    plan: Plan = inferred(url, tmp_path, "--write").app.plan
    with served(url, tmp_path) as server:
        customer = server.request("GET", "/api/v1/customers?pageSize=1", None, token(plan))[1]["data"][0]["id"]
        body = {"customerId": customer, "invoiceDate": "2026-01-02T03:04:05+01:00", "total": "7.10"}
        assert server.request("POST", "/api/v1/invoices", body, token(plan))[0] == 201
        assert server.stop() == 0
    assert before.rows("SELECT name, sql FROM sqlite_master ORDER BY name") == schema
    changed = {name for name, count in counts.items() if before.one(f'SELECT count(*) FROM "{name}"') != count}
    assert changed == {"Invoice"}
    newest = before.rows("SELECT *, typeof(Total) FROM Invoice ORDER BY InvoiceId DESC LIMIT 1")[0]
    assert newest == (413, 1, "2026-01-02 02:04:05", None, None, None, None, None, 7.1, "real")
    assert before.one("PRAGMA journal_mode") == "delete"
    before.connection.close()


def test_the_contract_is_the_reviewed_one(original_path: Path) -> None:
    result = infer(f"sqlite:///{original_path}")
    assert result.returncode == 0, result.stderr
    assert result.stdout == (GOLDEN / "chinook.py").read_text(encoding="utf-8")
    assert infer(f"sqlite:///{original_path}", "--write").stdout == (GOLDEN / "chinook_write.py").read_text("utf-8")


def test_formatters_and_types_agree(original_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "chinook.py"
    infer(f"sqlite:///{original_path}", "--out", os.fspath(file), "--write")
    for width in (88, 120):
        command = ["ruff", "format", "--isolated", "--check", "--line-length", str(width), os.fspath(file)]
        done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_only_some_tables(original_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    result = infer(
        f"sqlite:///{original_path}", "--tables", "Album,Track,Artist", "--out", os.fspath(file), "--name", "some"
    )
    assert result.returncode == 0, result.stderr
    text = file.read_text("utf-8")
    assert re.findall(r"^class (\w+)", text, re.MULTILINE) == ["Album", "Artist", "Track"]
    assert "MediaTypeId is left out" in text
    assert "GenreId" in result.stdout
    assert 'Contract(\n    "some"' in text


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("sqlite:////nowhere/at/all.sqlite", (), "There is no file"),
        ("sqlite:///{file}", ("--tables", "Song"), "has no table Song"),
        ("sqlite:///{file}", ("--schema", "sales"), "has no schemas"),
        ("mysql://u@h/d", (), "unknown scheme"),
        ("sqlite:///{here}", (), "cannot be read as a SQLite database"),
        ("postgresql://nobody@127.0.0.1:1/none", (), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_said(original_path: Path, url: str, options: tuple[str, ...], said: str) -> None:
    result = infer(url.format(file=original_path, here=__file__), *options)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_is_not_overwritten(original_path: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("mine")
    result = infer(f"sqlite:///{original_path}", "--out", os.fspath(file))
    assert result.returncode == 2
    assert file.read_text() == "mine"


def test_a_password_is_not_shown() -> None:
    result = infer("postgresql://user:open-sesame@127.0.0.1:1/none")
    assert urlsplit("postgresql://user:open-sesame@x/y").password not in result.stderr
