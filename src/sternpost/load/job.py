"""What the process that makes the load is told, and what it tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one operation.

    Attributes:
        rate: of them a second, at random times (a Poisson process).
        requests: whole requests of HTTP/1.1, sent in turns.
    """

    operation: str
    rate: float
    requests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One phase of a load.

    Attributes:
        seconds: how long requests are due.
        connections: how many there may be at most.
        seed: of the times and the order.
    """

    host: str
    port: int
    calls: tuple[Calls, ...]
    seconds: float
    connections: int
    seed: int

    def to_json(self) -> str:
        """For the process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """What `to_json` made."""
        values: dict[str, Any] = json.loads(text)
        calls = tuple(Calls(each["operation"], each["rate"], tuple(each["requests"])) for each in values.pop("calls"))
        return cls(calls=calls, **values)


@dataclass(slots=True)
class Answered:
    """What came of the calls of one operation.

    Attributes:
        latencies: an HDR histogram of microseconds from when a request was due until its answer was there, encoded.
        statuses: how often each came; `0` for no answer.
    """

    latencies: str
    statuses: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a job.

    Attributes:
        lag: an HDR histogram of microseconds by which the process itself was late, encoded.
        seconds: from the first request that was due to the last answer.
        busy: the share of the time in which the process was busy.
        connections: how many were open at most.
    """

    answered: Mapping[str, Answered]
    lag: str
    seconds: float
    busy: float
    connections: int

    def to_json(self) -> str:
        """For who has given the job."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """What `to_json` made."""
        values: dict[str, Any] = json.loads(text)
        answered = {name: Answered(**each) for name, each in values.pop("answered").items()}
        return cls(answered=answered, **values)
