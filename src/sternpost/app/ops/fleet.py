"""The processes that serve: this one alone, or the workers of a supervisor."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sternpost.app.frames import Message

ANSWER_SECONDS = 1.0
"""How long a process may take to answer. One that is stopped is answered without."""

Question = Callable[[Message], Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a process has answered.

    Attributes:
        worker: its number; None where there are no workers.
        answer: None where none came in time.
    """

    worker: int | None
    pid: int
    answer: Any

    def as_json(self) -> Mapping[str, Any]:
        """Whether it has answered, for those who asked."""
        return {"worker": self.worker, "pid": self.pid, "answered": self.answer is not None}


class Fleet(Protocol):
    """The processes that serve."""

    def ask(self, message: Message) -> Awaitable[Sequence[Answered]]:
        """Asks each, within `ANSWER_SECONDS`. One that does not answer takes note of the message later, and so does one
        that does not serve yet."""
        ...


class Alone:
    """This process.

    Args:
        answer: what it answers.
    """

    def __init__(self, answer: Question) -> None:
        self._answer = answer

    async def ask(self, message: Message) -> Sequence[Answered]:
        """Its answer."""
        return [Answered(None, os.getpid(), self._answer(message))]
