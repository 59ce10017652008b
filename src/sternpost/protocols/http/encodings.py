"""Content codings of request bodies (RFC 9110, 8.4)."""

from __future__ import annotations

GZIP = (b"gzip", b"x-gzip")
