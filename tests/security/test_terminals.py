"""Nothing that others have written reaches an operator's terminal as a command, by any command or log line."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from sternpost import Contract, Read, Resource, Settings, Sternpost, public
from sternpost.cli.main import main
from sternpost.telemetry.events import CutOff, DependencyUnhealthy
from sternpost.telemetry.log import Log
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.commands import Shell


class Thing(Resource, prefix="thi"):
    """Something."""

    name: str

    read = Read(allow=public)


CLI = Path(__file__).parents[2] / "src" / "sternpost" / "cli"
HOSTILE = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202etxt.exe\u2066\u200f\x7f[red]x[/red]:smile:\nforged line\r"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
COLOR = re.compile(r"\x1b\[[0-9;]*m")

SERVICE = f'''
from __future__ import annotations

import asyncio

from sternpost import *
from sternpost import Sternpost
from sternpost.auth.api_keys import make_key
from sternpost.clock import SystemClock

HOSTILE = {HOSTILE!r}


class Note(Resource, prefix="not", audit=True):
    """Notes."""

    text: str = field(filter=True)
    extra: str = field(default="")

    browse = Browse(allow=public, summary=HOSTILE)
    create = Create(allow=public)


app = Sternpost(Contract("notes", resources=[Note], api_keys=True))


async def fill() -> None:
    async with app.data(actor=HOSTILE) as db:
        await db.table(Note).create({{"text": HOSTILE, "extra": "x"}})
    running = await app.start()
    key, stored = make_key(HOSTILE, HOSTILE, (HOSTILE,), id="key_1", now=SystemClock().now(), tenant=HOSTILE)
    await running.runtime.storage.keys().add(stored)
    await app.stop()


if __name__ == "__main__":
    asyncio.run(fill())
'''


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A service whose database, contract and migrations hold what a terminal obeys."""
    return filled(tmp_path_factory.mktemp("hostile"), "sqlite:///notes.sqlite")


def filled(folder: Path, database_url: str) -> Shell:
    (folder / "notes.py").write_text(SERVICE, encoding="utf-8")
    (folder / "pyproject.toml").write_text('[tool.sternpost]\napp = "notes:app"\n')
    shell = Shell(folder, database_url)
    planned = shell("migrate", "plan", "-m", "evil")
    assert planned.returncode == 0, planned.stderr
    assert shell("migrate", "apply").returncode == 0
    done = subprocess.run(
        [sys.executable, "notes.py"], cwd=folder, env=shell.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for path in (folder / "migrations").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "evil" in text
        path.write_text(text.replace("evil", "evil\x9b2J\u202e"), encoding="utf-8")
    return shell


COMMANDS = [
    ("audit", "show"),
    ("audit", "show", "--json"),
    ("apikey", "list"),
    ("apikey", "list", "--json"),
    ("apikey", "revoke", HOSTILE.replace("\n", "")),
    ("contract", "explain"),
    ("contract", "explain", "notes.browse"),
    ("contract", "explain", HOSTILE),
    ("contract", "check"),
    ("contract", "check", f"{HOSTILE}:app"),
    ("contract", "emit", "--only", "openapi.json"),
    ("contract", "emit", "--only", "plan.json"),
    ("contract", "emit", "--only", HOSTILE),
    ("contract", "emit", "--out", "\x1b[2Jout"),
    ("contract", "diff", HOSTILE),
    ("contract", "infer", f"sqlite:///{HOSTILE}"),
    ("migrate", "status"),
    ("migrate", "plan", "--empty", "--dry-run", "-m", HOSTILE),
    ("migrate", "down", "--to", HOSTILE),
    ("migrate", "verify", "--database", HOSTILE),
    ("new", HOSTILE),
    ("token", "--sub", HOSTILE),
    ("token", "--sub", "x", "--seconds", "\x1b[2J"),
    ("\x1b[2J\u202e",),
    ("--\x1b[2J\u202e",),
]


@pytest.fixture
def called(
    service: Shell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[tuple[str, ...]], str]:
    """Runs a command in this process, which is faster; gives what it printed."""
    monkeypatch.chdir(service.folder)
    monkeypatch.setenv("STERNPOST_DATABASE_URL", service.environment["STERNPOST_DATABASE_URL"])
    monkeypatch.setattr(sys, "path", [str(service.folder), *sys.path])

    def call(command: tuple[str, ...]) -> str:
        for name in ("stdout", "stderr", "excepthook"):
            monkeypatch.setattr(sys, name, getattr(sys, name))  # put back at the end
        monkeypatch.setattr(sys, "argv", ["sternpost", *command])
        monkeypatch.delitem(sys.modules, "notes", raising=False)
        with suppress(SystemExit):
            main()
        return "".join(capsys.readouterr())

    return call


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: ascii(" ".join(command))[:40])
def test_no_command_prints_what_a_terminal_obeys(
    called: Callable[[tuple[str, ...]], str], command: tuple[str, ...]
) -> None:
    printed = called(command)
    assert printed
    assert OBEYED.findall(printed) == []


@pytest.mark.parametrize("command", [("audit", "show"), ("migrate", "status"), ("--\x1b[2J\u202e",)], ids=ascii)
def test_a_terminal_with_colors_gets_colors_alone(service: Shell, command: tuple[str, ...]) -> None:
    printed = service.in_terminal(*command, colors=True).replace("\r\n", "\n")
    assert COLOR.search(printed)
    assert OBEYED.findall(COLOR.sub("", printed)) == []


def test_values_are_shown_as_they_are(tmp_path: Path, database_url: str) -> None:
    service = filled(tmp_path, database_url)
    trail = service("audit", "show").stdout
    assert r"\x1b[2J\x1b]0;owned\x07\x9b31m\u202etxt.exe" in trail
    listed = service("apikey", "list").stdout
    assert r"[red]x[/red]:smile:\x0aforged line\x0d" in listed, "no markup, no emoji, no second line"
    line = service("audit", "show", "--json").stdout
    assert orjson.loads(line)["after"]["text"] == HOSTILE


def test_a_traceback_is_visible(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(f"raise RuntimeError({HOSTILE!r})\n", encoding="utf-8")
    shell = Shell(tmp_path, "sqlite:///x.sqlite")
    piped = shell("contract", "check", "broken:app")
    assert r"\x1b[2J" in piped.stderr
    assert OBEYED.findall(piped.stdout + piped.stderr) == []


async def test_log_lines_are_visible(make_settings: Callable[..., Settings], log_lines: LogLines) -> None:
    app = Sternpost(Contract("things", resources=[Thing]), settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        await client.get("/api/v1/things/\x9b\u202e\x7f", headers={"traceparent": "\x9b"})
    log = Log("x", app.clock, write=log_lines)
    log.told(CutOff(running=[HOSTILE]), None)
    log.told(DependencyUnhealthy(check=HOSTILE, reason=HOSTILE), None)
    lines = [line.decode() for line in log_lines.raw]
    assert any(r"\u009b" in line for line in lines)
    assert [OBEYED.findall(line) for line in lines] == [[] for _ in lines]
    assert all(line.count("\n") == 1 for line in lines)
    assert orjson.loads(lines[-1])["reason"] == HOSTILE


def test_commands_print_by_one_module_alone() -> None:
    """Whatever prints past `output.py` would print what others have written."""
    past: list[str] = []
    for path in sorted(CLI.glob("*.py")):
        if path.name == "output.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if name in {"print", "Console", "typer.echo", "typer.secho"} or re.search(r"std(out|err)\b.*write", name):
                past.append(f"{path.name}:{node.lineno} {name}")  # type: ignore[attr-defined]
    assert past == []
