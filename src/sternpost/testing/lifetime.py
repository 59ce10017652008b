"""Keeps an application open for a test, whichever library runs the test's event loop, and closes it in that loop.

Opening binds nothing to a loop. The first use notes in which one the test runs, and leaves an asynchronous generator
there: every runner of loops ends those before it closes its loop, so that connections are closed where they were made.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

from sternpost.app.application import Sternpost
from sternpost.app.running import Running
from sternpost.ports.storage import Storage
from sternpost.testing.apart import run_apart
from sternpost.testing.client import Client, Response

ONE_LOOP = (
    "A test uses the application in one event loop, and this is another one. Make all calls in one asynchronous "
    "function, and give fixtures that call it the scope of the test"
)


class Lifetime:
    """An application that is open, from a fixture's begin to its end.

    Args:
        app: has the settings to be opened with.
    """

    def __init__(self, app: Sternpost) -> None:
        self.app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: AsyncGenerator[None] | None = None
        self._begun = False
        self._beginning = asyncio.Lock()

    def open(self) -> Running:
        """Opens the application, without a loop."""
        return _stepped(self.app.start(only_open=True))

    def enter(self) -> None:
        """Notes the loop that is running, if there is one. Raises `RuntimeError` in a second one."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if loop is self._loop:
            return
        if self._loop is not None:
            raise RuntimeError(ONE_LOOP)
        self._loop = loop
        self._ending = self._until_the_loop_ends()
        _stepped(anext(self._ending))

    async def begin(self) -> None:
        """Does, once and before the first request, what the application itself does at its start."""
        if self._begun:
            return
        async with self._beginning:
            if not self._begun:
                await self.app.running.start()
                self._begun = True

    def close(self) -> None:
        """Closes the application, if the end of its loop has not done so."""
        if self._loop is None:
            run_apart(self.app.stop())
        elif self._ending is not None and not self._loop.is_closed():
            self._loop.run_until_complete(self._ending.aclose())

    async def _until_the_loop_ends(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.app.stop()


class LoopClient(Client):
    """A client of an application that is open already, in whichever event loop the test runs."""

    def __init__(self, app: Sternpost, lifetime: Lifetime) -> None:
        super().__init__(app)
        self._lifetime = lifetime

    async def request(self, method: str, url: str, **options: Any) -> Response:
        self._lifetime.enter()
        await self._lifetime.begin()
        return await super().request(method, url, **options)


class LoopStorage:
    """A database that tells in which event loop it is used, whoever uses it: a request, the data client, `app.data()`.

    Args:
        storage: the database.
        enter: told each time.
    """

    def __init__(self, storage: Storage, enter: Callable[[], None]) -> None:
        self._storage = storage
        self._enter = enter

    def __getattr__(self, name: str) -> Any:
        self._enter()
        return getattr(self._storage, name)


def _stepped(coroutine: Any) -> Any:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    coroutine.close()
    raise AssertionError("it waited for something")
