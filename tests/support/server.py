"""A real server process for tests, and plain HTTP to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.forks import Forked, start

ROOT = Path(__file__).parents[2]
IMPORTED = (".", "examples/shop", "examples/chinook", "examples/clinic/src")
SECRET = "process-tests-8c1f0e7d2b6a4953c1e0d7f2"
START_SECONDS = 30
STOP_SECONDS = 40


@dataclass
class Process:
    """`sternpost serve` or another command that serves, with what it printed so far."""

    process: subprocess.Popen[bytes] | Forked
    lines: list[str] = field(default_factory=list)
    port: int = 0
    reader: threading.Thread | None = None
    """Ends with the last line."""

    def wait_for(self, pattern: str, seconds: float = START_SECONDS) -> re.Match[str]:
        """Waits until a printed line matches."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if found := re.search(pattern, line):
                    return found
            if self.process.poll() is not None:
                self.process.wait()
                if self.reader is not None:
                    self.reader.join(max(deadline - time.monotonic(), 0))  # it may still have a last line
                for line in list(self.lines):
                    if found := re.search(pattern, line):
                        return found
                break
            time.sleep(0.01)
        raise AssertionError(f"no line matched {pattern!r} in:\n" + "\n".join(self.lines))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it by a signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)

    def request(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            return send(connection, method, path, body, token)
        finally:
            connection.close()


def send(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, token: str | None = None
) -> tuple[int, Any]:
    headers = {"content-type": "application/json"} if body is not None else {}
    if token:
        headers["authorization"] = f"Bearer {token}"
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    content = response.read()
    return response.status, json.loads(content) if content else None


def told_to_go(answer: tuple[int, Any]) -> bool:
    """Whether a request was ended because the service is stopped, and its client told that nothing of it was kept."""
    status, body = answer
    return (status, body["error"]["code"]) == (503, "UNAVAILABLE") and "is being stopped" in body["error"]["message"]


def answers(port: int) -> bool:
    """Whether a service of ours answers at a port of this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        return send(connection, "GET", "/health")[0] == 200
    except (OSError, http.client.HTTPException, json.JSONDecodeError):
        return False
    finally:
        connection.close()


def environment(**more: str) -> dict[str, str]:
    """The process's environment without settings of whoever runs the tests, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STERNPOST_")}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in IMPORTED),
        "STERNPOST_JWT_SECRET": SECRET,
        **more,
    }


@contextmanager
def running(
    arguments: list[str],
    env: Mapping[str, str],
    cwd: Path,
    ready: str = r'"message":"Ready".*"port":(\d+)',
    seconds: float = START_SECONDS,
    *,
    fresh: bool = False,
) -> Iterator[Process]:
    """Starts `python <arguments>` and waits until it says that it is ready.

    Args:
        fresh: started anew in any case, not forked from a process that has the libraries already.
    """
    process: subprocess.Popen[bytes] | Forked
    fresh = fresh or "LD_PRELOAD" in env  # which takes effect where a program is started
    if arguments[:2] == ["-m", "sternpost"] and not fresh:
        reading, writing = os.pipe()
        stdout = os.fdopen(reading, "rb")
        try:
            process = start(arguments[2:], cwd, env, writing, writing, stdout=stdout)
        finally:
            os.close(writing)
    else:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=cwd, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    started = Process(process)

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            started.lines.append(line.decode(errors="replace").rstrip())

    thread = started.reader = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        started.port = int(started.wait_for(ready, seconds).group(1))
        yield started
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(STOP_SECONDS)
        thread.join(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()


def wait_until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Waits for what is no event that one could wait for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler of its own for a signal."""
    return _is_in("SigCgt", pid, number)


def pending(pid: int, number: signal.Signals) -> bool:
    """Whether a process has not yet noticed a signal that it was sent."""
    return _is_in("ShdPnd", pid, number) or _is_in("SigPnd", pid, number)


def _is_in(mask: str, pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(rf"^{mask}:\s*([0-9a-f]+)$", status, re.MULTILINE)
    assert found is not None
    return bool(int(found[1], 16) >> (number - 1) & 1)


def serving(app: str, folder: Path, *options: str, fresh: bool = False, **env: str) -> Any:
    """`sternpost serve` with a SQLite file in `folder`, on a free port; `fresh` as with `running`."""
    settings = {"STERNPOST_DATABASE_URL": f"sqlite:///{folder / 'process.sqlite'}", "STERNPOST_PORT": "0", **env}
    command = ["-m", "sternpost", "serve", app, "--create-schema", *options]
    return running(command, environment(**settings), folder, fresh=fresh)
