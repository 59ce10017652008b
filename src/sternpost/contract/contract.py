"""A contract: the list of what a service offers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sternpost.contract.source import caller_source


class Contract:
    """Collects resources under one name and one API version.

    Args:
        name: the service's name, in lower case with dashes; it stands in log lines and events.
        resources: the resource classes. What is not listed is not served.
        title, description: for the API documentation.
        version: the service's own version, such as `1.4.2`.
        api_version: the first part of every address after `/api`: `v1` gives `/api/v1`.
    """

    def __init__(
        self,
        name: str,
        *,
        resources: Sequence[Any],
        title: str = "",
        description: str = "",
        version: str = "0.1.0",
        api_version: str = "v1",
    ) -> None:
        self.name = name
        given: Any = resources  # whatever it is: the compile step judges it
        self.resources = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else given
        self.title = title
        self.description = description
        self.version = version
        self.api_version = api_version
        self.source = caller_source(1)
