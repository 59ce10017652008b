"""Another principal who reads now and then while something is attacked, and must not notice it."""

from __future__ import annotations

import http.client
import math
import threading
import time

from tests.faults.ledger import token

READS_A_SECOND = 5.0
LATENCY_MS_MAX = 250.0
"""For 99 of 100 reads."""


class Canary:
    """Reads from when its block is entered until it is left.

    Args:
        address: it calls from: another one than that of who attacks, where connections of an address are limited.

    Attributes:
        latencies_ms: of each read, from when it was to be sent.
        failures: what came instead of a 200.
    """

    def __init__(
        self,
        port: int,
        path: str = "/api/v1/entries?pageSize=1",
        rate: float = READS_A_SECOND,
        address: str = "127.0.0.1",
    ) -> None:
        self.port, self.path, self.rate, self.address = port, path, rate, address
        self.latencies_ms: list[float] = []
        self.failures: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="canary")

    def __enter__(self) -> Canary:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(30)

    def percentile_ms(self, share: float = 0.99) -> float:
        """What that share of the reads took at most."""
        ordered = sorted(self.latencies_ms)
        return ordered[max(math.ceil(len(ordered) * share) - 1, 0)]

    def require_unharmed(self, *, latency_ms_max: float = LATENCY_MS_MAX, reads: int = 5) -> None:
        print(f"canary: {len(self.latencies_ms)} reads, {len(self.failures)} failed, p99 {self.percentile_ms():.0f} ms")
        assert not self.failures, self.failures[:3]
        assert len(self.latencies_ms) >= reads, "the canary has not read often enough to tell"
        assert self.percentile_ms() <= latency_ms_max, f"p99 {self.percentile_ms():.0f} ms"

    def _run(self) -> None:
        authorization = {"authorization": f"Bearer {token('canary')}"}
        started, number = time.monotonic(), 0
        while not self._stopped.is_set():
            at = started + number / self.rate
            number += 1
            if self._stopped.wait(max(at - time.monotonic(), 0)):
                break
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=10, source_address=(self.address, 0)
            )
            try:
                connection.request("GET", self.path, headers=authorization)
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    self.failures.append(f"{response.status}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            finally:
                connection.close()
            self.latencies_ms.append((time.monotonic() - at) * 1000)
