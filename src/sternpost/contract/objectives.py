"""Objectives: how fast, how reliable and how often an operation has to answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What calls of an operation keep: a service level objective. `sternpost load` measures it.

    ```python
    read = Read(allow=public, critical=True, objective=Objective(p95_ms=20, rate=200))
    ```

    Attributes:
        p95_ms, p99_ms: the milliseconds in which 95, and 99, of 100 calls are answered. By default 50 for one row, 200
            for a list and 500 for a change, and twice that for 99 of 100.
        error_rate: the share of calls that may fail by the service's own fault; by default 0.001.
        rate: calls a second that it has to serve so; by default 20.
    """

    p95_ms: float | None = None
    p99_ms: float | None = None
    error_rate: float | None = None
    rate: float | None = None
