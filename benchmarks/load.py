"""The load generator, a process of its own: keep-alive HTTP/1.1 on raw sockets, every answer's status checked.

`python -m benchmarks.load` reads one `Job` as JSON from standard input and writes one `Result` as JSON to standard
output. Standard library only, about 10 µs a request, the same for every stack. Two ways:

- closed: each connection sends its next request when it has its answer. For the cost of a request.
- paced: requests are due at the times of a Poisson process, whatever is answered; latency counts from when a request
  was due, so a server that stalls is charged for everybody who had to wait (no coordinated omission).
"""

from __future__ import annotations

import json
import random
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cpu import cpu_seconds, machine_busy_seconds, processes
from benchmarks.sink import read_count
from benchmarks.workloads import WORKLOADS, Target, encoder

RECEIVE_BYTES = 262_144
ANSWER_SECONDS_MAX = 30.0


class LoadError(Exception):
    """The run is void: an answer was wrong, late, or never came."""


@dataclass(frozen=True)
class Job:
    """What to send, for how long, and whose CPU to read.

    Attributes:
        rate: requests a second, open loop; None sends as fast as answers come.
        observe: names of process trees and the pid of each one's root.
        spans: the file in which the sink counts spans; None where none are sent.
    """

    target: Target
    workload: str
    connections: int
    seconds: float
    warmup_seconds: float = 0.0
    rate: float | None = None
    observe: dict[str, int] = field(default_factory=dict[str, int])
    spans: str | None = None

    @classmethod
    def from_json(cls, text: str) -> Job:
        values: dict[str, Any] = json.loads(text)
        target = Target(**values.pop("target"))
        return cls(target=target, **values)

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Result:
    """What came of a job.

    Attributes:
        cpu_seconds: of each observed tree, of the generator itself as `client`, and of everything that runs as `machine`.
        latencies: seconds, as (p50, p90, p99, max).
        spans: how many spans the sink took meanwhile; None where none are sent.
    """

    answered: int
    seconds: float
    cpu_seconds: dict[str, float]
    latencies: tuple[float, float, float, float]
    spans: int | None = None

    def cpu_us(self, name: str) -> float | None:
        """Microseconds of CPU a request."""
        used = self.cpu_seconds.get(name)
        return None if used is None else used / self.answered * 1e6

    @classmethod
    def from_json(cls, text: bytes) -> Result:
        """Raises `LoadError` where the job was void."""
        values: dict[str, Any] = json.loads(text)
        if "error" in values:
            raise LoadError(values["error"])
        p50, p90, p99, longest = values.pop("latencies")
        return cls(latencies=(p50, p90, p99, longest), **values)

    @property
    def per_second(self) -> float:
        return self.answered / self.seconds

    @property
    def others_cores(self) -> float:
        """How many cores were busy with what is not part of the measurement: on a free machine next to none."""
        ours = sum(used for name, used in self.cpu_seconds.items() if name != "machine")
        return max(0.0, (self.cpu_seconds["machine"] - ours) / self.seconds)


def percentile(ordered: list[float], share: float) -> float:
    """The nearest-rank percentile of a sorted list: the least value that at least `share` of all are not above."""
    if not ordered:
        raise LoadError("nothing was answered")
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


@dataclass(slots=True)
class Connection:
    """A socket, when its request was due, and what has come of its answer so far."""

    socket: socket.socket
    since: float = 0.0
    received: bytes = b""


