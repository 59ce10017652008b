"""The description is valid, complete, and true: schemathesis finds no answer that contradicts it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest
from clinic.seed import CLINIC, DORA
from openapi_spec_validator import validate
from shop.app import app

from sternpost.derive.emit import emitted_files
from sternpost.testing import Client
from tests.conftest import not_run
from tests.rest.test_library import CONTRACT, SERVICES
from tests.support.declared import app as declared
from tests.support.server import ROOT, SECRET, environment, serving

REDOCLY = "@redocly/cli@2"
SCOPES = (
    "users:read users:write users:admin orders:read orders:write orders:admin products:write people:admin "
    "clinic:staff clinic:admin clinic:notes"
)


def test_openapi_is_valid() -> None:
    from sternpost import Sternpost

    for compiled in (app.compiled, declared.compiled, Sternpost(CONTRACT, services=SERVICES).compiled):
        validate(json.loads(emitted_files(compiled)["openapi.json"]))


def test_redocly_finds_nothing(tmp_path: Path) -> None:
    npx = shutil.which("npx")
    if npx is None:
        not_run("Redocly", "npx is not installed")
    (tmp_path / "openapi.json").write_bytes(emitted_files(app.compiled)["openapi.json"])
    env = {**os.environ, "REDOCLY_TELEMETRY": "off"}
    done = subprocess.run(
        [str(npx), "--yes", REDOCLY, "lint", "openapi.json"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Your API description is valid" in done.stdout + done.stderr
    assert "warning" not in done.stdout.lower()


async def test_the_docs_load_nothing_from_elsewhere(client: Client) -> None:
    page = await client.get("/docs")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "http" not in page.content.decode()
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "filters.js", "filters.css", "start.js"):
        assert f"/docs/assets/{asset}" in page.content.decode()
        answer = await client.get(f"/docs/assets/{asset}")
        assert answer.status == 200
        assert (
            await client.get(f"/docs/assets/{asset}", headers={"if-none-match": answer.headers["etag"]})
        ).status == 304
    assert (await client.get("/docs/assets/../docs.py")).status == 404
    assert (await client.get("/openapi.json")).json()["openapi"] == "3.1.0"


def test_filters_of_a_field_stand_together_for_the_page() -> None:
    """`filters.js` shows one row for each field, with the parameters that `x-filter-of` says are its own."""
    document = json.loads(emitted_files(declared.compiled)["openapi.json"])
    parameters = document["paths"]["/api/v1/tasks"]["get"]["parameters"]
    fields = [each["x-filter-of"] for each in parameters if "x-filter-of" in each]
    groups = [field for field, _ in groupby(fields)]
    assert groups[:4] == ["state", "urgency", "spot.town", "spot.openAt"]
    assert len(groups) == len(set(groups)), "each field has one row"
    own = {each["name"] for each in parameters if each.get("x-filter-of") == "urgency"}
    assert own == {"urgency", *(f"urgency[{test}]" for test in ("ne", "gt", "gte", "lt", "lte", "in"))}
    others = {each["name"] for each in parameters if "x-filter-of" not in each}
    assert {"page", "sort", "include", "fields", "labels.limit"} <= others


MORE = {
    "clinic.app:app": """
[[operations]]
# JSON Schema has no bounds for spans of time.
include-path-regex = '/practitioners'
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412", "422"]

[[operations]]
# RFC 6585 has a status of its own for it.
include-path-regex = '/appointments'
checks.missing_required_header.expected-statuses = ["400", "401", "403", "428"]

[[operations]]
# Schemathesis sends `If-Match: 0`, which does not fit the pattern, and takes it for valid.
include-path-regex = '/appointments/{id}/(cancel|finish)'
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "412", "422"]
""",
    "/api/v1/openapi.json": """
[[operations]]
# A score was a text then, and became a number: only the author's own `up=int` knows which texts are numbers.
include-path-regex = '/api/v1/people'
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "403", "404", "409", "422"]
""",
}


def fill_the_clinic(folder: Path) -> None:
    """The rows that its policies and references need, in the database of the running server."""
    env = environment(STERNPOST_DATABASE_URL=f"sqlite:///{folder / 'process.sqlite'}")
    command = [sys.executable, "-m", "sternpost", "seed"]
    subprocess.run(command, env=env, capture_output=True, check=True, cwd=ROOT / "examples" / "clinic")


@pytest.mark.parametrize(
    ("application", "description"),
    [
        ("shop.app:app", "/openapi.json"),
        ("tests.support.versioned:app", "/openapi.json"),
        ("tests.support.versioned:app", "/api/v1/openapi.json"),
        ("clinic.app:app", "/openapi.json"),
    ],
    ids=["shop", "newest version", "older version", "clinic"],
)
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_schemathesis_finds_no_contradiction(tmp_path: Path, application: str, description: str) -> None:
    """Every check of schemathesis, over every operation, against a real server."""
    (tmp_path / "schemathesis.toml").write_text(
        (ROOT / "schemathesis.toml").read_text() + (MORE.get(description) or MORE.get(application, ""))
    )
    with serving(application, tmp_path) as server:
        if application == "clinic.app:app":
            fill_the_clinic(tmp_path)
        make = [sys.executable, "-m", "sternpost", "token", "--sub", DORA, "--tenant", CLINIC, "--scope", SCOPES]
        token = subprocess.run(
            make, env=environment(), capture_output=True, text=True, check=True, cwd=tmp_path
        ).stdout.strip()
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            f"http://127.0.0.1:{server.port}{description}",
            "-H",
            f"Authorization: Bearer {token}",
            "--checks",
            "all",
            "--max-examples",
            "25",
            "--seed",
            "20260101",
            "--no-color",
        ]
        env = environment(SCHEMATHESIS_HOOKS="tests.support.schemathesis_hooks")
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=400)
        assert done.returncode == 0, done.stdout[-6000:]
        assert SECRET not in "".join(server.lines)
        assert not [line for line in server.lines if '"level":"error"' in line]
