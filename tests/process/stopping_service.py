"""A service that tests stop at a moment of their choice: files say when its start, and its operations, go on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Payload,
    Resource,
    Sternpost,
    field,
    implements,
    public,
)


class Done(Payload):
    """It was carried out."""

    done: bool


class Note(Resource, prefix="not"):
    """Something written down."""

    text: str = field(max_length=400)

    browse = Browse(allow=public, export=True, sort=["text"])
    create = Create(allow=public)
    look = Custom(on="collection", method="GET", output=Done, allow=public)
    hold = Custom(on="collection", output=Done, allow=public)
    hold_briefly = Custom(on="collection", output=Done, allow=public, timeout=4.5)
    hold_thread = Custom(on="collection", output=Done, allow=public)
    leave_thread = Custom(on="collection", output=Done, allow=public)
    ignore = Custom(on="collection", output=Done, allow=public)


def reached(name: str) -> bool:
    """Whether a file is there."""
    return (Path(os.environ["STOPPING_FOLDER"]) / name).exists()


async def wait_for(entered: str, release: str) -> None:
    """Makes a file, and waits for another one."""
    (Path(os.environ["STOPPING_FOLDER"]) / entered).touch()
    while not reached(release):
        await asyncio.sleep(0.01)


@implements(Note.look)
async def look(ctx: Context) -> Done:
    await wait_for("entered", "release")
    return Done(done=True)


@implements(Note.hold)
async def hold(ctx: Context) -> Done:
    await ctx.repository(Note).create({"text": "held"})
    await wait_for("entered", "release")
    return Done(done=True)


@implements(Note.hold_briefly)
async def hold_briefly(ctx: Context) -> Done:
    return await hold(ctx)


def work() -> None:
    """Takes its thread until a file is there."""
    (Path(os.environ["STOPPING_FOLDER"]) / "entered").touch()
    while not reached("release"):
        time.sleep(0.01)
    (Path(os.environ["STOPPING_FOLDER"]) / "worked").touch()


@implements(Note.hold_thread)
async def hold_thread(ctx: Context) -> Done:
    await asyncio.to_thread(work)
    return Done(done=True)


@implements(Note.leave_thread)
async def leave_thread(ctx: Context) -> Done:
    asyncio.get_running_loop().run_in_executor(None, work)
    return Done(done=True)


async def never_end() -> None:
    """Ignores that it is cancelled."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await wait_for("entered", "never")


@implements(Note.ignore)
async def ignore(ctx: Context) -> Done:
    await never_end()
    return Done(done=True)


async def start() -> None:
    if reached("start slowly"):
        await wait_for("starting", "started")
    if reached("start in a thread"):
        await asyncio.to_thread(work)


async def stop() -> None:
    if reached("stop slowly"):
        await wait_for("stopping", "stopped")


app = Sternpost(
    Contract("stopping", resources=[Note]),
    services=[look, hold, hold_briefly, hold_thread, leave_thread, ignore],
    on_start=[start],
    on_stop=[stop],
)
