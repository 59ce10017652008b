"""A contract: the list of what a service offers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

from sternpost.contract.source import caller_source


class Contract:
    """Collects resources under one name and one API version.

    Args:
        name: the service's name, in lower case with dashes; used in log lines and events.
        resources: the resource classes. What is not listed is not served.
        title, description: for the API documentation.
        license: what the API documentation says about it: an SPDX identifier such as `Apache-2.0`.
        version: the service's own version, such as `1.4.2`.
        api_version: the first part of every address after `/api`: `v1` gives `/api/v1`.
        schema: `external` for an existing database: Sternpost adds no table, column or index to it, and only changes
            rows.
        batch_max: the maximum number of operations in one `POST /api/v1/$batch`; 0 turns batches off.
        api_keys: whether API keys are accepted as well as tokens. They are created with `sternpost apikey create` and
            stored, as digests, in the table `sternpost_api_keys`.
        keep_events: how long events that operations emit are kept in the outbox, also when they have been read.
        database_objects: what you make in the database yourself, each a `DatabaseObject`: migrations leave it alone.
        limit: the rate limit, or limits, of each operation that declares none; each operation counts by itself.
        throttle: rate limits of the service as a whole, beside those of each operation.
        older: older API versions that are served as well, newest first; each is a `Version` with the changes after it.
    """

    def __init__(
        self,
        name: str,
        *,
        resources: Sequence[Any],
        title: str = "",
        description: str = "",
        version: str = "0.1.0",
        license: str = "",
        api_version: str = "v1",
        schema: Literal["own", "external"] = "own",
        batch_max: int = 50,
        api_keys: bool = False,
        keep_events: timedelta = timedelta(days=7),
        database_objects: Sequence[Any] = (),
        limit: Any = None,
        throttle: Any = None,
        older: Sequence[Any] = (),
    ) -> None:
        self.name = name
        self.resources: Any = _listed(resources)
        self.title = title
        self.description = description
        self.version = version
        self.license = license
        self.api_version = api_version
        self.schema = schema
        self.batch_max = batch_max
        self.api_keys = api_keys
        self.keep_events = keep_events
        self.database_objects: Any = _listed(database_objects)
        self.limit: Any = limit
        self.throttle: Any = throttle
        self.older: Any = _listed(older)
        self.source = caller_source(1)


def _listed(given: Any) -> Any:
    """A tuple of what was given, or what was given where it is no list: the compile step judges it."""
    if isinstance(given, str):
        return given
    try:
        return tuple(given)
    except TypeError:
        return given
