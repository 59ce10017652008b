"""What a service tells at its start of what it was given is told once, however many workers it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import environment, running, serving
from tests.support.supervised import SUPERVISOR_READY


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_tells_it_once(tmp_path: Path, workers: str) -> None:
    more = {"STERNPOST_WORKRES": "3", "STERNPOST_OPS_TOKEN": "short", "STERNPOST_OPS_PORT": "0"}
    with serving_with(tmp_path, workers, more) as server:
        assert server.stop() == 0
        found = [json.loads(line) for line in server.lines if '"level":"warning"' in line]
    assert [line.get("variables", line.get("variable")) for line in found] == [
        {"STERNPOST_WORKRES": "STERNPOST_WORKERS"},
        "STERNPOST_OPS_TOKEN",
    ]


def serving_with(folder: Path, workers: str, more: dict[str, str]) -> Any:
    app = "tests.process.edge_service:app"
    if workers == "1":
        return serving(app, folder, **more)
    database = {"STERNPOST_DATABASE_URL": f"sqlite:///{folder / 'notes.sqlite'}", "STERNPOST_PORT": "0"}
    command = ["-m", "sternpost", "serve", app, "--create-schema", "--workers", workers]
    return running(command, environment(**database, **more), folder, SUPERVISOR_READY)
