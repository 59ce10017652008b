"""What a service tells once, as it starts, of what it was given and cannot use, or should not be given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from sternpost.settings import Settings
from sternpost.telemetry.events import Event, NoWebsockets, SecretIsWeak, VariablesUnknown


def cautions(settings: Settings, mounts: Mapping[str, Any] | None = None) -> Iterator[Event]:
    """The lines of one service; of several workers, one process tells them.

    Args:
        mounts: the mounted applications, where the server is our own.
    """
    if settings.unknown_variables:
        yield VariablesUnknown(variables=settings.unknown_variables)
    if settings.env == "development":  # production refuses them, and tests have secrets of their own
        for variable, weakness in settings.weak_secrets():
            yield SecretIsWeak(variable=variable, reason=weakness)
    if mounts and not has_websockets():
        yield NoWebsockets(mounts=sorted(mounts))


def has_websockets() -> bool:
    """Whether the library for WebSockets is installed."""
    return find_spec("websockets") is not None
