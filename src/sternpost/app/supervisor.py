"""`sternpost serve --workers N`: starts the workers, restarts those that die, replaces them one by one on SIGHUP.

The supervisor holds the sockets and serves no request. Each worker accepts from a socket of its own (SO_REUSEPORT), and
that socket outlives it: waiting connections are served by the next worker. Where the system does not spread
connections over such sockets (macOS), all workers accept from one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sternpost.app.frames import Message
from sternpost.app.server import KEEP_ALIVE_SECONDS, listen, listen_for_ops
from sternpost.app.talk import Talk
from sternpost.app.tls import tls_context
from sternpost.app.worker import BEAT_SECONDS, RETIRE
from sternpost.clock import SystemClock
from sternpost.errors import StartupError
from sternpost.settings import Settings
from sternpost.telemetry import events
from sternpost.telemetry.log import Log
from sternpost.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from sternpost.app.ops.opening import Ops
    from sternpost.app.ops.workers import Spoken

GRACE_SECONDS = 5.0
"""What a worker may take beyond its own time limit before it is killed."""

HURRY_SECONDS = 5.0
"""The same after a second signal: what a worker gives its requests, its application and the rest then, and one more."""

RESTART_SECONDS = 0.5
RESTART_SECONDS_MAX = 30.0
"""The pause before a worker that died early is restarted; it doubles each time."""

STEADY_SECONDS = 10.0
"""Who lived that long did not die of its start."""


@dataclass(eq=False, slots=True)
class Worker:
    """A process, and the supervisor's end of the link to it."""

    process: asyncio.subprocess.Process
    talk: Talk
    started: float
    number: int
    """Its slot's."""
    missed: int = 0
    """Beats in a row that did not come."""

    async def listen(self) -> None:
        """Takes note of its beats, to its end."""
        await self.talk.listen(self._beats)

    def _beats(self) -> None:
        self.missed = 0

    def send(self, number: int) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ended a moment ago
                self.process.send_signal(number)

    def retire(self) -> None:
        if not self.talk.sign(RETIRE):
            self.send(signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a worker did not start.

    Attributes:
        how: what became of it.
        why: what it has said itself, which its own output tells, too.
    """

    how: str
    why: str | None = None

    def __str__(self) -> str:
        return self.how if self.why is None else f"{self.how}: {self.why}"


@dataclass(eq=False, slots=True)
class Slot:
    """The place of one worker: its socket, and who serves there now."""

    number: int
    listener: socket.socket
    worker: Worker | None = None
    deaths: int = 0
    """Early ones in a row."""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Supervisor:
    """Keeps `settings.workers` workers running.

    Args:
        app: the application as module:attribute.
        service: its name in log lines.
        told: what is told at the start, once for all workers.
    """

    def __init__(self, settings: Settings, app: str, service: str, told: Iterable[events.Event] = ()) -> None:
        self.settings = settings
        self.app = app
        self._told_first = told
        clock = SystemClock()
        log = Log(
            service,
            clock,
            level=settings.log_level,
            write=_write_line,
            repeats_a_second=settings.log_repeats_a_second,
        )
        self.telemetry = Telemetry(log, clock)
        self.slots = [Slot(number, listener) for number, listener in enumerate(_listeners(settings), 1)]
        self.port: int = self.slots[0].listener.getsockname()[1]
        self.environment = _environment(settings)
        from sternpost.limits.machine import shared_memory  # not on every system that this module is imported on

        self.limits = shared_memory()
        """Where the workers count for rate limits; it takes no memory before they do."""
        self._ops_listener = listen_for_ops(settings)
        self._ops: Ops | None = None
        self.stopping = asyncio.Event()
        self._alive: set[Worker] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reload = asyncio.Event()
        self._failed = False

    async def run(self) -> int:
        """Serves until SIGINT or SIGTERM. Raises `StartupError` when the first workers do not start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload.set)
        for event in self._told_first:
            self.telemetry.tell(event)
        try:
            await self._open_ops()
            await self._start_all()
            if not self.stopping.is_set():
                self._go(self._roll())
                self._go(self._count())
                await self.stopping.wait()
        finally:
            await self._end()
            if self._ops is not None:
                await self._ops.close()
        self.telemetry.tell(events.SupervisorStopped())
        self.telemetry.flush()
        return 1 if self._failed else 0

    async def _open_ops(self) -> None:
        if self._ops_listener is not None:
            from sternpost.app.ops.opening import Ops
            from sternpost.app.ops.workers import Workers

            self._ops = Ops(self._ops_listener, self.settings, Workers(self._spoken), self.telemetry)
            await self._ops.open()

    def _spoken(self) -> list[Spoken]:
        """Every worker that runs; those that serve with their number."""
        from sternpost.app.ops.workers import Spoken

        numbers = {slot.worker: slot.number for slot in self.slots}
        return [Spoken(numbers.get(worker), worker.process.pid, worker.talk) for worker in self._alive]

    def _tell_all(self, worker: Worker) -> None:
        """Tells a worker what it has to know of the ops port, before it serves."""
        if self._ops is not None:
            worker.talk.tell(self._ops.replay())

    def _told(self, worker: Worker, message: Message) -> None:
        if self._ops is not None:
            self._ops.told(worker.process.pid, message)

    # -- starting

    async def _start_all(self) -> None:
        starts = asyncio.gather(*(self._start_first(slot) for slot in self.slots))
        stopping = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait([starts, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self.stopping.is_set():
            starts.cancel()
            await asyncio.gather(starts, return_exceptions=True)
            return
        await starts
        self.telemetry.tell(events.WorkersReady(workers=len(self.slots), host=self.settings.host, port=self.port))

    async def _start_first(self, slot: Slot) -> None:
        problem = await self._start(slot)
        if problem is not None and not self.stopping.is_set():
            raise StartupError(f"Worker {slot.number} did not start: {problem.how}. Its own output is above.")

    async def _start(self, slot: Slot) -> Problem | None:
        """Puts a new worker into the slot; what was wrong where it did not start. The one before stays untouched."""
        try:
            worker = await self._launch(slot)
        except OSError as error:
            return Problem(f"the process could not be created: {error.strerror}")
        try:
            async with asyncio.timeout(self.settings.worker_start_seconds):
                if not await worker.talk.ready():
                    return Problem(_how(await worker.process.wait()), worker.talk.failure)
        except TimeoutError:
            seconds = f"{self.settings.worker_start_seconds:g} s (STERNPOST_WORKER_START_SECONDS)"
            return Problem(f"it was not ready within {seconds}")
        else:
            slot.worker = worker
            self.telemetry.tell(events.WorkerStarted(worker=slot.number, pid=worker.process.pid))
            self._go(self._watch(slot, worker))
            self._go(self._listen(worker))
            return None
        finally:
            if slot.worker is not worker:
                worker.talk.close()
                if not self.stopping.is_set():
                    worker.send(signal.SIGKILL)

    async def _launch(self, slot: Slot) -> Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        descriptors = (slot.listener.fileno(), theirs.fileno(), self.limits)
        options = zip(("--listener", "--link", "--limits"), map(str, descriptors), strict=True)
        address = ("--host", self.settings.host, "--port", str(self.port), "--root-path", self.settings.root_path)
        command = ("-m", "sternpost", "worker", self.app, *address, *(part for option in options for part in option))
        command = (*command, "--number", str(slot.number))
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                env=self.environment,
                pass_fds=descriptors,
                # a terminal's signals reach the supervisor, which passes them on in its own way
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        worker = Worker(process, Talk(ours), asyncio.get_running_loop().time(), slot.number)
        self._alive.add(worker)
        self._tell_all(worker)
        worker.talk.on_caught_up = lambda: self._tell_all(worker)
        worker.talk.on_told = lambda message: self._told(worker, message)
        self._go(self._reap(worker))
        if self.stopping.is_set():
            worker.send(signal.SIGTERM)
        return worker

    async def _listen(self, worker: Worker) -> None:
        await worker.listen()
        if self._ops is not None:
            self._ops.ended(worker.process.pid)

    async def _reap(self, worker: Worker) -> None:
        await worker.process.wait()
        self._alive.discard(worker)

    # -- keeping

    async def _watch(self, slot: Slot, worker: Worker) -> None:
        """Restarts a worker that ended unexpectedly."""
        status = await worker.process.wait()
        if slot.worker is not worker or self.stopping.is_set():
            return
        lived = asyncio.get_running_loop().time() - worker.started
        slot.deaths = 0 if lived > STEADY_SECONDS else slot.deaths + 1
        self.telemetry.tell(events.WorkerDied(worker=slot.number, pid=worker.process.pid, reason=_how(status)))
        while slot.worker is worker and not self.stopping.is_set():
            if slot.deaths > 1:
                await asyncio.sleep(min(RESTART_SECONDS * 2 ** (slot.deaths - 2), RESTART_SECONDS_MAX))
            async with slot.changing:
                if slot.worker is not worker or self.stopping.is_set():  # a rolling restart was here
                    return
                problem = await self._start(slot)
            if problem is None or self.stopping.is_set():
                return
            slot.deaths += 1
            self.telemetry.tell(events.WorkerDidNotStart(worker=slot.number, reason=str(problem)))
            self._free(slot)

    async def _count(self) -> None:
        """Kills a worker that gives no sign of life: it is stopped, or its event loop hangs, and all requests with it.

        Turns of this loop are counted, not seconds: where the whole machine was paused, nobody is late.
        """
        while not self.stopping.is_set():  # then they have a limit of their own
            await asyncio.sleep(BEAT_SECONDS)
            for worker in [slot.worker for slot in self.slots if slot.worker in self._alive]:
                worker.missed += 1
                if worker.missed * BEAT_SECONDS > self.settings.worker_silent_seconds:
                    reason = (
                        f"it gave no sign of life for {self.settings.worker_silent_seconds:g} s "
                        "(STERNPOST_WORKER_SILENT_SECONDS)"
                    )
                    self.telemetry.tell(
                        events.SilentWorkerKilled(worker=worker.number, pid=worker.process.pid, reason=reason)
                    )
                    worker.send(signal.SIGKILL)
                    worker.missed = 0

    def _free(self, slot: Slot) -> None:
        """Closes the socket of a slot without a worker, so that its connections go to the other workers."""
        if _spreads() and any(other.worker in self._alive for other in self.slots if other is not slot):
            slot.listener.close()
            slot.listener = listen(self.settings.host, self.port, shared=True)

    async def _roll(self) -> None:
        """Replaces the workers one by one, whenever SIGHUP asks for it; once more when it comes while this is
        going on."""
        while True:
            await self._reload.wait()
            self._reload.clear()
            self.telemetry.tell(events.RollingRestartStarted(workers=len(self.slots)))
            for slot in self.slots:
                problem = await self._replace(slot)
                if self.stopping.is_set():
                    return
                if problem is not None:
                    self.telemetry.tell(events.RollingRestartGivenUp(worker=slot.number, reason=str(problem)))
                    break
            else:
                self.telemetry.tell(events.RollingRestartFinished(workers=len(self.slots)))

    async def _replace(self, slot: Slot) -> Problem | None:
        """Starts a new worker for a slot, on the same socket; the old one retires once the new one is ready."""
        async with slot.changing:
            old = slot.worker
            problem = await self._start(slot)
        if problem is not None or old is None:
            return problem
        slot.deaths = 0
        old.retire()
        try:
            async with asyncio.timeout(2 * self.settings.shutdown_seconds + KEEP_ALIVE_SECONDS + GRACE_SECONDS):
                await old.process.wait()
        except TimeoutError:
            self.telemetry.tell(events.EndingWorkerKilled(worker=old.number, pid=old.process.pid))
            old.send(signal.SIGKILL)
        return None

    # -- ending

    def _stop(self) -> None:
        """The first signal drains every worker at once, a second one gives up what is in flight."""
        if self.stopping.is_set():
            asyncio.get_running_loop().call_later(HURRY_SECONDS, self._kill)
        else:
            self.telemetry.tell(events.SupervisorStopping(workers=len(self._alive)))
        self.stopping.set()
        for worker in self._alive:
            worker.send(signal.SIGTERM)

    def _kill(self) -> None:
        for worker in self._alive:
            self.telemetry.tell(events.EndingWorkerKilled(worker=worker.number, pid=worker.process.pid))
            worker.send(signal.SIGKILL)

    async def _end(self) -> None:
        """Waits for every worker; who takes too long is killed. Each closes its own socket without a reset, once it has
        accepted what waits there; with that of a worker that died, what waits there is lost."""
        for slot in self.slots:
            slot.listener.close()
        if not self.stopping.is_set():  # the start has failed
            self._stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(
                self.settings.shutdown_grace_seconds + self.settings.shutdown_seconds + GRACE_SECONDS
            ):
                await self._all_ended()
        self._kill()
        await self._all_ended()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _all_ended(self) -> None:
        while self._alive:
            await asyncio.gather(*(worker.process.wait() for worker in self._alive))
            await asyncio.sleep(0)

    def _go(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A supervisor with a bug must not go on as if nothing had happened: it stops, and says why."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.telemetry.tell(events.SupervisorFailed(error=error))
            self._failed = True
            self._stop()


def supervise(settings: Settings, app: str, service: str, told: Iterable[events.Event] = ()) -> int:
    """Runs the supervisor in this process. The arguments are those of `Supervisor`.

    Returns:
        The exit status: 0 after SIGINT or SIGTERM, 1 after a failure of the supervisor itself.

    Raises:
        StartupError: the address is taken, a file of TLS is wrong, or the workers do not start.
    """
    if os.name != "posix":
        raise StartupError(
            "--workers needs a POSIX system. Instead run several single processes behind a load balancer."
        )

    tls_context(settings)  # what is wrong with its files is said once, and not by each worker

    async def run() -> int:
        return await Supervisor(settings, app, service, told).run()

    return asyncio.run(run())


def _listeners(settings: Settings) -> list[socket.socket]:
    """A socket for each worker; the first finds the port. Each begins to listen when its worker does."""
    if not _spreads():
        return [listen(settings.host, settings.port)] * settings.workers
    if settings.port != 0:
        listen(settings.host, settings.port).close()  # SO_REUSEPORT alone would share it with another service of ours
    first = listen(settings.host, settings.port, shared=True)
    port = first.getsockname()[1]
    return [first, *(listen(settings.host, port, shared=True) for _ in range(settings.workers - 1))]


def _spreads() -> bool:
    """Whether the system spreads connections over the sockets of one address."""
    return sys.platform == "linux"


def _environment(settings: Settings) -> Mapping[str, str]:
    """The workers'. What one of them signs has to be worth something to the others."""
    if settings.secret_key or settings.jwt_secret:
        return dict(os.environ)
    return {**os.environ, "STERNPOST_SECRET_KEY": secrets.token_hex(32)}


def _how(status: int) -> str:
    if status < 0:
        return f"it was ended by {signal.Signals(-status).name}"
    return f"it ended with status {status}"


def _write_line(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
