"""A listening socket closes: who has begun to connect is served, who comes later is refused, and nobody is reset."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator

import pytest

from sternpost.app import listener
from sternpost.app.listener import close_without_reset
from tests.support.handshake import DeafClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can be kept out")

HOSTS = ("127.0.0.1", "::1")


class Echo:
    """A server that sends back a byte, and what it listens on."""

    def __init__(self, opened: socket.socket, server: asyncio.Server) -> None:
        self.socket = opened
        self.port: int = opened.getsockname()[1]
        self.closed = asyncio.Event()
        self._server = server

    def close(self) -> None:
        self._server.close()
        self.closed.set()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):  # the planted bugs reset connections
        writer.write(await reader.read(1))
        await writer.drain()
    writer.close()


@pytest.fixture(params=HOSTS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Echo]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    opened = socket.create_server((request.param, 0), family=family)
    running = Echo(opened, await asyncio.start_server(echo, sock=opened))
    yield running
    running.close()


def host_of(server: Echo) -> str:
    return server.socket.getsockname()[0]


async def answer(client: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, b"x")
    return await asyncio.wait_for(loop.sock_recv(client, 1), 10)


async def connected(client: DeafClient) -> None:
    """Waits for the end of the handshake, at the client's side."""
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_writer(client.socket, ready.set)
    await asyncio.wait_for(ready.wait(), 10)
    loop.remove_writer(client.socket)


async def end_with_a_handshake_under_way(server: Echo) -> tuple[bytes, float]:
    """What a client gets that has begun to connect before the end, and connects while it goes on; and how long the end
    took."""
    client = DeafClient(server.port, host_of(server))
    loop = asyncio.get_running_loop()
    started = loop.time()
    ending = asyncio.ensure_future(close_without_reset(server.socket, server.close))
    client.listen()
    await connected(client)
    with client.socket:
        got = await answer(client.socket)
    await ending
    return got, loop.time() - started


async def test_who_has_begun_to_connect_is_still_served(server: Echo) -> None:
    got, seconds = await end_with_a_handshake_under_way(server)
    assert got == b"x"
    assert server.closed.is_set()
    assert seconds < listener.HANDSHAKE_SECONDS


async def test_who_comes_later_is_refused_and_not_reset(server: Echo) -> None:
    first = DeafClient(server.port, host_of(server))  # keeps the end going
    ending = asyncio.ensure_future(close_without_reset(server.socket, server.close))
    await asyncio.sleep(0)  # its first step
    with socket.socket(server.socket.family) as late:
        late.setblocking(False)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(late, (host_of(server), server.port)), 10)
        assert server.closed.is_set()
    await ending
    first.socket.close()


async def test_a_handshake_that_never_ends_is_not_waited_for(server: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.1)
    client = DeafClient(server.port, host_of(server))
    await asyncio.wait_for(close_without_reset(server.socket, server.close), 5)
    assert server.closed.is_set()
    client.socket.close()


async def test_without_anybody_it_closes_at_once(server: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 1e9)  # it must not come to this
    await asyncio.wait_for(close_without_reset(server.socket, server.close), 5)
    assert server.closed.is_set()


async def test_where_the_system_does_not_tell_a_moment_is_waited(server: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_half_open", lambda _: None)
    monkeypatch.setattr(listener, "BLIND_SECONDS", 1.9)
    got, _ = await end_with_a_handshake_under_way(server)
    assert got == b"x"


@pytest.mark.parametrize("missing", ["_keep_out", "_half_open"])
async def test_the_controls_lose_the_connection(server: Echo, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Planted: nobody is kept out, and nobody is waited for whose handshake is under way."""
    monkeypatch.setattr(listener, missing, lambda _: False)
    [lost] = await asyncio.gather(end_with_a_handshake_under_way(server), return_exceptions=True)
    assert isinstance(lost, OSError | TimeoutError)
