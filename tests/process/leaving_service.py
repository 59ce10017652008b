"""A service whose reads do not end by themselves, and whose one write takes as long as a test wants."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Payload,
    Read,
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

    text: str = field(max_length=40)

    browse = Browse(allow=public, export=True)
    read = Read(allow=public)
    create = Create(allow=public)
    look = Custom(on="collection", method="GET", output=Done, allow=public)
    write = Custom(on="collection", output=Done, allow=public)


@implements(Note.look)
async def look(ctx: Context) -> Done:
    await ctx.data.sql(
        "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) as endless from n where i < 0"
    )
    return Done(done=True)


@implements(Note.write)
async def write(ctx: Context) -> Done:
    await ctx.repository(Note).create({"text": "whoever waits for it"})
    folder = Path(os.environ["LEAVING_FOLDER"])
    (folder / "entered").touch()
    while not (folder / "release").exists():
        await asyncio.sleep(0.01)
    return Done(done=True)


app = Sternpost(Contract("leaving", resources=[Note]), services=[look, write])
