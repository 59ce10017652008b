"""What a client does not read of its answers, which is kept in memory until then."""

from __future__ import annotations

import asyncio

from sternpost.protocols.http.edge import Edge


class Unsent:
    """Waits for the client, and tells whether it takes longer to read what it is sent than it might take to send as
    much."""

    __slots__ = ("_bytes", "_drained", "_since")

    def __init__(self) -> None:
        self._since: float | None = None
        self._bytes = 0
        self._drained: asyncio.Future[None] | None = None

    def taken(self) -> None:
        """The client has read so much that it may be sent more, or is gone."""
        self._since = None
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    async def wait(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until then."""
        if self._drained is None:
            self._drained = loop.create_future()
        await asyncio.shield(self._drained)

    def is_late(self, unsent: int, now: float, edge: Edge) -> bool:
        """Whether what a sweep first found should have been read by now.

        Args:
            unsent: bytes that wait for the client.
        """
        if not unsent:
            self._since = None
        elif self._since is None:
            self._since, self._bytes = now, unsent
        else:
            return now - self._since > edge.body_seconds + self._bytes / edge.body_bytes_a_second
        return False
