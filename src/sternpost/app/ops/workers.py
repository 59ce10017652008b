"""The workers of a supervisor, as the ops port asks them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sternpost.app.frames import Message
from sternpost.app.ops.fleet import ANSWER_SECONDS, Answered
from sternpost.app.talk import Talk


@dataclass(frozen=True, slots=True)
class Spoken:
    """A worker that runs.

    Attributes:
        number: its slot's; None for one that only starts, or is about to end, of which no answer is waited for.
    """

    number: int | None
    pid: int
    talk: Talk


class Workers:
    """Asks all of them at once.

    Args:
        running: every worker that runs.
    """

    def __init__(self, running: Callable[[], Sequence[Spoken]]) -> None:
        self._running = running

    async def ask(self, message: Message) -> Sequence[Answered]:
        """The answers of those that serve, within `ANSWER_SECONDS`."""
        running = self._running()
        for worker in running:
            if worker.number is None:
                worker.talk.tell(message)
        serving = [(worker.number, worker) for worker in running if worker.number is not None]
        answers = await asyncio.gather(*(worker.talk.ask(message, ANSWER_SECONDS) for _, worker in serving))
        return [Answered(number, worker.pid, answer) for (number, worker), answer in zip(serving, answers, strict=True)]
