"""Makes the load: `python -m sternpost.load.generator`, a process of its own that does nothing else.

Requests are due at random times, whatever is answered (open loop), and their latency counts from when they were due: a
service that stalls is charged for all who had to wait (Tene, "How NOT to Measure Latency", 2015). What this process
itself was late by is measured apart.

It reads a `Job` as JSON from standard input, and writes lines to standard output: one a second with what was answered
so far, and the `Outcome` at the end.
"""

from __future__ import annotations

import itertools
import json
import random
import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from sternpost.load.histogram import Histogram
from sternpost.load.job import Answered, Job, Outcome

RECEIVE_BYTES = 262_144
ANSWER_SECONDS_MAX = 30.0
"""After which a request counts as not answered."""

HEAD_END = b"\r\n\r\n"


@dataclass(slots=True)
class Connection:
    """A socket, and the request on it.

    Attributes:
        due: when the request was due; 0 where there is none.
        unsent: what of it is still to be sent.
        received: what has come of the answer.
        missing: bytes of the answer that are still to come, once its head is there.
    """

    socket: socket.socket
    operation: str = ""
    due: float = 0.0
    unsent: bytes = b""
    received: bytearray = field(default_factory=bytearray)
    missing: int = -1
    status: str = "0"


class Generator:
    """Carries a job out."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._dice = random.Random(job.seed)  # noqa: S311  (times of requests)
        self._poll = select.epoll()
        self._open: dict[int, Connection] = {}
        self._idle: deque[Connection] = deque()
        self._waiting: deque[tuple[float, str, bytes]] = deque()
        self._latencies = {calls.operation: Histogram() for calls in job.calls}
        self._statuses = {calls.operation: Counter[str]() for calls in job.calls}
        self._requests = {
            calls.operation: itertools.cycle([text.encode() for text in calls.requests]) for calls in job.calls
        }
        self._lag = Histogram()
        self._most = 0

    def run(self) -> Outcome:
        """Sends until the time is over, and waits for the answers that are still to come."""
        started, used = time.perf_counter(), time.process_time()
        try:
            self._send_all(started)
        finally:
            for connection in self._open.values():
                connection.socket.close()
            self._poll.close()
        seconds = time.perf_counter() - started
        answered = {
            name: Answered(found.encoded(), dict(self._statuses[name])) for name, found in self._latencies.items()
        }
        busy = (time.process_time() - used) / seconds
        return Outcome(answered, self._lag.encoded(), seconds, busy, self._most)

    def _send_all(self, started: float) -> None:
        end, told = started + self._job.seconds, started + 1.0
        due, operation = self._next(started)
        while True:
            now = time.perf_counter()
            while due <= min(now, end):
                self._waiting.append((due, operation, next(self._requests[operation])))
                self._lag.record(now - due)
                due, operation = self._next(due)
            self._send_waiting()
            if now > end and not self._waiting and len(self._idle) == len(self._open):
                return
            if now > end + ANSWER_SECONDS_MAX:
                self._give_up()
                return
            if now >= told:
                self._tell()
                told += 1.0
            self._receive_until(min(due, end, told) if now < end else now + 0.1)

    def _next(self, after: float) -> tuple[float, str]:
        """When the next request is due, and of which operation."""
        whole = sum(calls.rate for calls in self._job.calls)
        chosen = self._dice.choices(self._job.calls, [calls.rate for calls in self._job.calls])[0]
        return after + self._dice.expovariate(whole), chosen.operation

    def _send_waiting(self) -> None:
        while self._waiting:
            connection = self._idle.popleft() if self._idle else self._connected()
            if connection is None:
                return
            connection.due, connection.operation, connection.unsent = self._waiting.popleft()
            connection.missing, connection.status = -1, "0"
            connection.received.clear()
            self._send(connection)

    def _connected(self) -> Connection | None:
        """A new connection; None where there are as many as there may be."""
        if len(self._open) >= self._job.connections:
            return None
        opened = socket.create_connection((self._job.host, self._job.port), timeout=ANSWER_SECONDS_MAX)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setblocking(False)
        made = self._open[opened.fileno()] = Connection(opened)
        self._poll.register(opened.fileno(), select.EPOLLIN)
        self._most = max(self._most, len(self._open))
        return made

    def _send(self, connection: Connection) -> None:
        try:
            sent = connection.socket.send(connection.unsent)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost(connection)
            return
        connection.unsent = connection.unsent[sent:]
        wanted = select.EPOLLIN | (select.EPOLLOUT if connection.unsent else 0)
        if connection.unsent or sent == 0:
            self._poll.modify(connection.socket.fileno(), wanted)

    def _receive_until(self, moment: float) -> None:
        # epoll counts in milliseconds; select on the epoll itself in microseconds
        select.select([self._poll], [], [], max(0.0, moment - time.perf_counter()))
        ready = self._poll.poll(0)
        now = time.perf_counter()
        for number, events in ready:
            connection = self._open.get(number)
            if connection is None:
                continue
            if events & select.EPOLLOUT and connection.unsent:
                self._send(connection)
                if not connection.unsent and number in self._open:
                    self._poll.modify(number, select.EPOLLIN)
            if events & ~select.EPOLLOUT:
                self._receive(connection, now)

    def _receive(self, connection: Connection, now: float) -> None:
        try:
            data = connection.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost(connection)
            return
        if connection.missing < 0:
            connection.received += data
            end = connection.received.find(HEAD_END)
            if end < 0:
                return
            head = bytes(connection.received[:end])
            connection.status = head[9:12].decode("latin-1")
            length = content_length(head)
            if length is None:  # it ends with its connection, or comes in chunks, which no answer of a call does
                self._lost(connection)
                return
            connection.missing = length - (len(connection.received) - end - len(HEAD_END))
        else:
            connection.missing -= len(data)
        if connection.missing <= 0:
            self._answered(connection, connection.status, now)
            self._idle.append(connection)

    def _answered(self, connection: Connection, status: str, now: float) -> None:
        self._statuses[connection.operation][status] += 1
        self._latencies[connection.operation].record(now - connection.due)
        connection.due = 0.0

    def _lost(self, connection: Connection) -> None:
        """The service has closed a connection; its request was not answered."""
        self._poll.unregister(connection.socket.fileno())
        del self._open[connection.socket.fileno()]
        connection.socket.close()
        if connection.due:
            self._answered(connection, "0", time.perf_counter())
        elif connection in self._idle:
            self._idle.remove(connection)

    def _give_up(self) -> None:
        now = time.perf_counter()
        for connection in list(self._open.values()):
            if connection.due:
                self._answered(connection, "0", now)
        for due, operation, _ in self._waiting:
            self._statuses[operation]["0"] += 1
            self._latencies[operation].record(now - due)
        self._waiting.clear()

    def _tell(self) -> None:
        done = sum(sum(statuses.values()) for statuses in self._statuses.values())
        write_line(json.dumps({"answered": done, "waiting": len(self._waiting)}))


def write_line(text: str) -> None:
    """Tells the process that has given the job."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def content_length(head: bytes) -> int | None:
    """The length of the body behind a head; None where it tells none."""
    for line in _lines(head.lower()):
        if line.startswith(b"content-length:"):
            return int(line[15:])
        if line.startswith(b"transfer-encoding:"):
            return None
    return 0 if head[9:10] == b"1" or head[9:12] in (b"204", b"304") else None


def _lines(head: bytes) -> Iterator[bytes]:
    yield from head.split(b"\r\n")[1:]


def main() -> int:
    """Carries out the job on standard input."""
    write_line(Generator(Job.from_json(sys.stdin.read())).run().to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
