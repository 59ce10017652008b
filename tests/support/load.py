"""A paced load of plain clients, in a process of its own: each request has a time at which it is sent, and none is ever
sent again. What became of each is counted by its kind.

Half of the requests open a connection of their own. The others go over kept connections, the longest unused one first;
nobody looks whether one was closed meanwhile, so that a server that closes it while a request is on its way is found.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.server import ROOT, environment, wait_until

TIMEOUT_SECONDS = 30.0
KEPT = 8
"""How many kept connections there are at least: few enough that none is idle for seconds."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Load:
    """A running load.

    Attributes:
        kinds: how many requests ended how, once it has ended: `ok` (2xx, whole), `refused`, `reset`, `closed` (without
            an answer), `truncated`, `timeout`, `status 503` and so on.
        slowest_ms: the slowest answer, from the time at which its request was to be sent.
    """

    process: subprocess.Popen[str]
    kinds: Counter[str] = field(default_factory=Counter[str])
    slowest_ms: float = 0.0
    answered: int = 0
    """How many answers there are so far."""

    @property
    def failed(self) -> dict[str, int]:
        """What did not end well."""
        return {kind: count for kind, count in self.kinds.items() if kind != "ok"}

    def read(self) -> None:
        """Takes note of what the process tells."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            self.answered = told["answered"]
            if "kinds" in told:
                self.kinds, self.slowest_ms = Counter(told["kinds"]), told["slowest_ms"]

    def wait_for(self, more: int) -> None:
        """Waits until so many more requests are answered."""
        target = self.answered + more
        wait_until(lambda: self.answered >= target or self.process.poll() is not None, 60)


CAPACITY_SECONDS = 2.0
AT_ONCE = 16
"""How long the capacity is measured, and how many requests are under way meanwhile."""


def capacity(port: int, path: str) -> float:
    """How many requests a second are answered here at most, over the same mix of connections: each client sends its
    next request when it has its answer. The clients need their share of the machine, as they do under a paced load."""
    command = [sys.executable, "-m", "tests.support.load", "capacity", str(port), path]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment(), check=True).stdout
    return float(told)


@contextmanager
def load(port: int, path: str, *, rate: float, until_refused: bool = False) -> Iterator[Load]:
    """GET requests, `rate` a second, for the time of the block; or until the first one is refused."""
    command = [sys.executable, "-m", "tests.support.load", str(port), path, str(rate), str(int(until_refused))]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()
    )
    running = Load(process)
    reader = threading.Thread(target=running.read, daemon=True)
    reader.start()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield running
    finally:
        process.stdin.close()
        process.wait(2 * TIMEOUT_SECONDS)
        reader.join(10)
        process.stdout.close()


class Clients:
    def __init__(self, port: int, path: str, rate: float, *, until_refused: bool) -> None:
        self.port = port
        self.request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n".encode()
        self.interval = 1 / rate
        self.until_refused = until_refused
        self.kept: deque[Stream] = deque()
        self.kinds: Counter[str] = Counter()
        self.slowest = 0.0
        self.ended = asyncio.Event()

    async def measure(self) -> None:
        """Tells how many requests a second are answered."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + CAPACITY_SECONDS

        async def client() -> None:
            number = 0
            while (due := loop.time()) < ends:
                await self.send(due, keeps=number % 2 == 1)
                number += 1

        await asyncio.gather(*(client() for _ in range(AT_ONCE)))
        if self.kinds.keys() != {"ok"}:
            raise SystemExit(f"not every request was answered: {dict(self.kinds)}")
        sys.stdout.write(f"{self.kinds['ok'] / CAPACITY_SECONDS:.1f}\n")

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(sys.stdin, self.ended.set)
        open_requests: set[asyncio.Task[None]] = set()
        number, due = 0, loop.time()
        while not self.ended.is_set():
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            task = loop.create_task(self.send(due, keeps=number % 2 == 1))
            open_requests.add(task)
            task.add_done_callback(open_requests.discard)
            number, due = number + 1, due + self.interval
            if number % max(round(0.1 / self.interval), 1) == 0:
                self.tell()
        await asyncio.gather(*open_requests)
        self.tell(kinds=dict(self.kinds), slowest_ms=round(self.slowest * 1000, 1))

    def tell(self, **more: Any) -> None:
        sys.stdout.write(json.dumps({"answered": self.kinds["ok"], **more}) + "\n")
        sys.stdout.flush()

    async def send(self, due: float, *, keeps: bool) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                kind = await self.exchange(keeps=keeps)
        except TimeoutError:
            kind = "timeout"
        except ConnectionRefusedError:
            kind = "refused"
        except ConnectionError:
            kind = "reset"
        except asyncio.IncompleteReadError as error:
            kind = "truncated" if error.partial else "closed"
        self.kinds[kind] += 1
        if kind == "ok":
            self.slowest = max(self.slowest, asyncio.get_running_loop().time() - due)
        elif kind == "refused" and self.until_refused:
            self.ended.set()

    async def exchange(self, *, keeps: bool) -> str:
        stream = (
            self.kept.popleft()
            if keeps and len(self.kept) >= KEPT
            else await asyncio.open_connection("127.0.0.1", self.port)
        )
        reader, writer = stream
        kept = False
        try:
            writer.write(self.request + (b"\r\n" if keeps else b"Connection: close\r\n\r\n"))
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
            try:
                await reader.readexactly(int(lines[b"content-length"]))
            except asyncio.IncompleteReadError:
                return "truncated"
            kept = keeps and lines.get(b"connection") != b"close"
            status = int(head.split(b" ", 2)[1])
            return "ok" if status < 300 else f"status {status}"
        finally:
            if kept:
                self.kept.append(stream)
            else:
                writer.close()


if __name__ == "__main__":
    if sys.argv[1] == "capacity":
        asyncio.run(Clients(int(sys.argv[2]), sys.argv[3], 1.0, until_refused=False).measure())
        sys.exit()
    port, path, rate, until_refused = sys.argv[1:]
    asyncio.run(Clients(int(port), path, float(rate), until_refused=until_refused == "1").run())
