"""What a page deep in a list costs the data client, in one process without HTTP.

    python -P benchmarks/keyset.py ID PAGES

Started with the path and the settings of a source tree, so that its code and its shop are measured. Walks from the user
ID on, by name. Prints JSON: the CPU of this process and the median time of a page, and the id that it ended at.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from statistics import median

from shop.app import app
from shop.data import Data

PAGE_SIZE = 20
WARMUP_PAGES = 20


async def measure(start: str, pages: int) -> dict[str, float | str]:
    """Microseconds a page."""
    times: list[float] = []
    cpu = 0.0
    async with app.data(Data) as db:
        row = await db.users.get(start)
        for number in range(WARMUP_PAGES + pages):
            if number == WARMUP_PAGES:
                cpu = time.process_time()
            before = time.perf_counter()
            row = (await db.users.find(order=["name"], limit=PAGE_SIZE, after=row))[PAGE_SIZE - 1]
            times.append(time.perf_counter() - before)
        cpu = time.process_time() - cpu
    return {"cpu_us": cpu / pages * 1e6, "wall_us": median(times[WARMUP_PAGES:]) * 1e6, "last": row.id}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2])))))
