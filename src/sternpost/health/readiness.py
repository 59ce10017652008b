"""Readiness: whether the service can serve requests now, and which dependency prevents it.

Each dependency is checked in the background; whoever asks is answered from what was found last, so that questions cost
nothing, however many come. A request that fails hastens the next check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from sternpost.clock import Clock
from sternpost.errors import SternpostError, Unavailable

CHECK_SECONDS = 2.0
"""A dependency that does not answer within this time is unhealthy."""

EVERY_SECONDS = 2.0
"""How long after a check that passed the next one begins, at most; a quarter less by chance, so that processes that
start together do not all ask together."""

AGAIN_SECONDS = 0.5
"""The same after one that failed: what is back is told soon."""

PAUSE_SECONDS = 0.2
"""The shortest time between two checks of a dependency, however many requests fail."""

STALE_SECONDS = 10.0
"""What was found is worth nothing after so long without another check: its driver hangs, whatever it is told."""

HEALTHY = {"status": "healthy"}
"""The response of liveness. It checks no dependencies, because a restart would not repair them."""

STARTING = {"status": "starting"}
"""The response of the startup probe until the application has started as a whole."""

Check = Callable[[], Awaitable[None]]


@dataclass(eq=False)
class Dependency:
    """Something that the service needs, and what was found of it last.

    Attributes:
        optional: whether the service works without it.
        reason: what is wrong; None where nothing is.
        checked: when, by the event loop's clock; None before the first check.
    """

    name: str
    check: Check
    optional: bool
    reason: str | None = None
    latency_ms: int = 0
    checked: float | None = None
    suspected: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whatever makes a check worth while at once."""

    @property
    def is_stale(self) -> bool:
        """Whether what was found says nothing any more."""
        return self.checked is None or asyncio.get_running_loop().time() - self.checked > STALE_SECONDS

    @property
    def status(self) -> str:
        """`healthy`, `unhealthy`, or `degraded` for what the service works without."""
        if self.reason is None and not self.is_stale:
            return "healthy"
        return "degraded" if self.optional else "unhealthy"


class Readiness:
    """Checks every dependency in use, each for itself and never twice at a time, between `start` and `stop`.

    Args:
        checks: by name; a check raises when its dependency is unhealthy.
        on_change: told of each failed check with its reason, unless it failed for the same one before; and of None once
            it passes again.
        optional: the same as `checks` for what the service works without: it is shown as degraded, and the service
            stays ready.
        random: replaced in tests.
    """

    def __init__(
        self,
        version: str,
        clock: Clock,
        checks: Mapping[str, Check],
        on_change: Callable[[str, str | None], None],
        optional: Mapping[str, Check] | None = None,
        *,
        random: Callable[[], float] | None = None,
    ) -> None:
        self.version = version
        self.clock = clock
        self.dependencies = [
            *(Dependency(name, check, optional=False) for name, check in checks.items()),
            *(Dependency(name, check, optional=True) for name, check in (optional or {}).items()),
        ]
        self.on_change = on_change
        self.began = clock.monotonic()
        self.draining = False
        self.started = False
        """Whether the application has started as a whole."""
        self._random = random or Random().random  # noqa: S311  (own ones, on which no other numbers depend)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Checks each dependency once, and goes on in the background; called in the event loop of the service."""
        await asyncio.gather(*map(self._check, self.dependencies))
        self._tasks = [
            asyncio.create_task(self._repeat(each), name=f"readiness: {each.name}") for each in self.dependencies
        ]
        self.started = True

    async def stop(self) -> None:
        """Ends the checks, and waits until they have ended; not for ever for a driver that does not."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CHECK_SECONDS)

    def suspect(self, error: BaseException) -> None:
        """A request has failed: where a dependency may be why, it is checked now and not when it is due."""
        if isinstance(error, Unavailable):
            for each in self.dependencies:
                each.suspected.set()

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether the service is ready, and the body to answer, by what was found last."""
        checks = {each.name: {"status": each.status, "latency": f"{each.latency_ms}ms"} for each in self.dependencies}
        ready = not self.draining and all(check["status"] != "unhealthy" for check in checks.values())
        body: dict[str, Any] = {
            "status": "healthy" if ready else "unhealthy",
            "checks": checks,
            "uptime": self._uptime(),
            "version": self.version,
        }
        if self.draining:
            body["reason"] = "the service is shutting down"
        return ready, body

    async def _repeat(self, dependency: Dependency) -> None:
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            await self._wait(dependency)
            dependency.suspected.clear()
            await self._check(dependency)

    async def _wait(self, dependency: Dependency) -> None:
        """Until it is due, or suspected."""
        every = EVERY_SECONDS if dependency.reason is None else AGAIN_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(every * (0.75 + self._random() / 4) - PAUSE_SECONDS):
                await dependency.suspected.wait()

    async def _check(self, dependency: Dependency) -> None:
        loop = asyncio.get_running_loop()
        began, reason = loop.time(), None
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await dependency.check()
        except TimeoutError:
            reason = f"no answer within {CHECK_SECONDS:g} s"
        except SternpostError as error:
            reason = str(error.log.get("reason", error.message))
        except Exception as error:  # noqa: BLE001  (whatever a driver raises: the dependency is not usable)
            reason = type(error).__name__
        dependency.checked = loop.time()
        dependency.latency_ms = round((dependency.checked - began) * 1000)
        before, dependency.reason = dependency.reason, reason
        if reason != before:
            self.on_change(dependency.name, reason)

    def _uptime(self) -> str:
        minutes = int(self.clock.monotonic() - self.began) // 60
        return f"{minutes // 60}h{minutes % 60}m"
