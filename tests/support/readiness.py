"""Waits for readiness to tell what has changed: dependencies are checked in the background."""

from __future__ import annotations

import asyncio

from sternpost.testing import Client, Response

TOLD_SECONDS = 4.0
"""Longer than any change takes to be told, on a busy machine, too."""


async def readiness(client: Client, status: int) -> Response:
    """The answer of `/health/ready` once it has this status."""
    async with asyncio.timeout(TOLD_SECONDS):
        while (answer := await client.get("/health/ready")).status != status:
            await asyncio.sleep(0.02)
    return answer