class Generator:
    """One job on its connections."""

    def __init__(self, job: Job) -> None:
        self.job = job
        workload = WORKLOADS[job.workload]
        self.encode = encoder(workload, job.target)
        self.status = str(workload.status).encode()
        self.poll = select.epoll()
        self.connections: dict[int, Connection] = {}
        self.idle: deque[Connection] = deque()
        self.latencies: list[float] = []
        self.in_flight = 0

    def connect(self) -> None:
        for _ in range(self.job.connections):
            opened = socket.create_connection((self.job.target.host, self.job.target.port), timeout=10)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setblocking(False)
            self.connections[opened.fileno()] = Connection(opened)
            self.poll.register(opened.fileno(), select.EPOLLIN)
        self.idle.extend(self.connections.values())

    def close(self) -> None:
        for connection in self.connections.values():
            connection.socket.close()
        self.poll.close()

    def send(self, connection: Connection, due: float) -> None:
        connection.since = due
        self.in_flight += 1
        request = self.encode()
        if connection.socket.send(request) != len(request):
            raise LoadError("the server does not read what is sent")

    def receive(self, connection: Connection, now: float) -> bool:
        """Takes what has come; whether the answer is complete."""
        data = connection.socket.recv(RECEIVE_BYTES)
        if not data:
            raise LoadError("the server closed a connection")
        if connection.received:
            data = connection.received + data
        end = data.find(b"\r\n\r\n")
        if end < 0 or len(data) < end + 4 + content_length(data[:end]):
            connection.received = data
            return False
        if data[9:12] != self.status:
            raise LoadError(f"{self.job.workload} was answered with {data[:600].decode(errors='replace')}")
        connection.received = b""
        self.latencies.append(now - connection.since)
        self.in_flight -= 1
        return True

    def closed(self, seconds: float) -> None:
        """Keeps every connection busy for some time; requests are still in flight afterwards."""
        while self.idle:
            self.send(self.idle.popleft(), time.perf_counter())
        end = time.perf_counter() + seconds
        while (now := time.perf_counter()) < end:
            ready = self.poll.poll(1.0)
            self._stalled(ready, now)
            now = time.perf_counter()
            for number, _ in ready:
                connection = self.connections[number]
                if self.receive(connection, now):
                    self.send(connection, now)

    def paced(self, seconds: float, rate: float) -> None:
        """Sends at the times of a Poisson process; what finds no free connection waits, and its waiting counts."""
        dice = random.Random(self.job.target.seed)
        now = time.perf_counter()
        end = now + seconds
        due = now + dice.expovariate(rate)
        waiting: deque[float] = deque()
        while now < end or waiting:
            while due <= min(now, end):
                waiting.append(due)
                due += dice.expovariate(rate)
            if now >= end and len(waiting) > rate * max(0.25, seconds / 4):
                raise LoadError(f"{rate:.0f} requests a second are more than the server answers")
            while waiting and self.idle:
                self.send(self.idle.popleft(), waiting.popleft())
            ready = self._ready_until(min(due, end) if now < end else now + 1.0)
            if now >= end:
                self._stalled(ready, now)
            now = time.perf_counter()
            for number, _ in ready:
                connection = self.connections[number]
                if self.receive(connection, now):
                    self.idle.append(connection)

    def _ready_until(self, moment: float) -> list[tuple[int, int]]:
        # epoll_wait counts in milliseconds; select on the epoll itself in microseconds
        select.select([self.poll], [], [], max(0.0, moment - time.perf_counter()))
        return self.poll.poll(0)

    def drain(self) -> None:
        """Waits for what is in flight."""
        while self.in_flight:
            now = time.perf_counter()
            ready = self.poll.poll(1.0)
            self._stalled(ready, now)
            for number, _ in ready:
                if self.receive(self.connections[number], time.perf_counter()):
                    self.idle.append(self.connections[number])

    def _stalled(self, ready: list[Any], since: float) -> None:
        if ready:
            return
        oldest = min((connection.since for connection in self.connections.values() if connection.since), default=since)
        if since - oldest > ANSWER_SECONDS_MAX:
            raise LoadError(f"no answer for {ANSWER_SECONDS_MAX:.0f} s")

    def run(self) -> Result:
        self.connect()
        try:
            go = self._way()
            if self.job.warmup_seconds:
                go(self.job.warmup_seconds)
            return self._measured(go)
        finally:
            self.close()

    def _way(self) -> Callable[[float], None]:
        rate = self.job.rate
        return self.closed if rate is None else (lambda seconds: self.paced(seconds, rate))

    def _measured(self, go: Callable[[float], None]) -> Result:
        self.latencies.clear()
        sent = self._spans()
        before, own, started = self._cpu(), time.process_time(), time.perf_counter()
        go(self.job.seconds)
        seconds, used = time.perf_counter() - started, time.process_time() - own
        after = self._cpu()
        spans = self._spans() - sent if self.job.spans is not None else None
        answered = len(self.latencies)
        self.drain()
        ordered = sorted(self.latencies[:answered] if self.job.rate is None else self.latencies)
        cpu = {name: after[name] - before[name] for name in before} | {"client": used}
        p50, p90, p99 = (percentile(ordered, share) for share in (0.5, 0.9, 0.99))
        return Result(answered, seconds, cpu, (p50, p90, p99, ordered[-1]), spans)

    def _spans(self) -> int:
        return read_count(Path(self.job.spans)) if self.job.spans is not None else 0

    def _cpu(self) -> dict[str, float]:
        among = processes()
        return {name: cpu_seconds(pid, among) for name, pid in self.job.observe.items()} | {
            "machine": machine_busy_seconds()
        }


def content_length(head: bytes) -> int:
    """The length of the body that follows a head. A server that sends none in a loop of keep-alive requests is refused."""
    lowered = head.lower()
    start = lowered.find(b"\r\ncontent-length:")
    if start < 0:
        raise LoadError(f"an answer has no Content-Length: {head[:200].decode(errors='replace')}")
    end = lowered.find(b"\r\n", start + 2)
    return int(lowered[start + 17 : end if end > 0 else None])


def main() -> int:
    """Runs the job on standard input."""
    try:
        result = Generator(Job.from_json(sys.stdin.read())).run()
    except (LoadError, OSError) as error:
        print(json.dumps({"error": str(error)}))
        return 1
    print(json.dumps(asdict(result)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
