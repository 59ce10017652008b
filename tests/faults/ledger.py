"""Writers in a process of their own, and the ledger of what they were told.

Each operation is written to the ledger, and that to the disk, before it is sent; then what became of it:

- `ok`: a 2xx.
- `fail`: a 4xx, or what says that nothing was carried out (429, 503 and `TIMEOUT`); or it could not be sent at all.
- `unknown`: anything else, such as a connection that was cut, 500 or `OUTCOME_UNKNOWN`. It may have been carried out.

Operations have a time at which they are to be sent, and their latency counts from then: a server that stands still is
slow for all that would have been sent meanwhile.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

from sternpost.auth.jwt import make_token
from tests.support.server import ROOT, SECRET, environment, wait_until

State = Literal["sending", "ok", "fail", "unknown"]
NOTHING_DONE = {429, 503}
"""Statuses that say that nothing was carried out."""
TOKEN_SECONDS = 24 * 3600


def token(subject: str) -> str:
    now = int(time.time())
    return make_token(SECRET, subject=subject, scopes=[], issued=now, expires=now + TOKEN_SECONDS)


@dataclass(frozen=True)
class Load:
    """What is sent.

    Attributes:
        port: of the service, on loopback.
        seed: of what is drawn; it is part of every operation's id.
        rate: operations in a second, of all clients together.
        clients: how many connections send them.
        keyed: whether each is sent with an Idempotency-Key, and an `unknown` again with it until it is answered.
        looks: whether an `unknown` is looked for among the rows, where nothing is keyed: what is found is `ok`.
        again_seconds: how long an operation is tried again.
        timeout_seconds: how long an answer is waited for.
        count: how many are sent at most.
        waits: whether a client waits for somebody to listen; else nobody at the port is a `fail`.
    """

    port: int
    seed: int
    rate: float = 150.0
    clients: int = 12
    keyed: bool = False
    looks: bool = False
    again_seconds: float = 30.0
    timeout_seconds: float = 15.0
    count: int = 1_000_000
    waits: bool = True


@dataclass
class Entry:
    """One operation of a ledger, as far as it is known."""

    op: str
    kind: str
    state: State = "sending"
    tries: int = 0
    status: int = 0
    code: str = ""
    late_ms: float = 0.0
    """From the time at which it was to be sent until the first answer, or the first failure."""
    answered: float = 0.0
    """When that was, by the monotonic clock, which all processes share."""


def entries(path: Path) -> dict[str, Entry]:
    """What a ledger says of each operation; the last line of a ledger may be torn, where its writer was killed."""
    found: dict[str, Entry] = {}
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        said: dict[str, Any] = json.loads(line)
        entry = found.setdefault(said["op"], Entry(said["op"], said.get("kind", "")))
        if said["state"] == "sending":
            entry.tries += 1
            if entry.tries == 1 or entry.state == "ok":
                entry.state = "sending"
        else:
            entry.state, entry.status, entry.code = said["state"], said["status"], said.get("code", "")
            entry.late_ms, entry.answered = entry.late_ms or said["ms"], entry.answered or said["t"]
    return found


class Writer:
    """The writers' process, as a test holds it. Use it in a `with` block: that ends it, after its last answers."""

    def __init__(self, load: Load, path: Path) -> None:
        self.load = load
        self.path = path
        self._read = 0
        self._said: dict[str, int] = {"sending": 0, "ok": 0, "fail": 0, "unknown": 0}

    def __enter__(self) -> Writer:
        print(f"{self.load}")  # a run is repeated with its seed
        self.path.touch()
        command = [sys.executable, "-m", "tests.faults.ledger", str(self.path), json.dumps(asdict(self.load))]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment())
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(self.load.again_seconds + self.load.timeout_seconds + 10)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        assert status == 0, f"the writers ended with {status}"

    def said(self, state: State) -> int:
        """How many lines of the ledger say so by now."""
        with self.path.open(encoding="utf-8") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind("\n") + 1]
        self._read += len(whole.encode())
        for line in whole.splitlines():
            self._said[json.loads(line)["state"]] += 1
        return self._said[state]

    def wait_for(self, more: int, state: State = "ok", seconds: float = 30) -> None:
        """Waits until so many more have become so."""
        aim = self.said(state) + more
        wait_until(lambda: self.said(state) >= aim, seconds)


# -- in the writers' process


@dataclass
class _Ledger:
    """The file, written by all clients."""

    file: TextIO
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, **said: Any) -> None:
        """On the disk when it returns."""
        with self.lock:
            self.file.write(json.dumps(said, separators=(",", ":")) + "\n")
            self.file.flush()
            os.fsync(self.file.fileno())


