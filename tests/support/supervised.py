"""`sternpost serve --workers N` for tests: a service whose start they can break, and what its log and /proc tell."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.server import Process, environment, running

SERVICE = '''
"""A service whose start a test can break."""
import os, sys, time
from pathlib import Path
from sternpost import Browse, Context, Contract, Create, Custom, Payload, Resource, Sternpost, field, implements, public

VERSION = "one"
if Path("broken").exists() and "worker" in sys.argv:
    sys.exit("it is broken")
while Path("hanging").exists() and "worker" in sys.argv:
    Path("hangs").touch()
    time.sleep(0.05)

class Who(Payload):
    """Who answers."""
    pid: int
    version: str

class Note(Resource, prefix="not"):
    """Something written down."""
    text: str = field(max_length=40)
    browse = Browse(allow=public)
    create = Create(allow=public)
    who = Custom(on="collection", output=Who, allow=public)
    wait = Custom(on="collection", output=Who, allow=public)
    hang = Custom(on="collection", output=Who, allow=public)

@implements(Note.who)
async def who(ctx: Context) -> Who:
    return Who(pid=os.getpid(), version=VERSION)

@implements(Note.wait)
async def wait(ctx: Context) -> Who:
    import asyncio
    Path("entered").touch()
    while not Path("release").exists():
        await asyncio.sleep(0.01)
    return Who(pid=os.getpid(), version=VERSION)

@implements(Note.hang)
async def hang(ctx: Context) -> Who:
    while True:  # nothing else in this process goes on
        time.sleep(0.1)

app = Sternpost(Contract("notes", resources=[Note]), services=[who, wait, hang])
'''
SUPERVISOR_READY = r'"message":"Workers are ready".*"port":(\d+)'


@contextlib.contextmanager
def supervised(folder: Path, *options: str, workers: int = 2, **env: str) -> Iterator[Process]:
    (folder / "notes.py").write_text(SERVICE, encoding="utf-8")
    settings = {
        "STERNPOST_DATABASE_URL": f"sqlite:///{folder / 'notes.sqlite'}",
        "STERNPOST_PORT": "0",
        "PYTHONDONTWRITEBYTECODE": "1",  # a test changes the module within the second that a cached file is trusted for
        **env,
    }
    command = ["-m", "sternpost", "serve", "notes:app", "--create-schema", "--workers", str(workers), *options]
    with running(command, environment(**settings), folder, SUPERVISOR_READY) as server:
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.process.terminate()
                server.process.wait(20)


def lines(server: Process, message: str) -> list[dict[str, Any]]:
    return [
        found for line in list(server.lines) if line[:1] == "{" and (found := json.loads(line))["message"] == message
    ]


def wait_for_lines(server: Process, message: str, count: int, seconds: float = 40) -> list[dict[str, Any]]:
    deadline = time.monotonic() + seconds
    while len(found := lines(server, message)) < count:
        assert time.monotonic() < deadline, f"{message!r} came {len(found)} times in:\n" + "\n".join(server.lines)
        time.sleep(0.02)
    return found


def pids(server: Process) -> dict[int, int]:
    """The process of each worker."""
    return {line["worker"]: line["pid"] for line in lines(server, "Worker started")}


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked for its status does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children(pid: int) -> set[int]:
    """The processes that a process has started and that still run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return {int(child) for child in found if alive(int(child))}


def who(server: Process) -> dict[str, Any]:
    return server.request("POST", "/api/v1/notes/who")[1]["data"]
