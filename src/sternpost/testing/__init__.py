"""For tests of services: a client that calls an application in this process, and pytest's fixtures around it.

What is needed of it is loaded on first use: pytest imports `sternpost.testing.plugin` in every project that has
Sternpost installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sternpost.testing.client import Caller, Client, Response
    from sternpost.testing.clock import ManualClock

_LAZY = {
    "Caller": "sternpost.testing.client",
    "Client": "sternpost.testing.client",
    "ManualClock": "sternpost.testing.clock",
    "Response": "sternpost.testing.client",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'sternpost.testing' has no attribute {name!r}")


__all__ = ["Caller", "Client", "ManualClock", "Response"]
