"""A service whose one operation takes as long as a test wants: it ends when a file appears."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from sternpost import Context, Contract, Create, Custom, Payload, Resource, Sternpost, field, implements, public


class Waited(Payload):
    """How it ended."""

    done: bool


class Job(Resource, prefix="job"):
    """Something slow."""

    name: str = field(max_length=20)

    create = Create(allow=public)
    wait = Custom(on="collection", output=Waited, allow=public)
    hurry = Custom(on="collection", output=Waited, allow=public, timeout=0.05)
    crash = Custom(on="collection", output=Waited, allow=public)


@implements(Job.wait)
async def wait(ctx: Context) -> Waited:
    folder = Path(os.environ["SLOW_FOLDER"])
    (folder / "entered").touch()
    while not (folder / "release").exists():
        await asyncio.sleep(0.01)
    return Waited(done=True)


@implements(Job.hurry)
async def hurry(ctx: Context) -> Waited:
    await ctx.repository(Job).create({"name": "too late"})
    await asyncio.Event().wait()
    return Waited(done=True)


@implements(Job.crash)
async def crash(ctx: Context) -> Waited:
    await ctx.repository(Job).create({"name": "half done"})
    raise ValueError("password=hunter2 SELECT * FROM jobs")


app = Sternpost(Contract("slow", resources=[Job]), services=[wait, hurry, crash])
