"""Prefixed ids (`usr_0198…`): a UUIDv7 (RFC 9562) under the prefix of its resource.

The text is the prefix, an underscore and the UUID's 32 hexadecimal digits in lower case. It is this simple so that SQL
can compute it as well. Inside Sternpost an id is its 32 digits (`hex`); the prefix is added and taken off at the edge.
"""

from __future__ import annotations

import os
import random
import re
import secrets
import sys
from collections.abc import Callable
from functools import lru_cache
from uuid import UUID

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid_utils import uuid7

HEX_PATTERN = "[0-9a-f]{32}"
_UUID_TEXT = re.compile("[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}(?:\\1[0-9a-fA-F]{4}){2}\\1[0-9a-fA-F]{12}")

NewId = Callable[[], str]
"""Makes the 32 digits of a new id; injected, so that a test can replay a run."""


def new_hex() -> str:
    """32 digits of a fresh UUIDv7: unique, and increasing in time, so that indexes stay compact."""
    return uuid7().hex


def encode(prefix: str, hex_digits: str) -> str:
    """The text a client sees."""
    return f"{prefix}_{hex_digits}"


def decode(prefix: str, text: str) -> str | None:
    """The 32 digits in `text`, or None where it is not an id with this prefix. Upper case is refused: one id,
    one text."""
    return text[len(prefix) + 1 :] if _is_id(prefix)(text) else None


def read_uuid(text: str) -> UUID | None:
    """The UUID that a token names, in RFC 9562's form or without dashes; None for other text. `UUID` alone would take
    digits of every script, spaces and underscores: more than one caller could be the same owner."""
    return UUID(text) if _UUID_TEXT.fullmatch(text) else None


@lru_cache(maxsize=1000)
def _is_id(prefix: str) -> Callable[[str], object]:
    return re.compile(f"{re.escape(prefix)}_{HEX_PATTERN}").fullmatch


def pattern(prefix: str) -> str:
    """The regular expression of such an id, for schemas."""
    return f"^{prefix}_{HEX_PATTERN}$"


_random = random.Random(secrets.randbits(256))  # noqa: S311
_random_bits = _random.getrandbits
if hasattr(os, "register_at_fork"):  # else all processes that are forked from this one would give the same names
    os.register_at_fork(after_in_child=lambda: _random.seed(secrets.randbits(256)))


def random_hex(digits: int) -> str:
    """An even number of random hexadecimal digits for what is a name and no secret: requests, traces. A system call for
    each would cost more."""
    return _random_bits(digits * 4).to_bytes(digits // 2, "big").hex()


def new_request_id(digits: str | None = None) -> str:
    """The name of a request.

    Args:
        digits: 16 that were made together with others; by default they are made here.
    """
    return "req_" + (digits or random_hex(16))
