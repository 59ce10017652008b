"""What is left to do when a call has ended: functions after its commit, and the end of what was provided for it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from sternpost.data.providers import CallProviders
from sternpost.telemetry.events import FunctionAfterCommitFailed, ProvidedNotTornDown
from sternpost.telemetry.observation import Observation

AFTER_COMMIT_SECONDS = 10.0
"""How long the functions after a commit may take, all together: the client waits for them."""


class Ending:
    """What is left to do for one call, and for all steps of a batch."""

    def __init__(self) -> None:
        self._after_commit: list[Callable[[], Any]] = []
        self._providers: list[CallProviders] = []

    def later(self, function: Callable[[], Any]) -> None:
        """Takes a function to be run once it is committed."""
        self._after_commit.append(function)

    def provided(self, providers: CallProviders) -> None:
        """Takes values that are to be torn down."""
        self._providers.append(providers)

    async def again(self, observation: Observation) -> None:
        """The call runs again from its start: what was asked for is forgotten, and what was made is torn down."""
        self._after_commit.clear()
        await self.close(observation)

    async def committed(self, observation: Observation) -> None:
        """Runs the functions in the order in which they were asked for. An error is logged, and the next one runs."""
        functions, self._after_commit = self._after_commit, []
        ends = asyncio.get_running_loop().time() + AFTER_COMMIT_SECONDS
        for function in functions:
            try:
                async with asyncio.timeout_at(ends):
                    result = function()
                    if inspect.isawaitable(result):
                        await result
            except Exception as error:  # noqa: BLE001  (the change is committed, whatever becomes of this)
                observation.tell(FunctionAfterCommitFailed(function=_name(function), error=error))

    async def close(self, observation: Observation) -> None:
        """Tears down what was provided, the last first. What was to follow a commit that did not come is forgotten."""
        self._after_commit.clear()

        def failed(name: str, error: BaseException) -> None:
            observation.tell(ProvidedNotTornDown(provided=name, error=error))

        while self._providers:
            await self._providers.pop().close(failed)


def _name(function: Any) -> str:
    found = getattr(function, "func", function)
    return str(getattr(found, "__qualname__", None) or type(found).__name__)
