"""Rotel, a collector of OpenTelemetry by others, between a service and a receiver of ours. Its wheels are for CPython 3.10
to 3.13 on Linux."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.postgres import free_port
from tests.support.server import wait_until


class NoRotel(Exception):
    """It is not installed here; the message says why."""


@contextmanager
def collector(receiver: str) -> Iterator[dict[str, str]]:
    """The endpoints of a collector, by protocol, that passes everything on to a receiver by gRPC.

    Raises:
        NoRotel: there is no wheel for this Python or this machine.
    """
    found = importlib.util.find_spec("rotel")
    if found is None or found.origin is None:
        raise NoRotel("the package rotel is not installed: it has no wheel for this Python or this machine")
    http, grpc = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = {
            "pid-file": f"{folder}/pid",
            "otlp-http-endpoint": f"127.0.0.1:{http}",
            "otlp-grpc-endpoint": f"127.0.0.1:{grpc}",
            "exporter": "otlp",
            "otlp-exporter-endpoint": receiver,
            "batch-timeout": "50ms",
        }
        command = [str(Path(found.origin).parent / "rotel-agent"), "start"]
        command += [part for name, value in options.items() for part in (f"--{name}", value)]
        log = Path(folder, "log")
        with log.open("wb") as written:
            process = subprocess.Popen(command, stdout=written, stderr=written)
        try:
            wait_until(lambda: process.poll() is not None or (_open(http) and _open(grpc)))
            assert process.poll() is None, log.read_text(encoding="utf-8")
            yield {"http/protobuf": f"http://127.0.0.1:{http}", "grpc": f"http://127.0.0.1:{grpc}"}
        finally:
            process.terminate()
            process.wait(20)


def _open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
