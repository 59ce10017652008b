"""Providers: what services, hooks and other providers are given by the type that they ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sternpost.contract.source import Source, caller_source

Per = Literal["app", "call"]


@dataclass(frozen=True, slots=True)
class Provider:
    """A type, and the function that makes its value."""

    type: Any
    factory: Callable[..., Any]
    per: Per
    source: Source


def provide(type: Any, factory: Callable[..., Any] | None = None, *, per: Per = "app") -> Provider:
    """Says how a value is made that services take by its type: `Sternpost(provide=[provide(Mailer, make_mailer)])`.

    Args:
        type: the class that parameters are annotated with.
        factory: a function or an async function that returns the value, or a generator or an async generator that
            yields it and tears it down behind the `yield`. Its own parameters are given by their types, too. By default
            the class itself.
        per: `app` for one value from start to stop, `call` for one for each call that asks for it.
    """
    return Provider(type, type if factory is None else factory, per, caller_source(1))
