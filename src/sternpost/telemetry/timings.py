"""What a call waited for, and for how long: noted while it is carried out, where that is asked for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, TypeVar

PARTS_MAX = 200
"""Parts of one call that are recorded; the others are counted."""

R = TypeVar("R")

PartKind = Literal["statement", "own statement", "limits", "idempotency"]
"""What was asked: a statement of the plan's, one that the author wrote, the store of limits, a key's answer."""


class Part(NamedTuple):
    """Something that a call waited for.

    Attributes:
        system: the database, as OpenTelemetry names it (`db.system.name`), or the store.
        text: the statement, with placeholders in place of values.
        started, ended: by the monotonic clock, in seconds.
        shared: whether it goes together with what other calls ask for at the same time.
        error: the name of the error's type that it failed with.
        within: the id of the author's span that it was asked for in; None for the call's own.
    """

    kind: PartKind
    system: str
    text: str
    started: float
    ended: float
    shared: bool
    error: str | None
    within: str | None


class Timings:
    """The parts of one call, and how long each took."""

    __slots__ = ("left_out", "now", "parts", "within")

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        """The monotonic clock."""
        self.parts: list[Part] = []
        self.left_out = 0
        self.within: Callable[[], str | None] | None = None
        """The id of the span that the author's code is in; None where no such code runs."""

    def add(
        self,
        kind: PartKind,
        system: str,
        text: str,
        started: float,
        *,
        shared: bool = False,
        error: BaseException | None = None,
    ) -> None:
        """A part that has just ended."""
        if len(self.parts) >= PARTS_MAX:
            self.left_out += 1
            return
        within = None if self.within is None else self.within()
        failed = None if error is None else type(error).__name__
        self.parts.append(Part(kind, system, text, started, self.now(), shared, failed, within))

    async def of(self, kind: PartKind, system: str, text: str, asked: Awaitable[R], *, shared: bool = False) -> R:
        """What is awaited, whose time is noted."""
        started = self.now()
        try:
            found = await asked
        except BaseException as error:
            self.add(kind, system, text, started, shared=shared, error=error)
            raise
        self.add(kind, system, text, started, shared=shared)
        return found
