"""A connection that another protocol has taken over, such as one of WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Upgraded(asyncio.Protocol):
    """Passes everything on, and tells the end.

    Args:
        inner: the other protocol.
        on_end: called once.
    """

    def __init__(self, inner: Any, on_end: Callable[[], None]) -> None:
        self._inner = inner
        self._on_end = on_end

    def connection_made(self, transport: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As it was made before."""
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """What has arrived."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """The client does not read."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """The client does again."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._on_end()
        self._inner.connection_lost(exc)
