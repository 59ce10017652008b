"""A TCP proxy between a service and its database that can fall silent: it takes what is sent, and gives nothing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self
from urllib.parse import urlsplit


class _Pipe:
    """One connection through the proxy."""

    def __init__(self, silent: bool) -> None:
        self.silent = silent
        self.deaf = False
        """Whether only the answers are lost."""
        self.tasks: list[asyncio.Task[None]] = []


class Proxy:
    """Passes bytes on to the server of a URL.

    Attributes:
        silent: whether new connections are accepted, and nothing is passed on for them.
        lose_answer_to: after bytes from a client that hold these, its connection gives no answer any more.
        lost: how many connections have fallen silent for that.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._url = url
        self._pipes: set[_Pipe] = set()
        self.silent = False
        self.lose_answer_to: bytes | None = None
        self.lost = 0
        self.accepted = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for pipe in list(self._pipes):
            for task in pipe.tasks:
                task.cancel()
        await asyncio.gather(*(task for pipe in list(self._pipes) for task in pipe.tasks), return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The server's URL through the proxy."""
        port = self._server.sockets[0].getsockname()[1]
        parts = urlsplit(self._url)
        return parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()

    def silence(self) -> int:
        """Has every connection fall silent that there is; how many those are."""
        for pipe in self._pipes:
            pipe.silent = True
        return len(self._pipes)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        pipe = _Pipe(self.silent)
        self._pipes.add(pipe)
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
            pipe.tasks = [
                asyncio.create_task(self._forth(pipe, reader, server_writer)),
                asyncio.create_task(self._back(pipe, server_reader, writer)),
            ]
            # the end of one side is the end of the other, unless nothing is passed on: then the server learns nothing
            await asyncio.wait(pipe.tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pipe.tasks:
                task.cancel()
            await asyncio.gather(*pipe.tasks, return_exceptions=True)
            for opened in (writer, server_writer):
                opened.close()
                with contextlib.suppress(OSError):
                    await opened.wait_closed()
        finally:
            self._pipes.discard(pipe)

    async def _forth(self, pipe: _Pipe, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            if self.lose_answer_to is not None and self.lose_answer_to in data:
                pipe.deaf, self.lost = True, self.lost + 1
            if not pipe.silent:
                writer.write(data)

    async def _back(self, pipe: _Pipe, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await _read(reader):
            if not (pipe.silent or pipe.deaf):
                writer.write(data)


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65_536)
    except OSError:
        return b""
