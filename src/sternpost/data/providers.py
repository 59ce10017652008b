"""Values that are made by providers: for the whole application, or for one call; and torn down in reverse order."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

from sternpost.errors import StartupError

TEARDOWN_SECONDS = 10.0
"""How long the end of one value may take."""

Needs = tuple[tuple[str, type], ...]
"""Parameters by name, each with the type whose value it gets."""

OnError = Callable[[str, BaseException], None]
"""Told what failed, and how."""


@dataclass(frozen=True, slots=True)
class Injected:
    """A function of the author's, and which of its parameters are provided."""

    function: Callable[..., Any]
    needs: Needs = ()

    @property
    def name(self) -> str:
        """How it is called in messages."""
        return str(getattr(self.function, "__qualname__", None) or repr(self.function))


@dataclass(frozen=True, slots=True)
class Maker:
    """How the value of a type is made.

    Attributes:
        key: the type.
        needs: parameters of the factory, without the context.
        context: the parameter that gets the call's context, if any.
        yields: whether the factory is a generator, and ends the value itself.
    """

    key: type
    factory: Callable[..., Any]
    per: Literal["app", "call"]
    needs: Needs = ()
    context: str | None = None
    yields: bool = False


class _Made:
    """Values that were made, and what ends them."""

    def __init__(self) -> None:
        self.values: dict[type, Any] = {}
        self._ends: list[tuple[type, Generator[Any] | AsyncGenerator[Any]]] = []

    async def make(self, maker: Maker, arguments: dict[str, Any]) -> Any:
        """Makes a value. Raises what the factory raises, and `TypeError` where it makes nothing."""
        made: Any = maker.factory(**arguments)
        if maker.yields:
            generator = cast("Generator[Any] | AsyncGenerator[Any]", made)
            made = await anext(generator, None) if isinstance(generator, AsyncGenerator) else next(generator, None)
            self._ends.append((maker.key, generator))
        elif inspect.isawaitable(made):
            made = await made
        if made is None:
            raise TypeError(
                f"The factory of {maker.key.__name__} has made nothing: it has to return, or yield, the value"
            )
        self.values[maker.key] = made
        return made

    async def close(self, failed: OnError) -> None:
        """Ends them, the last first; one that fails is told of, and the others are ended all the same."""
        while self._ends:
            type_, generator = self._ends.pop()
            try:
                async with asyncio.timeout(TEARDOWN_SECONDS):
                    await _end(generator)
            except Exception as error:  # noqa: BLE001  (it is told; what is left has to end, too)
                failed(type_.__name__, error)
        self.values.clear()


async def _end(generator: Generator[Any] | AsyncGenerator[Any]) -> None:
    """Runs what stands behind the `yield`. Raises `RuntimeError` where another `yield` does."""
    ended = object()
    if isinstance(generator, AsyncGenerator):
        more = await anext(generator, ended)
        await generator.aclose()
    else:
        more = next(generator, ended)
        generator.close()
    if more is not ended:
        raise RuntimeError("A provider yields more than once")


class AppProviders:
    """The values of an application, from its start to its stop.

    Args:
        makers: in the order in which they are made: none needs one behind it.
        given: values that are there already, such as the settings.
        overrides: values that tests put in place of others; looked up at each use.
    """

    def __init__(
        self, makers: Sequence[Maker] = (), given: Mapping[type, Any] | None = None, overrides: Overrides | None = None
    ) -> None:
        self._makers = {maker.key: maker for maker in makers}
        self._given = given or {}
        self._overrides = overrides or Overrides()
        self._made = _Made()

    async def open(self) -> None:
        """Makes all that live as long as the application, but those that are replaced.

        Raises:
            StartupError: a factory failed; it is named.
        """
        self._overrides.used_by = {
            maker.key: [user.key.__name__ for user in self._makers.values() if _needs(user, maker.key)]
            for maker in self._makers.values()
        }
        for maker in self._makers.values():
            if maker.per != "app" or maker.key in self._overrides.values:
                continue
            try:
                await self._made.make(maker, {name: self.get(needed) for name, needed in maker.needs})
            except Exception as error:
                raise StartupError(
                    f"{maker.key.__name__} could not be provided: {type(error).__name__}: {error}"
                ) from error

    async def close(self, failed: OnError) -> None:
        """Ends what was made."""
        self._overrides.used_by = {}
        await self._made.close(failed)

    def get(self, wanted: type) -> Any:
        """The value of a type that lives as long as the application."""
        overrides = self._overrides.values
        if wanted in overrides:
            return overrides[wanted]
        return self._given[wanted] if wanted in self._given else self._made.values[wanted]

    def arguments(self, needs: Needs) -> dict[str, Any]:
        """The arguments of a function that takes such values alone."""
        return {name: self.get(wanted) for name, wanted in needs}

    def maker(self, wanted: type) -> Maker | None:
        """How a value is made for each call; None where it is there for longer."""
        found = None if wanted in self._overrides.values else self._makers.get(wanted)
        return found if found is not None and found.per == "call" else None


class CallProviders:
    """The values of one call, made when they are asked for."""

    def __init__(self, app: AppProviders, context: Any) -> None:
        self._app = app
        self._context = context
        self._made = _Made()

    async def arguments(self, needs: Needs) -> dict[str, Any]:
        """The arguments of a function."""
        return {name: await self._get(wanted) for name, wanted in needs}

    async def close(self, failed: OnError) -> None:
        """Ends what was made."""
        await self._made.close(failed)

    async def _get(self, wanted: type) -> Any:
        maker = self._app.maker(wanted)
        if maker is None:
            return self._app.get(wanted)
        if wanted in self._made.values:
            return self._made.values[wanted]
        arguments = {name: await self._get(needed) for name, needed in maker.needs}
        if maker.context is not None:
            arguments[maker.context] = self._context
        return await self._made.make(maker, arguments)


class Overrides:
    """Values that stand in for provided ones, for the time of a test."""

    def __init__(self) -> None:
        self.values: dict[type, Any] = {}
        self.used_by: dict[type, list[str]] = {}
        """While the application runs: which others were made with a type."""

    @contextmanager
    def replaced(self, wanted: type, value: Any) -> Generator[None]:
        """Puts a value in place for the time of a block.

        Raises:
            RuntimeError: another provider has its value already, and would go on with the real one.
        """
        if self.used_by.get(wanted):
            users = ", ".join(self.used_by[wanted])
            raise RuntimeError(
                f"{users} was made with {wanted.__name__} when the application started: override it before the start"
            )
        before = self.values
        self.values = {**before, wanted: value}
        try:
            yield
        finally:
            self.values = before


def _needs(user: Maker, wanted: type) -> bool:
    """Whether a value of the application was made with another one."""
    return user.per == "app" and any(needed is wanted for _, needed in user.needs)
