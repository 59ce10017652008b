"""Names in the database that Sternpost makes."""

from __future__ import annotations

import hashlib

NAME_MAX = 63
"""PostgreSQL cuts longer names."""


def database_name(*words: str) -> str:
    """The words, joined by `_`; a long name ends in a digest of them."""
    name = "_".join(words)
    if len(name.encode()) <= NAME_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: NAME_MAX - 9].decode(errors='ignore')}_{digest}"
