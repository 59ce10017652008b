"""An application, served to be tried: a process of its own with an empty database, which both go away."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import itertools
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sternpost.auth.jwt import make_token
from sternpost.errors import StartupError

START_SECONDS = 60.0
STOP_SECONDS = 40.0
ANSWER_SECONDS = 30.0
ANSWER_BYTES_MAX = 4 * 2**20
LINES_KEPT = 20_000
FOLLOW_SECONDS = 0.02

DATABASE_VARIABLE = "STERNPOST_TEST_DATABASE_URL"
"""Beside which database of PostgreSQL a scratch one is made; without it, it is a file of SQLite."""

_UNSET = ("JWT_JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE", "ROOT_PATH", "WORKERS", "TLS_CERTIFICATE_PATH", "TLS_KEY_PATH")
"""Settings that would keep such tokens and requests out. A variable that is empty hides that of `.env`."""

_READY = re.compile(r'"message":"Ready"')


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """Has the kernel end the service where whoever tries it is killed, and cannot (Linux, prctl(2))."""
    with contextlib.suppress(AttributeError):
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


class ServiceFailed(StartupError):
    """The service does not start, or has ended by itself."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the service.

    Attributes:
        headers: by name in small letters.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def data(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None

    @property
    def error(self) -> Mapping[str, Any]:
        """What it says of its error; empty where it says nothing."""
        data: Any = self.data
        found = cast("dict[str, Any]", data).get("error") if isinstance(data, dict) else None
        return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


class ScratchService:
    """`sternpost serve` in development mode, with tokens that whoever tries it can make.

    Every request comes from another address, as behind a proxy, so that limits by address refuse none.

    Args:
        root: the project's folder, where it is started.
        name: of the application, as module:attribute.
        log: the file that it prints to, where its lines are not looked at while it runs.
        more: further variables of its environment.
    """

    def __init__(self, root: Path, name: str, *, log: Path | None = None, **more: str) -> None:
        self.root = root
        self.name = name
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.port = 0
        self._log = log
        self._more = more
        self._secret = secrets.token_hex(32)
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = contextlib.ExitStack()

    def start(self) -> None:
        """Starts it, and waits until it is ready. Raises `ServiceFailed` with what it printed last."""
        folder = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="sternpost-gate-")))
        environment = {**os.environ, **{f"STERNPOST_{name}": "" for name in _UNSET}, **self._settings(folder)}
        command = [sys.executable, "-m", "sternpost", "serve", self.name, "--create-schema", "--port", "0"]
        output = None if self._log is None else self._closing.enter_context(self._log.open("wb"))
        process = self._process = subprocess.Popen(  # noqa: S603  (this very interpreter)
            command,
            cwd=self.root,
            env=environment,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509  (one call of the system, of a library that is loaded by then)
        )
        ready = threading.Event()
        lines = process.stdout if self._log is None else self._followed(self._log, process)
        assert lines is not None, "it was asked for"
        reader = threading.Thread(target=self._read, args=(lines, ready), daemon=True)
        reader.start()
        self._closing.callback(self._end, process, reader)
        if not ready.wait(START_SECONDS) or self.port == 0:
            said = self._last_line()
            self.close()
            raise ServiceFailed(f"The service does not start: {said or 'it prints nothing'}")

    def close(self) -> None:
        """Stops it, and removes its database."""
        self._closing.close()
        self._process = None

    def token(self, subject: str, scopes: Sequence[str] = (), *, tenant: str | None = None, seconds: int = 600) -> str:
        """A token that the service accepts; one that has expired, where `seconds` is negative."""
        now = int(time.time())
        claim = None if tenant is None else ("tenant", tenant)
        return make_token(
            self._secret, subject=subject, scopes=[*scopes], issued=now - 3600, expires=now + seconds, tenant=claim
        )

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request on a connection of its own. Raises `ServiceFailed` where it is not answered."""
        sent = {"x-forwarded-for": self._address(), **(headers or {})}
        if body is not None:
            content = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read(ANSWER_BYTES_MAX))
        except (OSError, http.client.HTTPException) as error:
            said = "" if self.is_running else f"; it has ended: {self._last_line()}"
            raise ServiceFailed(f"{method} {path[:200]} is not answered: {type(error).__name__}{said}") from error
        finally:
            connection.close()

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def log(self) -> Iterator[dict[str, Any]]:
        """Its log lines so far, those that are JSON."""
        for line in list(self.lines):
            with contextlib.suppress(ValueError):
                read = json.loads(line)
                if isinstance(read, dict):
                    yield read

    def _settings(self, folder: Path) -> dict[str, str]:
        return {
            "STERNPOST_ENV": "development",
            "STERNPOST_HOST": "127.0.0.1",
            "STERNPOST_DATABASE_URL": self._database(folder),
            "STERNPOST_REPLICA_URLS": "",
            "STERNPOST_JWT_SECRET": self._secret,
            "STERNPOST_JWT_TENANT_CLAIM": "tenant",
            "STERNPOST_TRUSTED_PROXIES": "127.0.0.1",
            "STERNPOST_PROXY_HEADERS": "x-forwarded-for",
            "STERNPOST_LOG_LEVEL": "info",
            "STERNPOST_LOG_REPEATS_A_SECOND": "0",
            "STERNPOST_OPS_PORT": "0",
            "OTEL_SDK_DISABLED": "true",
            **self._more,
        }

    def _database(self, folder: Path) -> str:
        server = os.environ.get(DATABASE_VARIABLE, "")
        if not server.startswith("postgres"):
            return f"sqlite:///{folder / 'gate.sqlite'}"
        from sternpost.storage.postgresql.server import copy_database, drop_databases

        name = f"sternpost_gate_{secrets.token_hex(6)}"
        url = copy_database(server, name)
        self._closing.callback(drop_databases, server, name)
        return url

    def _address(self) -> str:
        number = next(self._numbers)
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def _followed(self, log: Path, process: subprocess.Popen[bytes]) -> Iterator[bytes]:
        """The lines of a file until it is known where the service listens: nobody reads along while it is measured."""
        with log.open("rb") as opened:
            while self.port == 0:
                line = opened.readline()
                if line.endswith(b"\n"):
                    yield line
                elif process.poll() is not None:
                    yield line + opened.read()
                    return
                else:
                    time.sleep(FOLLOW_SECONDS)

    def _read(self, lines: Iterable[bytes], ready: threading.Event) -> None:
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip()
            self.lines.append(text)
            if self.port == 0 and _READY.search(text):
                with contextlib.suppress(ValueError, KeyError):
                    self.port = int(json.loads(text)["port"])
                    ready.set()
        ready.set()  # it has ended

    def _last_line(self) -> str:
        """The last line that says something, of an error before any other."""
        said = [line for line in self.lines if line.strip()]
        errors = [line for line in said if '"level":"error"' in line or line.startswith(("sternpost:", "Error"))]
        return (errors or said or [""])[-1][:500]

    def _end(self, process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        reader.join(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
