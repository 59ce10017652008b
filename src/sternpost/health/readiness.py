"""Readiness: whether the service can serve requests now, and which dependency prevents it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sternpost.clock import Clock
from sternpost.errors import SternpostError

CHECK_SECONDS = 2.0
"""A dependency that does not answer within this time is unhealthy."""

HEALTHY = {"status": "healthy"}
"""The response of liveness. It checks no dependencies, because a restart would not repair them."""

Check = Callable[[], Awaitable[None]]


class Readiness:
    """Asks every dependency in use, at the same time.

    Args:
        checks: by name; a check raises when its dependency is unhealthy.
        optional: the same for what the service works without: it is shown as degraded, and the service stays ready.
        on_failure: told of each failed check with its reason, for the log.
    """

    def __init__(
        self,
        version: str,
        clock: Clock,
        checks: Mapping[str, Check],
        on_failure: Callable[[str, str], None],
        optional: Mapping[str, Check] | None = None,
    ) -> None:
        self.version = version
        self.clock = clock
        self.optional = optional or {}
        self.checks = {**checks, **self.optional}
        self.on_failure = on_failure
        self.started = clock.monotonic()
        self.draining = False
        self._reported: dict[str, str] = {}

    async def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether the service is ready, and the body to answer."""
        results = await asyncio.gather(*(self._run(name, check) for name, check in self.checks.items()))
        checks = dict(zip(self.checks, results, strict=True))
        ready = not self.draining and all(result["status"] != "unhealthy" for result in results)
        body: dict[str, Any] = {
            "status": "healthy" if ready else "unhealthy",
            "checks": checks,
            "uptime": self._uptime(),
            "version": self.version,
        }
        if self.draining:
            body["reason"] = "the service is shutting down"
        return ready, body

    async def _run(self, name: str, check: Check) -> dict[str, str]:
        started = self.clock.monotonic()
        reason = None
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await check()
        except TimeoutError:
            reason = f"no answer within {CHECK_SECONDS:g} s"
        except SternpostError as error:
            reason = str(error.log.get("reason", error.message))
        except Exception as error:  # noqa: BLE001  (whatever a driver raises: the dependency is not usable)
            reason = type(error).__name__
        self._tell(name, reason)
        latency = f"{round((self.clock.monotonic() - started) * 1000)}ms"
        failed = "degraded" if name in self.optional else "unhealthy"
        return {"status": "healthy" if reason is None else failed, "latency": latency}

    def _tell(self, name: str, reason: str | None) -> None:
        """Reports changes only, not every probe."""
        if reason is None:
            self._reported.pop(name, None)
        elif self._reported.get(name) != reason:
            self._reported[name] = reason
            self.on_failure(name, reason)

    def _uptime(self) -> str:
        minutes = int(self.clock.monotonic() - self.started) // 60
        return f"{minutes // 60}h{minutes % 60}m"
