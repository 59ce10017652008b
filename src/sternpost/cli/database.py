"""What a command does on an application's database, without serving it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from sternpost.errors import StartupError, SternpostError

if TYPE_CHECKING:
    from sternpost.app.application import Sternpost
    from sternpost.ports.storage import Storage

T = TypeVar("T")


def on_storage(application: Sternpost, work: Callable[[Storage], Awaitable[T]]) -> T:
    """Starts the application, does the work, and stops it. Raises `StartupError` where the database cannot be used."""

    async def run() -> T:
        running = await application.start()
        try:
            return await work(running.runtime.storage)
        finally:
            await application.stop()

    try:
        return asyncio.run(run())
    except SternpostError as error:
        raise StartupError(f"The database cannot be used: {error.log.get('reason', error.message)}") from error
