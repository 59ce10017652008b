"""Tells by its name, or by that of its type, that a column holds a secret, such as the hash of a password."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from sternpost.infer.names import ascii_words, one_of
from sternpost.plan.model import Kind
from sternpost.storage.sql.tables import FoundColumn

_FOR_PEOPLE = r"\w*(password|passwd|passphrase|passcode|passwort|kennwort)\w*|pwd|pswd|pw|pin|otp|totp|hotp|cvv|cvc"
_FOR_PROGRAMS = (
    r"\w*(token|secret|hash|apikey|credential)|keymaterial|(access|auth|private|secret|session|signing|encryption)key"
    r"|salt|bearer|jwt|bcrypt|argon2|scrypt|cookie|nonce|sessionid|rememberme"
)
_NUMBER = re.compile(_FOR_PEOPLE)
"""A number is called so only where it is the secret itself: `tokens` are counted more often than kept."""
_TEXT = re.compile(f"{_FOR_PEOPLE}|{_FOR_PROGRAMS}")
_KINDS_OF_KEYS = {
    "api", "access", "app", "auth", "client", "encryption", "hmac", "host", "license", "master", "private",
    "secret", "service", "session", "shared", "signing", "ssh", "webhook",
}  # fmt: skip
_CODES = frozenset(
    {"backup", "recovery", "reset", "verification", "confirmation", "activation", "invite", "invitation"}
)
_ABOUT = {
    "algorithm", "at", "attempt", "count", "date", "enabled", "expired", "expires", "expiry", "format", "id",
    "kind", "length", "limit", "name", "policy", "price", "status", "time", "type", "uri", "url", "version",
}  # fmt: skip
"""What a name ends in that tells something about a secret: `token_type`, `password_changed_at`."""
_PLAIN = frozenset({"code", "content", "data", "key", "material", "value"})
"""Names that mean a secret in a table of secrets only, such as `api_keys.key`."""

_KINDS_OF_TEXTS: frozenset[Kind] = frozenset({"string", "uuid", "json"})


def is_secret(table: Sequence[str], column: FoundColumn, kind: Kind) -> bool:
    """Whether a column holds a secret, as far as names tell.

    Args:
        table: the words of the table's name.
    """
    if kind not in _KINDS_OF_TEXTS and kind not in ("integer", "decimal"):
        return False
    words = _words(column.name)
    named = [words, *map(_words, column.domains), *([_words(column.type)] if column.type else [])]
    if words and set(words) <= _PLAIN:
        named.append([*map(one_of, table), *words])
    return any(_names_a_secret(parts, is_text=kind in _KINDS_OF_TEXTS) for parts in named)


def names_a_secret(column: str) -> bool:
    """Whether a column's name alone is that of a secret text."""
    return _names_a_secret(_words(column), is_text=True)


def _words(name: str) -> list[str]:
    return [one_of(word) for word in ascii_words(name)]


def _names_a_secret(words: Sequence[str], *, is_text: bool) -> bool:
    if not words or (words[-1] in _ABOUT and tuple(words[-2:]) != ("session", "id")):
        return False
    if len(words) == 2 and _TEXT.fullmatch("".join(words)) and is_text:  # `PassWord` is one word, written as two
        return True
    if any((_TEXT if is_text else _NUMBER).fullmatch(word) for word in words):
        return True
    return any(_is_secret_pair(*pair) for pair in pairwise(words))


def _is_secret_pair(first: str, second: str) -> bool:
    """Two words that are a secret together only: an API key, a recovery code, a security answer."""
    return (
        (second == "key" and first in _KINDS_OF_KEYS)
        or (first == "key" and second == "material")
        or (second == "code" and first in _CODES)
        or (first, second) in (("security", "answer"), ("session", "id"), ("mfa", "seed"), ("otp", "seed"))
    )
