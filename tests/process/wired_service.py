"""The shop with a start, a stop, a provider and middleware of its own; `BROKEN` in the environment makes the start fail."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from typing import Any

from shop import services
from shop.contract import Product, contract

from sternpost import HookCall, Sternpost, after_commit, provide


class Counter:
    def __init__(self, name: str) -> None:
        self.name = name
        self.made = 0


async def make_counter() -> AsyncGenerator[Counter]:
    if "BROKEN" in os.environ:
        raise ValueError("there is no room for a counter")
    yield Counter(f"process {os.getpid()}")
    print("counter torn down", flush=True)


async def count(call: HookCall, *, counter: Counter) -> None:
    counter.made += 1
    call.log.info("Counted", made=counter.made)


async def ready(*, counter: Counter) -> None:
    print(f"prepared in {counter.name}", flush=True)


async def done(*, counter: Counter) -> None:
    print(f"finished with {counter.made}", flush=True)


class Stamp:
    """Puts the process into each answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-process", str(os.getpid()).encode())]
            await send(message)

        await self.app(scope, receive, sending)


app = Sternpost(
    contract,
    services=[services],
    hooks=[after_commit(count, Product.create)],
    provide=[provide(Counter, make_counter)],
    on_start=[ready],
    on_stop=[done],
    middleware=[Stamp],
)
