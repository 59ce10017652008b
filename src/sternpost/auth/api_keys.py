"""API keys: 256 random bits under a prefix, stored as their SHA-256 digest.

A slow hash such as Argon2 guards secrets that can be guessed; 256 random bits cannot, and are checked at every request.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sternpost.clock import Clock
from sternpost.errors import InvalidCredentials, SternpostError
from sternpost.ports.authenticator import Authenticator, Principal
from sternpost.ports.keys import KeyStore, StoredKey

PREFIX = "spk_"
"""The start of every key, by which scanners of source code find one that leaked."""

USED_SECONDS = 60.0
"""`last used` is written at most this often for each key."""

CACHE_MAX = 10_000
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 43
_CHECK_LENGTH = 6


def new_key() -> str:
    """A key: prefix, 256 random bits, and a checksum by which a mistyped key is known without asking the database."""
    secret = _base62(secrets.randbits(256), _SECRET_LENGTH)
    return PREFIX + secret + _checksum(secret)


def digest_of(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def well_formed(key: str) -> bool:
    """Whether the text can be a key at all."""
    secret = key[len(PREFIX) : -_CHECK_LENGTH]
    return (
        key.startswith(PREFIX)
        and len(secret) == _SECRET_LENGTH
        and all(digit in _DIGITS for digit in secret)
        and hmac.compare_digest(key[-_CHECK_LENGTH:].encode(), _checksum(secret).encode())
    )


def make_key(
    name: str,
    subject: str,
    scopes: tuple[str, ...],
    *,
    id: str,
    now: datetime,
    expires_at: datetime | None = None,
    tenant: str | None = None,
) -> tuple[str, StoredKey]:
    """A new key, to be shown once, and what is stored of it."""
    key = new_key()
    start = key[: len(PREFIX) + 4]
    return key, StoredKey(id, name, digest_of(key), start, subject, tenant, scopes, now, expires_at)


@dataclass(slots=True)
class _Known:
    key: StoredKey
    principal: Principal
    until: float
    used_noted: float


class ApiKeyAuthenticator:
    """Takes API keys as bearer tokens beside those that `otherwise` takes.

    Args:
        on_failure: called with the reason if `last used` could not be written; the request continues.
        cache_seconds: how long a key that was looked up counts as known: a revoked one is refused everywhere after that
            time. 0 asks the store at each request.
    """

    def __init__(
        self,
        store: KeyStore,
        clock: Clock,
        otherwise: Authenticator,
        on_failure: Callable[[str], None] = lambda reason: None,
        *,
        cache_seconds: float = 5.0,
    ) -> None:
        self.store = store
        self.clock = clock
        self.otherwise = otherwise
        self.on_failure = on_failure
        self.cache_seconds = cache_seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._writing: set[asyncio.Task[None]] = set()

    async def authenticate(self, token: str) -> Principal:
        if not token.startswith(PREFIX):
            return await self.otherwise.authenticate(token)
        if not well_formed(token):
            raise _refused("the API key is malformed")
        digest = digest_of(token)
        known = self._known.get(digest)
        if known is None or known.until <= self.clock.monotonic():
            known = await self._look_up(digest, known)
        expires = known.key.expires_at
        if expires is not None and expires <= self.clock.now():
            raise _refused("the API key has expired")
        self._note_use(known)
        return known.principal

    async def close(self) -> None:
        for task in list(self._writing):
            await task
        await self.otherwise.close()

    async def _look_up(self, digest: str, before: _Known | None) -> _Known:
        found = await self.store.find(digest)
        if found is None or not hmac.compare_digest(found.digest, digest):
            raise _refused("there is no such API key")
        if found.revoked_at is not None:
            self._known.pop(digest, None)
            raise _refused("the API key has been revoked")
        principal = Principal(found.subject, frozenset(found.scopes), found.tenant, api_key=found.id)
        noted = before.used_noted if before else float("-inf")
        known = _Known(found, principal, self.clock.monotonic() + self.cache_seconds, noted)
        self._known[digest] = known
        self._known.move_to_end(digest)
        if len(self._known) > CACHE_MAX:
            self._known.popitem(last=False)
        return known

    def _note_use(self, known: _Known) -> None:
        """Runs in the background; the request does not wait for it."""
        now = self.clock.monotonic()
        if now - known.used_noted < USED_SECONDS:
            return
        known.used_noted = now
        task = asyncio.get_running_loop().create_task(self._write_use(known.key.id))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write_use(self, id: str) -> None:
        try:
            await self.store.used(id, self.clock.now())
        except SternpostError as error:
            self.on_failure(str(error.log.get("reason", error.message)))


def expiry(now: datetime, days: int | None) -> datetime | None:
    """When a key that is made now ends."""
    return None if days is None else now + timedelta(days=days)


def _base62(number: int, length: int) -> str:
    digits: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _checksum(secret: str) -> str:
    return _base62(zlib.crc32(secret.encode()), _CHECK_LENGTH)


def _refused(reason: str) -> InvalidCredentials:
    return InvalidCredentials("The API key is not valid", log={"reason": reason})
