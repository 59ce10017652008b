"""The limits at the edge: what a client may send, and in what time, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sternpost.settings import Settings


@dataclass(frozen=True, slots=True)
class Edge:
    """Each limit is a setting of the same name, which says what it means; the defaults are those of the settings.

    Our own server keeps all of them. Under another one, `LEFT_TO_SERVER` are kept by that server, or by nobody.
    """

    max_body_bytes: int = 1_048_576
    decompressed_bytes_max: int = 4_194_304
    json_depth_max: int = 100
    json_members_max: int = 100_000
    headers_max: int = 100
    head_bytes_max: int = 65_536
    url_bytes_max: int = 16_384
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    body_bytes_a_second: int = 65_536
    connections_max: int = 10_000
    connections_per_address_max: int = 1_000
    pipelined_max: int = 32

    @property
    def sweep_seconds(self) -> float:
        """How often connections are looked at for requests that are late: a timer for each request would cost every
        one. What is late is noticed up to two sweeps later."""
        return min(1.0, self.head_seconds / 10)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of the settings."""
        return cls(*(getattr(settings, name) for name in cls.__slots__))


@dataclass(frozen=True, slots=True)
class Kept:
    """How a limit is kept.

    Attributes:
        setting: the field of `Edge`.
        code: what a client is answered that exceeds it; None where the connection is closed without an answer.
        by_server: whether only the server can keep it that accepts the connections.
        more: what is to be known beside the description of the setting.
    """

    setting: str
    code: str | None
    by_server: bool = False
    more: str = ""


LIMITS = (
    Kept("head_bytes_max", "HEADERS_TOO_LARGE", by_server=True),
    Kept("headers_max", "HEADERS_TOO_LARGE"),
    Kept("url_bytes_max", "URL_TOO_LONG"),
    Kept("max_body_bytes", "PAYLOAD_TOO_LARGE"),
    Kept("decompressed_bytes_max", "PAYLOAD_TOO_LARGE"),
    Kept("json_depth_max", "VALIDATION_ERROR", more="detail `too_deep`"),
    Kept("json_members_max", "VALIDATION_ERROR", more="detail `too_many_members`"),
    Kept("head_seconds", "REQUEST_TIMEOUT", by_server=True, more="none where nothing was sent"),
    Kept("body_seconds", "REQUEST_TIMEOUT", by_server=True),
    Kept("body_bytes_a_second", "REQUEST_TIMEOUT", by_server=True),
    Kept("connections_max", "UNAVAILABLE", by_server=True),
    Kept("connections_per_address_max", "TOO_MANY_CONNECTIONS", by_server=True),
    Kept("pipelined_max", "TOO_MANY_PIPELINED", by_server=True),
)
LEFT_TO_SERVER = tuple(limit.setting for limit in LIMITS if limit.by_server)
