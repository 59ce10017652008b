"""Serves an application with another ASGI server than Sternpost's own: `other_server.py uvicorn|hypercorn PORT`."""

from __future__ import annotations

import asyncio
import sys

from sternpost.cli.migrate import create_schema
from tests.process.edge_service import app


def with_uvicorn(port: int) -> None:
    import uvicorn

    uvicorn.run(app, port=port, log_config=None, access_log=False)


def with_hypercorn(port: int) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(serve(app, config))  # type: ignore[arg-type]


if __name__ == "__main__":
    create_schema(app)
    print(f"starting at port {sys.argv[2]}", flush=True)
    {"uvicorn": with_uvicorn, "hypercorn": with_hypercorn}[sys.argv[1]](int(sys.argv[2]))
