"""A process that reads the outbox: `python -m tests.outbox.reader URL FOLDER`. It writes each event down, then how far it
came, so that killing it anywhere makes it read some events again, and none never."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from sternpost import Settings
from sternpost.app.drivers import make_storage
from sternpost.errors import Unavailable
from sternpost.ports.outbox import Position
from tests.outbox.ledger import app

EVENTS, POSITION = "events.ndjson", "position"


async def read(url: str, folder: Path) -> None:
    storage = make_storage(Settings(env="test", database_url=url, jwt_secret="not-used-by-a-reader-0123456789abcdef"))
    await storage.open(app.plan)
    outbox, kept = storage.outbox(), folder / POSITION
    position = Position.read(kept.read_text("utf-8")) if kept.exists() else None
    with (folder / EVENTS).open("a", encoding="utf-8") as events_file:
        events_file.write("\n")  # behind a line that was cut off
        print("reading", flush=True)
        while True:
            try:
                await outbox.wait(position, 5)
                events, position = await outbox.after(position, 20)
            except Unavailable:
                await asyncio.sleep(0.05)  # the database is away: nothing tells when it is back
                continue
            for event in events:
                events_file.write(json.dumps([event.id, event.name, event.row_id]) + "\n")
            if events and position is not None:
                events_file.flush()
                os.fsync(events_file.fileno())
                new = kept.with_suffix(".new")
                new.write_text(position.text, "utf-8")
                new.replace(kept)


if __name__ == "__main__":
    asyncio.run(read(sys.argv[1], Path(sys.argv[2])))
