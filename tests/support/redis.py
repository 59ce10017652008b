"""A Redis server of one's own for tests, which they may flush, pause and kill."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from tests.support.postgres import free_port

START_SECONDS = 20


class NoRedis(Exception):
    """There is neither redis-server nor valkey-server."""


class RedisServer:
    """A server that keeps nothing on disk. Use it in a `with` block.

    Raises:
        NoRedis: no binary is installed.
    """

    def __init__(self, *options: str) -> None:
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            raise NoRedis("neither redis-server nor valkey-server is installed")
        self.binary = binary
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="sternpost-redis-"))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no", *self.options]
        self.process = subprocess.Popen(
            [self.binary, *options], cwd=self.folder, stdout=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "redis-server does not start"
            assert self.process.poll() is None, "redis-server has ended"
            time.sleep(0.01)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def command(self, *words: str | bytes) -> bytes:
        """Sends a command, and gives what comes back as it is (RESP)."""
        encoded = [word.encode() if isinstance(word, str) else word for word in words]
        message = b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(message)
            return connection.recv(65536)

    def _answers(self) -> bool:
        try:
            return self.command("PING").startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False
