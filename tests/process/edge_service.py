"""A service with mounted applications that show what reached them, and that answer in every way, right and wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Payload,
    Resource,
    Sternpost,
    Update,
    field,
    implements,
    public,
)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

BIG = 8_000_000
LEFT: list[str] = []
"""The paths whose clients have left before their answer was complete."""


class Done(Payload):
    ok: bool


class Note(Resource, prefix="not"):
    text: str = field(max_length=200_000)
    more: dict[str, Any] | None = field(default=None)
    browse = Browse(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    touch = Custom(on="collection", output=Done, allow=public)


@implements(Note.touch)
async def touch(ctx: Context) -> Done:
    return Done(ok=True)


async def body_of(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client has left")
        parts.append(message["body"])
        if not message["more_body"]:
            return b"".join(parts)


async def start(send: Send, *headers: tuple[bytes, bytes], status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def part(send: Send, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the request that it got."""
    found = {
        "method": scope["method"],
        "path": scope["path"],
        "raw": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "scheme": scope["scheme"],
        "version": scope["http_version"],
        "headers": [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]],
        "body": (await body_of(receive)).decode("latin-1"),
    }
    answer = json.dumps(found).encode()
    await start(send, (b"content-length", b"%d" % len(answer)))
    await part(send, b"" if scope["method"] == "HEAD" else answer)


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers in the way that the path names."""
    match scope["path"].rpartition("/")[2]:
        case "chunked":
            await start(send)
            for each in (b"one ", b"", b"two ", b"three"):
                await part(send, each, more=True)
            await part(send, b"")
        case "short":
            await start(send, (b"content-length", b"10"))
            await part(send, b"nine", more=False)
        case "long":
            await start(send, (b"content-length", b"4"))
            await part(send, b"nine and more")
        case "lengths":
            await start(send, (b"content-length", b"4"), (b"content-length", b"5"))
            await part(send, b"nine")
        case "negative":
            await start(send, (b"content-length", b"-4"))
        case "nothing":
            return
        case "started":
            await start(send, (b"content-length", b"4"))
        case "raises":
            raise ValueError("before the answer")
        case "raises-within":
            await start(send)
            await part(send, b"half", more=True)
            raise ValueError("within the answer")
        case "split":
            await start(send, (b"x", b"a\r\nset-cookie: b=c"))
        case "big":
            await start(send, (b"content-length", b"%d" % BIG))
            await part(send, b"x" * BIG)
        case "endless":
            await start(send)
            try:
                while True:
                    await part(send, b"x" * 65_536, more=True)
                    await asyncio.sleep(0)
            except asyncio.CancelledError:
                LEFT.append(scope["path"])
                raise
        case "left":
            await start(send)
            await part(send, json.dumps(LEFT).encode())
        case _:
            await start(send, status=204)
            await part(send, b"")


async def sockets(scope: Scope, receive: Receive, send: Send) -> None:
    """WebSockets: tells its scope, and then sends back what it is sent; tells of the end."""
    if scope["type"] == "http":
        await start(send)
        await part(send, json.dumps(LEFT).encode())
        return
    if scope["type"] != "websocket":
        raise RuntimeError("it takes no lifespan")
    assert (await receive())["type"] == "websocket.connect"
    if scope["path"].endswith("/refused"):
        await send({"type": "websocket.close"})
        return
    if scope["path"].endswith("/fails"):
        raise ValueError("before the handshake")
    await send({"type": "websocket.accept"})
    told = {name: scope[name] for name in ("path", "root_path", "scheme", "client")}
    await send({"type": "websocket.send", "text": json.dumps(told)})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
    LEFT.append(f"{scope['path']} {message['code']}")


app = Sternpost(
    Contract("edge", resources=[Note]),
    services=[touch],
    mounts={"/echo": echo, "/answers": answers, "/sockets": sockets},
)
