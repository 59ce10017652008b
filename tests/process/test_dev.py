"""`sternpost dev` as a person has it: a real process at a terminal, a contract that changes, rows that stay."""

from __future__ import annotations

import http.client
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.process.test_new_project import clean_environment, free_port
from tests.support.server import wait_until

SECONDS = 60

CONTRACT = """
from __future__ import annotations

from typing import Literal

from sternpost import Browse, Contract, Create, Read, Resource, field, public


class Lamp(Resource, prefix="lmp"):
    place: str = field(max_length=100)
    watts: int = field(default=40)

    browse = Browse(allow=public)
    create = Create(allow=public)


contract = Contract("lamps", resources=[Lamp])
"""
APP = "from sternpost import Sternpost\nfrom contract import contract\n\napp = Sternpost(contract)\n"
PROJECT = '[tool.sternpost]\napp = "app:app"\ndata = "data.py"\nmigrations = "migrations"\n'
COLOR = "    color: str | None = field(default=None, max_length=20)\n"


class Dev:
    """`sternpost dev` and what it has printed. With `terminal` it can be answered."""

    def __init__(self, folder: Path, url: str, *options: str, terminal: bool = True) -> None:
        self.folder = folder
        self.port = free_port()
        self.text = ""
        self._seen = 0
        self._terminal, other = pty.openpty()
        environment = clean_environment(
            STERNPOST_DATABASE_URL=url, STERNPOST_LOG_LEVEL="error", NO_COLOR="1", COLUMNS="200", TERM="dumb"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sternpost", "dev", "--port", str(self.port), *options],
            cwd=folder,
            env=environment,
            stdin=other if terminal else subprocess.DEVNULL,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._terminal, 65536):
                self.text += chunk.decode(errors="replace").replace("\r\n", "\n")
        except OSError:  # the other side is closed
            pass

    def wait_for(self, pattern: str) -> None:
        """Waits until something is printed behind what was waited for before."""

        def found() -> bool:
            match = re.search(pattern, self.text[self._seen :])
            if match is not None:
                self._seen += match.end()
            return match is not None

        try:
            wait_until(found, SECONDS)
        except AssertionError:
            raise AssertionError(f"{pattern!r} is not in:\n{self.text[self._seen :]}\n--- of:\n{self.text}") from None

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            headers = {"content-type": "application/json"} if body is not None else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except OSError:
            return 0, None
        finally:
            connection.close()

    def lamps(self) -> list[dict[str, Any]]:
        return self.request("GET", "/api/v1/lamps")[1]["data"]

    def ready(self) -> bool:
        return self.request("GET", "/health/ready")[0] == 200

    def serves(self, field: str) -> bool:
        """Whether the version that is served has a field."""
        status, described = self.request("GET", "/openapi.json")
        return status == 200 and field in described["components"]["schemas"]["Lamp"]["properties"]

    def save(self, old: str, new: str) -> None:
        path = self.folder / "contract.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@contextmanager
def developing(folder: Path, url: str, *options: str, terminal: bool = True) -> Iterator[Dev]:
    for name, text in (("contract.py", CONTRACT), ("app.py", APP), ("pyproject.toml", PROJECT)):
        if not (folder / name).exists():
            (folder / name).write_text(text)
    dev = Dev(folder, url, *options, terminal=terminal)
    try:
        yield dev
        dev.process.send_signal(signal.SIGINT)
        assert dev.process.wait(SECONDS) == 0
    finally:
        if dev.process.poll() is None:
            os.killpg(dev.process.pid, signal.SIGKILL)
            dev.process.wait()
        dev._reader.join(10)
        os.close(dev._terminal)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.mark.slow
