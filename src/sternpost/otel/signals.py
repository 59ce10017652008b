"""The signals of records that wait, traces and log lines: what is made of them, and how they are sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sternpost.otel.delivery import Delivery
from sternpost.telemetry.otlp import SignalName
from sternpost.telemetry.waiting import Waiting

MADE_AT_ONCE = 128
ENCODED_AT_ONCE = 32
"""Records after which the event loop gets its turn, which waits for Python's lock meanwhile: under a millisecond. The
interpreter by itself would let it wait for five. Less at a time would be too little for a loop that is always busy: it
gives the lock away every five milliseconds only."""

SUCCESS = "SUCCESS"
"""How the results of all exporters call it, each an enum of its own."""


class Paced(list[Any]):
    """What is sent, given to the exporter bit by bit: encoding it takes most of the time."""

    def __iter__(self) -> Iterator[Any]:
        for number, each in enumerate(super().__iter__(), start=1):
            yield each
            if number % ENCODED_AT_ONCE == 0:
                time.sleep(0)


class Records:
    """One signal.

    Args:
        make: what is sent of one record that waits.
        begin: called before each request.
        direct: sends what was taken without `make` and the exporter, and whether that succeeded.
        told: told of a record that nothing can be made of: a bug.
    """

    def __init__(
        self,
        name: SignalName,
        waiting: Waiting[Any],
        exporter: Any,
        make: Callable[[Any], Iterable[Any]],
        delivery: Delivery,
        at_once_max: int,
        told: Callable[[str, Exception], None],
        begin: Callable[[], None] = lambda: None,
        direct: Callable[[Sequence[Any]], bool] | None = None,
    ) -> None:
        self.name = name
        self.delivery = delivery
        self._waiting = waiting
        self._exporter = exporter
        self._make = make
        self._begin = begin
        self._direct = direct
        self._told = told
        self._at_once_max = at_once_max
        self._closed = False

    @property
    def waits(self) -> bool:
        """Whether there is anything to be sent."""
        return len(self._waiting) > 0

    @property
    def dropped(self) -> int:
        """How many records have made room for newer ones, or wait in vain."""
        return self._waiting.dropped + (len(self._waiting) if self._closed else 0)

    def send(self) -> bool:
        """Sends some; whether a whole request more waits."""
        taken = self._waiting.take(self._at_once_max)
        if taken:
            self._begin()
            succeeded = (self._direct or self._export)(taken)
            self.delivery.note(len(taken), succeeded=succeeded, dropped=self._waiting.dropped)
        return len(self._waiting) >= self._at_once_max

    def end(self) -> None:
        """Nothing: what waits, waits."""

    def close(self) -> None:
        """Gives up what is being sent."""
        self._closed = True
        self._exporter.shutdown()

    def _export(self, taken: Sequence[Any]) -> bool:
        return self._exporter.export(self._made(taken)).name == SUCCESS

    def _made(self, taken: Iterable[Any]) -> Paced:
        made = Paced()
        failure: Exception | None = None
        for number, record in enumerate(taken, start=1):
            try:
                made.extend(self._make(record))
            except Exception as error:  # noqa: BLE001  (it is told; the others are sent all the same)
                failure = error
            if number % MADE_AT_ONCE == 0:
                time.sleep(0)
        if failure is not None:
            self._told(self.name, failure)
        return made
