"""What a page by cursor costs at the beginning of a long list, and a million rows further on.

    python -m benchmarks.deep_page [rows] [requests]

Prints, for each database and sort, the CPU of server and database for a request, and the median time.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.long_list import DATABASES, Server, long_list

SORTS = ("", "priceCents", "-priceCents")
ROUNDS = 5


def get(connection: http.client.HTTPConnection, path: str) -> Any:
    """One answer."""
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, body
    return json.loads(body)


def measure(server: Server, connection: http.client.HTTPConnection, path: str, requests: int) -> tuple[float, float]:
    """CPU and median time of a request, both in microseconds."""
    times: list[float] = []
    before = server.cpu_seconds()
    for _ in range(requests):
        start = time.perf_counter()
        get(connection, path)
        times.append(time.perf_counter() - start)
    return (server.cpu_seconds() - before) / requests * 1e6, statistics.median(times) * 1e6


def compare(server: Server, sort: str, rows: int, requests: int) -> None:
    """Both pages in turns."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    query = f"/api/v1/products?pageSize=20{f'&sort={sort}' if sort else ''}"
    # The cursor of row 1,000,000 comes from the page by number that ends there: the two agree on where a list goes on.
    deep = get(connection, f"{query}&page={rows // 20 - 5}")["meta"]["nextCursor"]
    pages = {"first": f"{query}&cursor=", "deep": f"{query}&cursor={deep}"}
    for path in pages.values():
        measure(server, connection, path, 200)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in pages}
    for _ in range(ROUNDS):
        for name, path in pages.items():
            found[name].append(measure(server, connection, path, requests))
    cpu = {name: statistics.median(pair[0] for pair in pairs) for name, pairs in found.items()}
    wall = {name: statistics.median(pair[1] for pair in pairs) for name, pairs in found.items()}
    print(
        f"  sort={sort or 'id':12} CPU first {cpu['first']:6.0f} µs, deep {cpu['deep']:6.0f} µs "
        f"({cpu['deep'] / cpu['first'] - 1:+.0%}); time first {wall['first']:6.0f} µs, deep {wall['deep']:6.0f} µs "
        f"({wall['deep'] / wall['first'] - 1:+.0%})",
        flush=True,
    )
    connection.close()


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_100
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    for database in DATABASES:
        with tempfile.TemporaryDirectory() as folder, long_list(database, Path(folder), rows) as server:
            print(f"{database}, {rows:,} rows, {requests} requests a round, {ROUNDS} rounds")
            for sort in SORTS:
                compare(server, sort, rows, requests)


if __name__ == "__main__":
    main()
