"""Older versions of an API: what changed after each of them. The classes of the contract say how the newest one is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sternpost.contract.source import Source, caller_source


@dataclass(frozen=True, kw_only=True)
class _OneChange:
    source: Source = field(default_factory=lambda: caller_source(2), compare=False, repr=False)


@dataclass(frozen=True)
class Added(_OneChange):
    """Something that the older version does not have: a field or an operation; without a name, all operations.

    Args:
        resource: the resource's class.
        name: the field or operation, as it is named in the class.
        default: what a creation through the older version gives the field; by default the field's own default.
    """

    resource: Any
    name: str | None = None
    default: Any = None


@dataclass(frozen=True)
class Removed(_OneChange):
    """Something that only the older version still has. It stays declared in the class, and stored.

    Args:
        resource: the resource's class.
        name: the field or operation; without one all operations of the resource. A field needs a default or `| None`.
    """

    resource: Any
    name: str | None = None


@dataclass(frozen=True)
class Renamed(_OneChange):
    """A field that has another name in the older version.

    Args:
        resource: the resource's class.
        name: the field, as it is named in the class.
        was: its name in the older version's JSON.
    """

    resource: Any
    name: str
    was: str


@dataclass(frozen=True)
class Changed(_OneChange):
    """A field or operation that has other rules in the older version.

    Args:
        resource: the resource's class.
        name: the field or operation, as it is named in the class.
        was: the older rules. For a field `type` (`string`, `integer`, `number` or `boolean`), `min_length`,
            `max_length`, `ge`, `le`, `pattern`, `required`, `nullable`, `default`, `choices`; for an operation `allow`,
            `page_size`, `max_page_size`, `sort`, `default_sort`.
        shown: what the older version shows of values that it does not know, such as `{"archived": "done"}`.
        up: makes the newer value of an older one; wherever `type` is another. A `ValueError` or an `ArithmeticError`
            (such as of `Decimal`) says that the client sent a wrong value; it is told the text of the former.
        down: makes the older value of a newer one.
    """

    resource: Any
    name: str
    was: Mapping[str, Any]
    shown: Mapping[Any, Any] = field(default_factory=dict[Any, Any])
    up: Callable[[Any], Any] | None = None
    down: Callable[[Any], Any] | None = None


AnyChange = Added | Removed | Renamed | Changed


@dataclass(frozen=True)
class Version(_OneChange):
    """An older version of the API that is still served.

    Args:
        name: such as `v1`.
        changes: what changed from this version to the next newer one.
        deprecated: the day from which it is deprecated (RFC 9745), the `Deprecation` header of every response.
        sunset: the day from which it may be removed (RFC 8594), the `Sunset` header of every response.
        link: the URL of a migration guide; the `Link` header of every response.
        gone_after_sunset: respond with 410 from the sunset day on. Otherwise the version is still served, with a
            warning at start.
    """

    name: str
    changes: Sequence[AnyChange] = ()
    deprecated: date | None = None
    sunset: date | None = None
    link: str | None = None
    gone_after_sunset: bool = False