def test_a_change_is_offered_applied_after_a_yes_and_keeps_the_rows(folder: Path, database_url: str) -> None:
    with developing(folder, database_url) as dev:
        dev.wait_for("wrote data.py")
        wait_until(dev.ready, SECONDS)
        assert dev.request("POST", "/api/v1/lamps", {"place": "hall"})[0] == 201

        dev.save("watts: int = field(default=40)\n", "watts: int = field(default=40)\n" + COLOR)
        dev.wait_for("wrote data.py")
        dev.wait_for(r"The database has to be migrated:\n  .*color")
        dev.wait_for(r"Apply it\? \[y/N\]")
        assert not dev.serves("color"), "the last good version is served while the question is open"
        assert len(dev.lamps()) == 1
        assert "color" in (folder / "data.py").read_text()

        dev.type("n\n")
        dev.wait_for("not applied; .* the last good version is still served")
        assert not (folder / "migrations").exists()
        dev.type("\n")
        dev.wait_for(r"Apply it\? \[y/N\]")
        dev.type("y\n")
        dev.wait_for("changed: restarting")
        wait_until(lambda: dev.serves("color"), SECONDS)
        assert [(lamp["place"], lamp["color"]) for lamp in dev.lamps()] == [("hall", None)]
        names = sorted(path.stem for path in (folder / "migrations").glob("*.py"))
        assert names[0] == "0001_create_the_schema"
        assert len(names) == 2

        # a mistake: it is shown, and the last good version stays
        dev.save("max_length=20", "max_length=-20")
        dev.wait_for("The contract has 1 mistake")
        dev.wait_for("waiting for the next save; the last good version is still served")
        assert dev.serves("color")

        # a second change, now from the history; a rename is asked for, and a save withdraws the question
        dev.save("max_length=-20", "max_length=20")
        dev.wait_for("changed: restarting")
        wait_until(dev.ready, SECONDS)
        dev.save("place: str", "room: str")
        dev.wait_for(r"lamps.place is no longer in the contract")
        dev.wait_for("Number:")
        dev.save("room: str", "spot: str")
        dev.wait_for("the question is withdrawn")
        dev.wait_for(r"1  .*spot")
        dev.type("1\n")
        dev.wait_for(r"Apply it\? \[y/N\]")
        dev.type("yes\n")
        dev.wait_for("changed: restarting")
        wait_until(lambda: dev.serves("spot"), SECONDS)
        assert [lamp["spot"] for lamp in dev.lamps()] == ["hall"]

        # what destroys data needs the whole word
        dev.save(COLOR, "")
        dev.wait_for("destroys")
        dev.wait_for("Write yes in full")
        dev.type("y\n")
        dev.wait_for("not applied")
        assert dev.serves("color")


@pytest.mark.slow
def test_with_yes_nothing_is_asked_and_nothing_is_destroyed(folder: Path, database_url: str) -> None:
    with developing(folder, database_url, "--yes") as dev:
        wait_until(dev.ready, SECONDS)
        assert dev.request("POST", "/api/v1/lamps", {"place": "hall"})[0] == 201
        dev.save("watts: int = field(default=40)\n", "watts: int = field(default=40)\n" + COLOR)
        wait_until(lambda: dev.serves("color"), SECONDS)
        assert [lamp["place"] for lamp in dev.lamps()] == ["hall"]
        dev.save(COLOR, "")
        dev.wait_for("--yes does not destroy data: give --allow-destructive, too")
        assert dev.serves("color")
        migrations = sorted((folder / "migrations").glob("*.py"))
        assert len(migrations) == 2
    with developing(folder, database_url, "--yes", "--allow-destructive") as dev:
        wait_until(dev.ready, SECONDS)
        assert not dev.serves("color")
        assert [lamp["place"] for lamp in dev.lamps()] == ["hall"]


def test_without_a_terminal_it_says_what_to_run(folder: Path, tmp_path: Path) -> None:
    with developing(folder, f"sqlite:///{tmp_path / 'dev.sqlite'}", terminal=False) as dev:
        wait_until(dev.ready, SECONDS)
        dev.save("watts: int = field(default=40)\n", "watts: int = field(default=40)\n" + COLOR)
        dev.wait_for("run sternpost migrate plan and sternpost migrate apply, or sternpost dev --yes")
        dev.wait_for("the last good version is still served")
        assert dev.ready()
        assert not dev.serves("color")


def test_a_value_that_only_the_author_knows_is_asked_for(folder: Path, tmp_path: Path) -> None:
    with developing(folder, f"sqlite:///{tmp_path / 'dev.sqlite'}", "--yes") as dev:
        wait_until(dev.ready, SECONDS)
        dev.save(
            "watts: int = field(default=40)\n", "watts: int = field(default=40)\n    maker: str = field(max_length=9)\n"
        )
        dev.wait_for("maker")
        dev.wait_for("give the field a default, or run migrate plan; the last good version is still served")
        assert dev.ready()


def test_in_production_it_does_not_start(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(PROJECT)
    done = subprocess.run(
        [sys.executable, "-m", "sternpost", "dev"],
        cwd=folder,
        env=clean_environment(STERNPOST_ENV="production"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "use serve" in done.stderr
