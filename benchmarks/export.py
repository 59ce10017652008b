"""How much memory a server takes to export a list of a million rows, and how long.

python -m benchmarks.export [rows]
"""

from __future__ import annotations

import http.client
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.long_list import DATABASES, Server, long_list


def export(server: Server, accept: str, query: str) -> None:
    """One export, read to its end."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    start = time.perf_counter()
    connection.request("GET", f"/api/v1/products{query}", headers={"accept": accept})
    response = connection.getresponse()
    assert response.status == 200
    lines = size = 0
    while block := response.read(1 << 16):
        lines += block.count(b"\n")
        size += len(block)
    seconds = time.perf_counter() - start
    connection.close()
    print(f"  {accept:22} {query or '-':18} {lines:>9,} lines, {size / 2**20:6.1f} MiB, {seconds:5.1f} s", flush=True)


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    for database in DATABASES:
        with tempfile.TemporaryDirectory() as folder, long_list(database, Path(folder), rows) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            connection.request("GET", "/api/v1/products")
            connection.getresponse().read()
            connection.close()
            idle = server.resident_kib("VmRSS")
            print(f"{database}, {rows:,} rows, idle at {idle / 1024:.1f} MiB")
            for accept, query in (
                ("application/x-ndjson", ""),
                ("text/csv", ""),
                ("application/x-ndjson", "?sort=-name"),
                ("application/x-ndjson", "?sort=stock,-name"),
            ):
                export(server, accept, query)
                above = (server.resident_kib("VmHWM") - idle) / 1024
                print(f"    most so far: {above:.1f} MiB above idle", flush=True)


if __name__ == "__main__":
    main()