@dataclass
class _Due:
    """Hands out the operations, with the times at which they are to be sent."""

    load: Load
    started: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    next: int = 0

    def take(self) -> tuple[int, float] | None:
        with self.lock:
            number, self.next = self.next, self.next + 1
        return None if number >= self.load.count else (number, self.started + number / self.load.rate)


@dataclass
class _Answer:
    state: State
    status: int = 0
    code: str = ""


class _Client:
    """One connection's operations, one after the other."""

    def __init__(self, load: Load, ledger: _Ledger, due: _Due, stopped: threading.Event) -> None:
        self.load, self.ledger, self.due, self.stopped = load, ledger, due, stopped
        self.connection = http.client.HTTPConnection("127.0.0.1", load.port, timeout=load.timeout_seconds)
        self.authorization = f"Bearer {token('writer')}"

    def run(self) -> None:
        while not self.stopped.is_set() and (taken := self.due.take()) is not None:
            number, at = taken
            if self.stopped.wait(max(at - time.monotonic(), 0)):
                break
            self.carry_out(number, at)
        self.connection.close()

    def carry_out(self, number: int, at: float) -> None:
        drawn = random.Random(self.load.seed * 1_000_003 + number)
        op, kind = f"{self.load.seed}-{number}", drawn.choice(("create", "book"))
        body = {"op": op, "amount": drawn.randint(1, 10_000)}
        end = time.monotonic() + self.load.again_seconds
        possible = False  # whether a try may have been carried out
        while self.connected() or not self.load.waits:
            self.ledger.write(op=op, kind=kind, state="sending")
            answer = self.send(kind, op, body)
            possible = possible or answer.state == "unknown"
            if answer.state == "fail" and possible and not 400 <= answer.status < 429:
                answer.state = "unknown"  # this try was not carried out; an earlier one may have been
            now = round(time.monotonic(), 4)
            late_ms = round((now - at) * 1000, 1)
            said = {"status": answer.status, "code": answer.code, "ms": late_ms, "t": now}
            self.ledger.write(op=op, state=answer.state, **said)
            again = answer.state == "unknown" and self.load.keyed
            if not again or time.monotonic() > end:
                break
            time.sleep(drawn.uniform(0.01, 0.1))
        else:
            return  # stopped while nobody listened
        if answer.state == "unknown" and self.load.looks and self.found(op, end):
            self.ledger.write(op=op, state="ok", **{**said, "code": "FOUND"})

    def connected(self) -> bool:
        """Whether there is a connection, or one could be made before the writers are stopped, or just then: somebody may
        have begun to listen since the last try."""
        is_last = False
        while self.connection.sock is None:
            try:
                self.connection.connect()
            except OSError:
                self.connection.close()
                if is_last or not self.load.waits:
                    return False
                is_last = self.stopped.wait(0.02)
        return True

    def send(self, kind: str, op: str, body: dict[str, Any]) -> _Answer:
        path = "/api/v1/entries" + ("/book" if kind == "book" else "")
        headers = {"content-type": "application/json", "authorization": self.authorization}
        if self.load.keyed:
            headers["idempotency-key"] = f'"{op}"'
        if not self.connected():
            return _Answer("fail", 0, "REFUSED")
        try:
            self.connection.request("POST", path, json.dumps(body), headers)
            response = self.connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            return _Answer("unknown", 0, type(error).__name__)
        status = response.status
        code = "" if status < 400 else code_of(content)
        if status < 300:
            return _Answer("ok", status)
        if status in NOTHING_DONE or code == "TIMEOUT":
            return _Answer("fail", status, code)
        if code == "IDEMPOTENCY_KEY_IN_USE":  # it is under way
            return _Answer("unknown", status, code)
        return _Answer("fail" if status < 500 else "unknown", status, code)

    def found(self, op: str, end: float) -> bool:
        """Looks whether an operation has a row, until the service answers."""
        while time.monotonic() < end:
            try:
                self.connection.request(
                    "GET", f"/api/v1/entries?op={op}", headers={"authorization": self.authorization}
                )
                response = self.connection.getresponse()
                content = response.read()
                if response.status == 200:
                    return bool(json.loads(content)["data"])
            except (OSError, http.client.HTTPException):
                self.connection.close()
            time.sleep(0.05)
        return False


def code_of(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "UNREADABLE"


def main(path: str, load: Load) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with Path(path).open("a", encoding="utf-8") as file:
        ledger, due = _Ledger(file), _Due(load, time.monotonic())
        threads = [
            threading.Thread(target=_Client(load, ledger, due, stopped).run, name=f"writer-{number}")
            for number in range(load.clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main(sys.argv[1], Load(**json.loads(sys.argv[2])))
