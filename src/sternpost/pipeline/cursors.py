"""Cursors: a position in a list as text for a client, who can neither read nor change it."""

from __future__ import annotations

import base64
import binascii
from typing import cast

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from sternpost.ports.storage import Position

KEPT_MAX = 1000
KEPT_CHARACTERS_MAX = 200
"""The size of the cache of cursors, and the longest cursor that is cached."""

LENGTH_MAX = 16_384
"""Characters of a cursor. A position holds values of rows, so its length has no other bound."""


class Cursors:
    """Makes cursors and reads them.

    A cursor is encrypted and signed in one with AES-SIV (RFC 5297): it contains values of a row that the client
    may not see. The same position in the same list always gives the same text.

    Args:
        key: 32 secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)
        self._kept: dict[tuple[bytes, Position], str] = {}
        self._known: dict[tuple[bytes, str], Position] = {}
        """Cached as well: most cursors are read soon after they were written."""

    def write(self, bound_to: bytes, position: Position) -> str:
        """The cursor of a position in the list that `bound_to` stands for."""
        key = (bound_to, position)
        found = self._kept.get(key)
        if found is None:
            sealed = self._cipher.encrypt(orjson.dumps(position), [bound_to])
            found = _text(sealed)
            if len(found) <= KEPT_CHARACTERS_MAX:
                if len(self._kept) >= KEPT_MAX:
                    self._kept.clear()
                    self._known.clear()
                self._kept[key] = found
                self._known[(bound_to, found)] = position
        return found

    def read(self, bound_to: bytes, text: str) -> Position:
        """The position of a cursor. Raises `ValueError` for one that was changed, or belongs to another list."""
        known = self._known.get((bound_to, text))
        if known is not None:
            return known
        if len(text) > LENGTH_MAX:
            raise ValueError("longer than any valid cursor")
        try:
            sealed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if _text(sealed) != text:  # base64 has several spellings of the same bytes
                raise ValueError("not in the canonical form")
            opened = orjson.loads(self._cipher.decrypt(sealed, [bound_to]))
        except (UnicodeEncodeError, binascii.Error, InvalidTag) as error:
            raise ValueError("not a cursor of this list") from error
        return tuple(cast("list[object]", opened))


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
