"""kill -9 of the service under writes, and of the process that reads: each change has its events, and no other has any.

The clients keep a ledger: what was acknowledged, and what was not. In the end it is compared with the rows and with what
the reader has written down.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.outbox.reader import EVENTS
from tests.support.rounds import rounds
from tests.support.server import Process, environment, send, serving

pytestmark = pytest.mark.slow

V1 = "/api/v1/entries"
CLIENTS = 6
LIFE_SECONDS = (0.2, 0.8)
"""How long after another a process is killed, at least and at most."""

SETTLE_SECONDS = 20
"""How long the reader may take to come to its next event in the end."""

AMOUNT_MAX = 9
"""Changes of a row before it is closed."""


@dataclass
class Ledger:
    """What clients know. A row whose creation was not answered is known by its key alone."""

    created: dict[str, str] = field(default_factory=dict[str, str])
    """By key the ids of rows whose creation was acknowledged."""
    amounts: Counter[str] = field(default_factory=Counter[str])
    """By id the amount that was acknowledged last: it counts the changes."""
    closed: set[str] = field(default_factory=set[str])
    unknown: int = 0


class _NotNow(Exception):
    """The service was too busy for a call."""


class Client(threading.Thread):
    """Makes rows, changes each some times, and closes it; begins with another one where it gets no answer."""

    def __init__(self, number: int, ledger: Ledger, port: list[int], stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self.number, self.ledger, self.port, self.stop = number, ledger, port, stop
        self.wrong: list[str] = []
        self.made = 0

    def run(self) -> None:
        while not self.stop.is_set():
            port = self.port[0]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                while not self.stop.is_set():
                    with suppress(_NotNow):
                        self._row(connection)
            except (OSError, http.client.HTTPException):
                self.ledger.unknown += 1
                while self.port[0] == port and not self.stop.is_set():
                    time.sleep(0.005)
            finally:
                connection.close()

    def _row(self, connection: http.client.HTTPConnection) -> None:
        self.made += 1
        key = f"{self.number}-{self.made}"
        row = self._ask(connection, "POST", V1, {"key": key}, 201)
        self.ledger.created[key] = row["id"]
        for amount in range(1, random.randint(1, AMOUNT_MAX) + 1):
            self._ask(connection, "PATCH", f"{V1}/{row['id']}", {"amount": amount}, 200)
            self.ledger.amounts[row["id"]] = amount
        self._ask(connection, "POST", f"{V1}/{row['id']}/close", None, 200)
        self.ledger.closed.add(row["id"])

    def _ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: Any, expected: int) -> Any:
        status, answer = send(connection, method, path, body)
        if status == 503:  # it was not carried out, and says so
            raise _NotNow
        if status != expected:
            self.wrong.append(f"{method} {path}: {status} {answer}")
            raise http.client.HTTPException
        return answer["data"]


@contextmanager
def reading(url: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process that reads, from its first moment on."""
    command = [sys.executable, "-m", "tests.outbox.reader", url, str(folder)]
    with subprocess.Popen(command, env=environment(), cwd=folder, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_reading(reader: subprocess.Popen[bytes]) -> None:
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"reading\n"


def written_down(folder: Path, kills: int) -> list[tuple[str, str, str]]:
    """The events that were read, each as often as it was."""
    found, cut = list[tuple[str, str, str]](), 0
    for line in (folder / EVENTS).read_text("utf-8").splitlines():
        try:
            if line:
                found.append(tuple(json.loads(line)))
        except json.JSONDecodeError:
            cut += 1
    assert cut <= kills
    return found


def rows_of(server: Process) -> dict[str, dict[str, Any]]:
    """All rows, by id."""
    found, cursor = dict[str, dict[str, Any]](), ""
    while cursor is not None:
        status, answer = server.request("GET", f"{V1}?pageSize=100&cursor={cursor}")
        assert status == 200, answer
        found.update({row["id"]: row for row in answer["data"]})
        cursor = answer["meta"]["nextCursor"]
    return found


def problems(ledger: Ledger, rows: dict[str, dict[str, Any]], read: list[tuple[str, str, str]]) -> list[str]:
    """What does not fit together."""
    first = dict.fromkeys(read)
    assert len({event_id for event_id, _, _ in first}) == len(first), "an id stands for one event"
    told: dict[str, list[str]] = defaultdict(list)
    for _, name, row_id in first:
        told[row_id].append(name)
    found = [f"acknowledged, and not there: {row_id}" for row_id in ledger.created.values() if row_id not in rows]
    found += [f"told of a row that is not there: {row_id}" for row_id in told if row_id not in rows]
    for row_id, row in rows.items():
        amount, is_closed = row["amount"], row["state"] == "closed"
        if amount < ledger.amounts[row_id] or (row_id in ledger.closed and not is_closed):
            found.append(f"an acknowledged change is lost: {row}")
        expected = ["entry.created", "entry.counted", *["entry.updated"] * amount, *["entry.closed"] * is_closed]
        if told[row_id] != expected:
            found.append(f"{row} has told {told[row_id]}")
    return found


def crashes(app: str, url: str, folder: Path, rounds: int) -> tuple[Ledger, list[str], int]:
    """Serves, kills, and serves again; the ledger, what does not fit, and how many events there were."""
    ledger, port, stop, kills = Ledger(), [0], threading.Event(), 0
    clients = [Client(number, ledger, port, stop) for number in range(CLIENTS)]
    for _ in range(rounds):
        with reading(url, folder) as reader, serving(app, folder, STERNPOST_DATABASE_URL=url) as server:
            port[0] = server.port
            if not clients[0].is_alive():
                for client in clients:
                    client.start()
            wait_for_reading(reader)
            for process in random.sample([reader, server.process], 2):
                time.sleep(random.uniform(*LIFE_SECONDS))
                process.kill()
                kills += 1
    stop.set()
    for client in clients:
        client.join(30)
        assert client.wrong == []
    with serving(app, folder, STERNPOST_DATABASE_URL=url) as server, reading(url, folder):
        rows = rows_of(server)
        known, since = 0, time.monotonic()
        while problems(ledger, rows, read := written_down(folder, kills)) and time.monotonic() < since + SETTLE_SECONDS:
            if len(read) > known:
                known, since = len(read), time.monotonic()
            time.sleep(0.2)
    read = written_down(folder, kills)
    print(
        f"{len(rows)} rows, {len(ledger.created)} acknowledged, {ledger.unknown} calls without an answer, "
        f"{len(set(read))} events, {len(read) - len(set(read))} read again, {kills} kills"
    )
    return ledger, problems(ledger, rows, read), len(set(read))


@pytest.mark.timeout(600)
@rounds(2, 20)
def test_each_change_is_told_once_whatever_is_killed(
    database: str, tmp_path: Path, request: pytest.FixtureRequest, rounds: int
) -> None:
    url = request.getfixturevalue("database_url")
    ledger, wrong, events = crashes("tests.outbox.ledger:app", url, tmp_path, rounds)
    assert wrong == []
    assert len(ledger.created) > 10
    assert events > 50


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_events_that_are_written_after_the_commit_are_found_out(database_url: str, tmp_path: Path) -> None:
    """The control: where a kill comes between a commit and its events, they are lost."""
    _, wrong, _ = crashes("tests.outbox.planted:app", database_url, tmp_path, 2)
    assert any("has told" in each for each in wrong)
