"""What a command does on an application's database, without serving it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from sternpost.errors import StartupError, SternpostError

if TYPE_CHECKING:
    from sternpost.app.application import Sternpost
    from sternpost.pipeline.runtime import Runtime
    from sternpost.ports.storage import Storage

T = TypeVar("T")


def on_storage(application: Sternpost, work: Callable[[Storage], Awaitable[T]]) -> T:
    """Opens the application's database, does the work, and closes it; nothing else of the application starts. Raises
    `StartupError` where the database cannot be used."""

    async def run() -> T:
        async with application.opened() as storage:
            return await work(storage)

    return _run(run)


def on_runtime(application: Sternpost, work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Starts the application, does the work, and stops it. Raises as `on_storage`."""

    async def run() -> T:
        running = await application.start()
        try:
            return await work(running.runtime)
        finally:
            await application.stop()

    return _run(run)


def _run(run: Callable[[], Coroutine[Any, Any, T]]) -> T:
    try:
        return asyncio.run(run())
    except SternpostError as error:
        raise StartupError(f"The database cannot be used: {error.log.get('reason', error.message)}") from error
