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
    """Opens the application's database, does the work, and closes it; nothing else of the application starts. Raises
    `StartupError` where the database cannot be used."""

    async def run() -> T:
        async with application.opened() as storage:
            return await work(storage)

    try:
        return asyncio.run(run())
    except SternpostError as error:
        raise StartupError(f"The database cannot be used: {error.log.get('reason', error.message)}") from error
