"""Cursors: a position in a list as text for a client, who can neither read nor change it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, cast

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from sternpost.plan.query import Order, total_order
from sternpost.ports.storage import Position

KEPT_MAX = 1000
KEPT_CHARACTERS_MAX = 200
"""The size of the cache of cursors, and the longest cursor that is cached."""

LENGTH_MAX = 16_384
"""Characters of a cursor that is looked at. Those that are written are shorter; this bounds the work for others."""

POSITION_BYTES_MAX = 2048
"""The longest position, as JSON, that a cursor holds as a whole. With base64 that is 2.8 kB: servers and proxies take
some 8 kB for all of a request's line, and as much for the headers of an answer."""

TEXT_BYTES_MAX = 1024
"""What a cursor holds of the texts of a longer position, as JSON."""

SHORT_BYTES_MAX = 64
"""Values up to this size are always held as a whole. Every kind but texts is shorter."""

CODE_POINT_MAX = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Place:
    """What a cursor tells.

    Attributes:
        position: the place behind which the list goes on. Where it is not the whole position, all rows that come
            behind the whole one come behind this, too.
        digest: that of the whole position, where `position` is a part of it.
    """

    position: Position
    digest: str | None = None


class Cursors:
    """Makes cursors and reads them.

    A cursor is encrypted and signed in one with AES-SIV (RFC 5297): it contains values of a row that the client
    may not see. The same position in the same list always gives the same text.

    A position that is too long for an address is cut: the cursor holds the row's id, the beginning of its long texts,
    and a digest of the whole. Whoever reads it looks the row up, and compares.

    Args:
        key: 32 secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)
        self._kept: dict[tuple[bytes, Position], str] = {}
        self._known: dict[tuple[bytes, str], Place] = {}
        """Cached as well: most cursors are read soon after they were written."""

    def write(self, bound_to: bytes, position: Position, order: tuple[Order, ...]) -> str:
        """The cursor of a position in the list that `bound_to` stands for, which has this order."""
        key = (bound_to, position)
        found = self._kept.get(key)
        if found is None:
            told = orjson.dumps(position)
            if len(told) > POSITION_BYTES_MAX:
                told = orjson.dumps([list(_shortened(position, total_order(order))), digest_of(position)])
            found = _text(self._cipher.encrypt(told, [bound_to]))
            if len(found) <= KEPT_CHARACTERS_MAX:
                if len(self._kept) >= KEPT_MAX:
                    self._kept.clear()
                    self._known.clear()
                self._kept[key] = found
                self._known[(bound_to, found)] = Place(position)
        return found

    def read(self, bound_to: bytes, text: str) -> Place:
        """The place of a cursor. Raises `ValueError` for one that was changed, or belongs to another list."""
        known = self._known.get((bound_to, text))
        if known is not None:
            return known
        if len(text) > LENGTH_MAX:
            raise ValueError("longer than any valid cursor")
        try:
            sealed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if _text(sealed) != text:  # base64 has several spellings of the same bytes
                raise ValueError("not in the canonical form")
            told = cast("list[Any]", orjson.loads(self._cipher.decrypt(sealed, [bound_to])))
        except (UnicodeEncodeError, binascii.Error, InvalidTag) as error:
            raise ValueError("not a cursor of this list") from error
        if isinstance(told[0], list):  # no value of a position is a list
            return Place(tuple(cast("list[Any]", told[0])), told[1])
        return Place(tuple(told))


def digest_of(position: Position) -> str:
    """A digest that tells a position from every other one (BLAKE2b, RFC 7693)."""
    return blake2b(orjson.dumps(position), digest_size=16).hexdigest()


def _shortened(position: Position, order: tuple[Order, ...]) -> Generator[Any]:
    """The position with at most `TEXT_BYTES_MAX` of its long texts, so that no row gets in front of it that was behind
    the whole one: the first text that does not fit ends where every text with the same beginning is behind it. The
    texts that follow it decide nothing any more, and are empty."""
    left: int | None = TEXT_BYTES_MAX
    for value, entry in zip(position, order, strict=True):
        size = len(orjson.dumps(value))
        if size <= SHORT_BYTES_MAX:
            yield value
        elif left is None:
            yield ""
        elif size <= left:
            left -= size
            yield value
        else:
            beginning, left = _beginning(value, left), None
            yield _behind_all(beginning) if entry.descending else beginning


def _beginning(text: str, most: int) -> str:
    """As much of a text as takes at most so many bytes as JSON, in which a control character takes six."""
    text = text[:most]
    while text and len(orjson.dumps(text)) > most:
        text = text[: len(text) * most // len(orjson.dumps(text))]
    return text


def _behind_all(beginning: str) -> str:
    """The least text that is greater than all with this beginning, by code points."""
    kept = beginning.rstrip(CODE_POINT_MAX)
    if not kept:  # There is none. This is less than texts that go on with that code point, a noncharacter, for longer.
        return beginning + CODE_POINT_MAX
    last = ord(kept[-1])
    return kept[:-1] + ("\ue000" if last == 0xD7FF else chr(last + 1))  # surrogates are no characters


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
