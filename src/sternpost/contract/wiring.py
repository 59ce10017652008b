"""What an application adds to its contract, beside services: hooks, providers, start and stop, middleware, mounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sternpost.contract.source import Source


@dataclass(frozen=True, slots=True)
class Wiring:
    """The arguments of `Sternpost` as they were given; compiling checks them.

    Attributes:
        source: the line of the application; that of the contract where there is none.
    """

    hooks: Any = ()
    provide: Any = ()
    on_start: Any = ()
    on_stop: Any = ()
    middleware: Any = ()
    mounts: Any = ()
    source: Source | None = None

    @property
    def mounted(self) -> Mapping[str, Callable[..., Any]]:
        """The mounted applications by their prefix."""
        return dict(self.mounts or {})


NO_WIRING = Wiring()
