"""The shop, and an address that tells what of it only the garbage collector can free."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

import orjson
from shop import services
from shop.contract import contract

from sternpost import Sternpost


async def garbage(scope: Any, receive: Any, send: Any) -> None:
    """Collects, and names what was found. From the first request on nothing else collects."""
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.collect()
    found = Counter(type(thing).__qualname__ for thing in gc.garbage)
    gc.garbage.clear()
    gc.set_debug(0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": orjson.dumps(dict(found.most_common()))})


app = Sternpost(contract, services=[services], mounts={"/garbage": garbage})
