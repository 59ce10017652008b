"""A soak: half an hour under load, with faults in between; nothing is lost or done twice, and memory and descriptors stay
as they are.

`make soak` runs it. `tests/faults/test_soak.py` runs two minutes of it.

- `STERNPOST_SOAK_SECONDS`: how long (1800).
- `STERNPOST_SOAK_SHARE`: the share of the measured capacity that is sent (0.7).
- `STERNPOST_FAULTS_SEED`: repeats the faults and what is sent.

The service has two workers on a PostgreSQL of its own. Every operation has an Idempotency-Key and is sent again until it
is answered, so at the end each of them has been carried out once. Memory and descriptors are those of the supervisor and
of its workers together; a worker that was killed begins anew with little, so they are compared over whole thirds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.canary import Canary
from tests.faults.judge import Verdict, verdict_of
from tests.faults.ledger import Load, Writer, entries
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.faults.test_database_away_under_load import cut_all
from tests.support.postgres import PrivateServer
from tests.support.supervised import children

SECONDS = "STERNPOST_SOAK_SECONDS"
SHARE = "STERNPOST_SOAK_SHARE"
WORKERS = 2
CLIENTS = 12
CAPACITY_SECONDS = 8.0
WARM_SHARE = 0.1
"""Of the time: what comes before is not compared."""

SAMPLE_SECONDS = 1.0
SLOW_CLIENTS = 20
CANARY_READS = 5


@dataclass(frozen=True)
class Tolerance:
    """How much more the last third may hold than the first, as a share of it.

    A short run has few samples, and its caches are not full at its beginning.
    """

    memory: float = 0.05
    descriptors: float = 0.05
    descriptors_more: int = 6


@dataclass
class Sample:
    """What the processes held."""

    at: float
    memory_bytes: int
    descriptors: int


@dataclass
class Report:
    """How a soak ended."""

    verdict: Verdict
    samples: list[Sample]
    faults: Counter[str]
    rate: float
    canary: str
    statuses: Counter[tuple[int, str]] = field(default_factory=Counter[tuple[int, str]])

    def thirds(self, of: Callable[[Sample], float]) -> tuple[float, float]:
        """The medians of the first and the last third."""
        third = max(len(self.samples) // 3, 1)
        first, last = self.samples[:third], self.samples[-third:]
        return statistics.median(map(of, first)), statistics.median(map(of, last))

    def __str__(self) -> str:
        memory, descriptors = self.thirds(lambda each: each.memory_bytes), self.thirds(lambda each: each.descriptors)
        return (
            f"{self.rate:.0f} operations a second; {self.verdict}; faults {dict(self.faults)}; "
            f"memory {memory[0] / 2**20:.1f} -> {memory[1] / 2**20:.1f} MiB ({memory[1] / memory[0] - 1:+.1%}); "
            f"descriptors {descriptors[0]:.0f} -> {descriptors[1]:.0f}; {self.canary}; "
            f"first answers that were no 2xx: {dict(self.statuses)}"
        )

    def require(self, tolerance: Tolerance, *, acknowledged: int) -> None:
        """Fails where something was lost or done twice, or memory or descriptors have grown."""
        self.verdict.require_clean(acknowledged=acknowledged, closed=True)
        assert self.verdict.tried_again, "no fault has met an operation, so nothing is proved"
        memory = self.thirds(lambda each: each.memory_bytes)
        assert memory[1] <= memory[0] * (1 + tolerance.memory), f"memory has grown: {self}"
        opened = self.thirds(lambda each: each.descriptors)
        most = opened[0] * (1 + tolerance.descriptors) + tolerance.descriptors_more
        assert opened[1] <= most, f"descriptors have grown: {self}"


# -- what the processes hold


def sample(pid: int, started: float) -> Sample | None:
    """Of a supervisor and its workers; None while one of them is just being replaced, as there are fewer then."""
    found = children(pid)
    if len(found) < WORKERS:
        return None
    memory = descriptors = 0
    try:
        for each in (pid, *found):
            rolled = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="utf-8")
            memory += next(int(line.split()[1]) for line in rolled.splitlines() if line.startswith("Pss:")) * 1024
            descriptors += len(os.listdir(f"/proc/{each}/fd"))
    except (OSError, StopIteration):  # it has ended meanwhile
        return None
    return Sample(time.monotonic() - started, memory, descriptors)


# -- faults


class Faults:
    """What is done to the service and its database."""

    def __init__(self, service: Service, postgres: PrivateServer, drawn: random.Random) -> None:
        self.service, self.postgres, self.drawn = service, postgres, drawn
        self.slow: list[socket.socket] = []
        self.all: list[Callable[[], None]] = [
            self.worker_killed,
            self.connections_cut,
            self.clients_reset,
            self.slow_clients,
            self.database_restarted,
        ]

    def in_turn(self) -> Iterator[Callable[[], None]]:
        """All of them, in an order at random, again and again."""
        while True:
            yield from self.drawn.sample(self.all, len(self.all))

    def worker_killed(self) -> None:
        os.kill(self.drawn.choice(sorted(children(self.service.process.process.pid))), signal.SIGKILL)

    def connections_cut(self) -> None:
        """All sessions of the database are terminated, under whatever they do."""
        asyncio.run(cut_all(self.postgres.url))

    def database_restarted(self) -> None:
        """As an administrator does it who does not wait for anybody."""
        self.postgres.stop(signal.SIGINT)
        self.postgres.start()

    def clients_reset(self) -> None:
        """Requests are cut off by their clients, in their heads, in their bodies and before their answers."""
        whole = b"GET /api/v1/entries HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n\r\n"
        body = (
            b"POST /api/v1/entries HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"
        )
        for sent in (whole[:30], body, whole) * 10:
            with self.connected() as connection:
                connection.sendall(sent)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def slow_clients(self) -> None:
        """Begin a request, and leave it to the service to end it."""
        self.end_slow_clients()
        for _ in range(SLOW_CLIENTS):
            connection = self.connected()
            connection.sendall(b"GET /api/v1/entries HTTP/1.1\r\nHost: ")
            self.slow.append(connection)

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.service.port), 10)

    def end_slow_clients(self) -> None:
        for connection in self.slow:
            connection.close()
        self.slow.clear()


# -- the run


def capacity(service: Service, folder: Path, seed: int) -> float:
    """Operations a second that as many writers get acknowledged, each sending its next one when it is answered."""
    ledger = folder / "capacity"
    with Writer(Load(service.port, seed, rate=100_000.0, clients=CLIENTS, keyed=True), ledger) as writer:
        writer.wait_for(20)
        started, before = time.monotonic(), writer.said("ok")
        time.sleep(CAPACITY_SECONDS)  # a rate is measured over a time
        return (writer.said("ok") - before) / (time.monotonic() - started)


@dataclass
class Progress:
    """Tells now and then how far it is."""

    seconds: float
    tell: Callable[[str], None] = print

    def line(self, at: float, writer: Writer, last: Sample | None, fault: str) -> None:
        acknowledged = writer.said("ok")
        held = f"{last.memory_bytes / 2**20:6.1f} MiB, {last.descriptors:4d} descriptors" if last else "being replaced"
        bar = "#" * round(20 * min(at / self.seconds, 1))
        self.tell(f"[{bar:<20}] {at:6.0f} s  {acknowledged:8,d} acknowledged  {held}  {fault}")


def soak(folder: Path, seconds: float, share: float, tell: Callable[[str], None] = print, plant: str = "") -> Report:
    """Runs it, and judges. The pause between two faults is a share of the time, of at most 20 s."""
    seed = new_seed()
    pause = min(max(seconds / 20, 2.0), 20.0)
    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(PrivateServer())
        service = stack.enter_context(
            Service(
                postgres.url, folder, workers=WORKERS, plant=plant, fresh=True, STERNPOST_WORKER_SILENT_SECONDS="10"
            )
        )
        most = capacity(service, folder, seed + 1)
        rate = share * most
        tell(f"capacity {most:.0f} operations a second with {CLIENTS} clients; {share:.0%} of it for {seconds:.0f} s")
        faults, samples, met = Faults(service, postgres, random.Random(seed)), list[Sample](), Counter[str]()
        stack.callback(faults.end_slow_clients)
        ledger, turn, progress = folder / "ledger", faults.in_turn(), Progress(seconds, tell)
        load = Load(service.port, seed, rate=rate, clients=CLIENTS, keyed=True, again_seconds=60)
        with Writer(load, ledger) as writer, Canary(service.port, "/health") as canary:
            started = due = time.monotonic()
            while (at := time.monotonic() - started) < seconds:
                found, fault = sample(service.process.process.pid, started), ""
                if found is not None and at >= WARM_SHARE * seconds:
                    samples.append(found)
                if time.monotonic() >= due + pause and seconds - at > pause:
                    act, due = next(turn), time.monotonic()
                    fault = act.__name__.replace("_", " ")
                    act()
                    met[fault] += 1
                if fault or round(at) % 10 == 0:
                    progress.line(at, writer, found, fault)
                time.sleep(SAMPLE_SECONDS)
            writer.wait_for(CANARY_READS)
        faults.end_slow_clients()
        # the operations that measured the capacity are there too
        together = folder / "all"
        together.write_text(ledger.read_text() + (folder / "capacity").read_text())
        verdict = asyncio.run(verdict_of(together, postgres.url, f"soak of {seconds:.0f} s, seed {seed}"))
        failed = Counter((each.status, each.code) for each in entries(ledger).values() if each.state != "ok")
        assert service.stop() == 0, "it ends as it should"
    told = (
        f"canary {len(canary.latencies_ms)} reads, {len(canary.failures)} failed, p99 {canary.percentile_ms():.0f} ms"
    )
    return Report(verdict, samples, met, rate, told, failed)


def main() -> int:
    seconds, share = float(os.environ.get(SECONDS, "1800")), float(os.environ.get(SHARE, "0.7"))
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        report = soak(Path(folder), seconds, share, lambda text: print(text, flush=True))
    print(report)
    report.require(Tolerance(), acknowledged=int(report.rate * seconds / 2))
    print("Nothing was lost or done twice; memory and descriptors have stayed as they were.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
