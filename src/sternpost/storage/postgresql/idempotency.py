"""Kept answers, read by many requests at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sternpost.ports.own_tables import IDEMPOTENCY_TABLE
from sternpost.storage.postgresql.grouped import Fetch
from sternpost.storage.sql.grouping import Grouping

TOGETHER_MAX = 32
"""Answers that are read by one statement: each may be as large as an answer can be."""

_FIND = f"SELECT request, head, body, id FROM {IDEMPOTENCY_TABLE} WHERE id = ANY($1::bytea[]) AND expires_at > $2"


class AnswerReads:
    """Answers by their id: `id = ANY(…)` for all that are asked for together."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.grouping: Grouping[None, tuple[bytes, datetime], Any] = Grouping(self._run, size_max=TOGETHER_MAX)

    async def read(self, id: bytes, now: datetime) -> Sequence[Any] | None:
        """The answer with this id, unless it has expired."""
        try:
            return await self.grouping.join(None, (id, now))
        except asyncio.CancelledError:
            self.grouping.forsake()
            raise

    async def _run(self, _: None, take: Callable[[], list[tuple[bytes, datetime]]]) -> list[Any]:
        asked = take()
        if not asked:
            return []
        latest = asked[-1][1]  # what has expired for one of them must not be told to another a moment later
        rows = await self._fetch(_FIND, ([one for one, _ in asked], latest))
        found = {row[3]: row for row in rows}
        return [found.get(one) for one, _ in asked]
