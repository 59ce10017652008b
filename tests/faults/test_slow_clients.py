"""Hundreds of connections that send a byte now and then: they end in time, and nobody else pays for them."""

from __future__ import annotations

import http.client
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median

import pytest

from tests.faults.canary import Canary
from tests.faults.ledger import token
from tests.support.server import Process, send, serving
from tests.support.wire import Wire

APP = "tests.faults.book_service:app"
SLOW = 500
MANY = 1000
HEAD_SECONDS = 20
ROUNDS = 7
"""Pairs of measurements, one with slow clients and one without, in turns: what else the machine does meets both."""

REQUESTS = 2000
"""So many take about a second, in which each slow client sends a byte."""

RATIO_MAX = 1.1
PATH = "/api/v1/entries?pageSize=1"
HEAD = b"POST /api/v1/entries HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100000\r\nx: "


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    with serving(APP, tmp_path, STERNPOST_HEAD_SECONDS=str(HEAD_SECONDS)) as server:
        yield server


class Slow:
    """Clients of which each sends one more byte of its head a second, until its connection ends."""

    def __init__(self, port: int, count: int) -> None:
        self.began = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self.open = 0
        self.lasted: list[float] = []
        """How long each connection was open that has ended."""
        for _ in range(count):
            opened = socket.create_connection(("127.0.0.1", port), timeout=20)
            opened.sendall(HEAD)
            opened.setblocking(False)
            self._selector.register(opened, selectors.EVENT_READ, time.monotonic())
            self.open += 1

    def turn(self, seconds: float) -> None:
        """Goes on for a while."""
        until = time.monotonic() + seconds
        while self.open and (left := until - time.monotonic()) > 0:
            before = time.monotonic()
            for key in list(self._selector.get_map().values()):
                self._end_or(lambda opened: opened.send(b"a"), key)
            while (wait := min(before + 1, before + left) - time.monotonic()) > 0:
                for key, _ in self._selector.select(wait):
                    self._end_or(self._read, key)

    def _read(self, opened: socket.socket) -> None:
        while opened.recv(4096):
            pass
        raise ConnectionResetError

    def _end_or(self, act, key: selectors.SelectorKey) -> None:  # type: ignore[no-untyped-def]
        opened = key.fileobj
        assert isinstance(opened, socket.socket)
        try:
            act(opened)
        except BlockingIOError:
            return
        except OSError:
            self._selector.unregister(opened)
            opened.close()
            self.open -= 1
            self.lasted.append(time.monotonic() - key.data)

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fileobj)
            key.fileobj.close()  # type: ignore[union-attr]
        self.open = 0


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[Slow]:
    """They send until the block is left."""
    clients, stopped = Slow(port, count), threading.Event()

    def go_on() -> None:
        while not stopped.is_set():
            clients.turn(0.5)
            stopped.wait(0.01)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield clients
    finally:
        stopped.set()
        thread.join(30)
        clients.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_slow_clients_end_in_time_and_harm_nobody(server: Process) -> None:
    with Canary(server.port, PATH) as canary, slow_clients(server.port, SLOW) as clients:
        deadline = time.monotonic() + 3 * HEAD_SECONDS
        while clients.open:
            assert time.monotonic() < deadline, f"{clients.open} are still open"
            time.sleep(0.2)
    print(f"{SLOW} slow clients lasted {min(clients.lasted):.1f} to {max(clients.lasted):.1f} s")
    assert len(clients.lasted) == SLOW
    assert max(clients.lasted) < HEAD_SECONDS + 10
    canary.require_unharmed(reads=50)


def cpu_seconds(server: Process) -> float:
    """What all threads of the server have used so far."""
    threads = Path(f"/proc/{server.process.pid}/task").glob("*/schedstat")
    return sum(int(file.read_text(encoding="utf-8").split()[0]) for file in threads) / 1e9


def cost_of_requests(server: Process, connection: http.client.HTTPConnection, bearer: str) -> float:
    """Microseconds of the server's CPU for each of some requests."""
    before = cpu_seconds(server)
    for _ in range(REQUESTS):
        assert send(connection, "GET", PATH, token=bearer)[0] == 200
    return (cpu_seconds(server) - before) / REQUESTS * 1e6


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_slow_clients_cost_others_nothing(server: Process) -> None:
    bearer = token("reader")
    ratios: list[float] = []
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        cost_of_requests(server, connection, bearer)  # what is made once is made now
        for _ in range(ROUNDS):
            without = cost_of_requests(server, connection, bearer)
            with slow_clients(server.port, SLOW):
                during = cost_of_requests(server, connection, bearer)
            ratios.append(during / without)
            print(f"{without:.0f} µs a request without slow clients, {during:.0f} µs with them: {ratios[-1]:.3f}")
    print(f"CPU of a request with {SLOW} slow clients: {median(ratios):.3f} times that without (median of {ROUNDS})")
    assert median(ratios) <= RATIO_MAX


def test_many_connections_at_once_are_all_answered(server: Process) -> None:
    asked = f"GET {PATH} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token('many')}\r\n\r\n".encode()
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire.to(server.port, seconds=60)) for _ in range(MANY)]
        for wire in wires:
            wire.send(asked)
        with ThreadPoolExecutor(8) as threads:
            assert set(threads.map(lambda wire: wire.answer().status, wires)) == {200}
