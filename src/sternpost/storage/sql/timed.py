"""Notes of each statement how long it takes. It stands around what runs SQL text only where that is asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from sternpost.ports.storage import Origin, Statistics, Values
from sternpost.storage.sql.reads import PointStatement
from sternpost.storage.sql.statements import Statements
from sternpost.telemetry.timings import Timings

R = TypeVar("R")


def noted(
    inserted: Awaitable[R],
    statements: Statements,
    resource: str,
    values: Values,
    statistics: Statistics,
    *,
    shared: bool = True,
) -> Awaitable[R]:
    """A new row that is written with those of others, noted by the statement that writes it alone, where that is asked
    for."""
    timings = statistics.timings
    if timings is None:
        return inserted
    statement, _ = statements.insert(resource, tuple(sorted(values)))
    return timings.of("statement", statements.dialect.name, statement.text, inserted, shared=shared)


class Timed:
    """Runs SQL text, reads as well as changes, as what is within does.

    Args:
        within: a `Queries`, a `Connection` of a transaction, or a `Snapshot`.
        system: the name of the database.
    """

    def __init__(self, within: Any, timings: Timings, system: str) -> None:
        self._within = within
        self._timings = timings
        self._system = system
        self._shared: bool = within.shares

    @property
    def shares(self) -> bool:
        """As what is within."""
        return self._shared

    def _of(self, text: str, asked: Awaitable[Any], *, own: bool = False) -> Awaitable[Any]:
        kind = "own statement" if own else "statement"
        return self._timings.of(kind, self._system, text, asked, shared=self._shared)

    def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Awaitable[Sequence[Any]]:
        return self._of(text, self._within.fetch(text, arguments, short=short))

    def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Awaitable[Any]:
        return self._of(statement.one.text, self._within.fetch_one(statement, named))

    def records(self, text: str, arguments: tuple[Any, ...]) -> Awaitable[list[dict[str, Any]]]:
        return self._of(text, self._within.records(text, arguments), own=True)

    def execute(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Awaitable[int]:
        return self._of(text, self._within.execute(text, arguments, short=short))

    def attribute(self, origin: Origin) -> Awaitable[None]:
        return self._within.attribute(origin)

    def changed(self, text: str, arguments: tuple[Any, ...]) -> Awaitable[int]:
        return self._of(text, self._within.changed(text, arguments), own=True)

    def command(self, text: str) -> Awaitable[None]:
        return self._within.command(text)

    async def parts(self, text: str, arguments: tuple[Any, ...], size: int) -> AsyncGenerator[Sequence[Any]]:
        """Noted as a whole, with the pauses of whoever reads them."""
        started = self._timings.now()
        try:
            async with aclosing(self._within.parts(text, arguments, size)) as parts:
                async for part in parts:
                    yield part
        finally:
            self._timings.add("statement", self._system, text, started)
