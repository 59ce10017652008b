"""A set of public keys fetched from a JWKS address (RFC 7517), kept, and fetched again when keys rotate."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import jwt as pyjwt
import orjson

from sternpost.clock import Clock
from sternpost.errors import Unavailable

FRESH_SECONDS = 600.0
"""How long fetched keys are taken to be current."""

RETRY_SECONDS = 10.0
"""The least time between two fetches, however many unknown key ids arrive."""

FETCH_SECONDS = 5.0
BYTES_MAX = 262_144
_KEY_TYPES = {"RS256": ("RSA", None), "ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}


class KeySet:
    """Keys by their id. A fetch that fails leaves the known keys in use.

    Attributes:
        generation: counts the changes of the keys.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self.clock = clock
        self.generation = 0
        self._keys: list[dict[str, Any]] | None = None
        self._usable: dict[tuple[str, str | None], Any] = {}
        self._fetched = 0.0
        self._tried: float | None = None
        self._lock = asyncio.Lock()
        self._client: Any = None
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, kid: str | None) -> Any | None:
        """The key for a token's algorithm and key id; fetches again, now and then, when the id is unknown.

        Raises:
            Unavailable: no keys could be fetched yet.
        """
        key = self._lookup(algorithm, kid)
        if key is None:
            await self._fetch()
            key = self._lookup(algorithm, kid)
        if self._keys is None:
            raise Unavailable(log={"reason": f"no keys could be fetched from {self.url}"})
        return key

    def refresh_if_old(self) -> None:
        """Starts to fetch again when the keys are no longer fresh. Nobody waits for it: the known keys stay in use."""
        stale = self._keys is not None and self.clock.monotonic() - self._fetched > FRESH_SECONDS
        if stale and not self._lock.locked() and self._may_try():
            self._refreshing = asyncio.get_running_loop().create_task(self._fetch())

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _lookup(self, algorithm: str, kid: str | None) -> Any | None:
        if (algorithm, kid) in self._usable:
            return self._usable[algorithm, kid]
        fitting = [key for key in self._keys or () if _fits(key, algorithm) and (kid is None or key.get("kid") == kid)]
        if len(fitting) != 1:  # none; or several, and the token does not say which
            return None
        try:
            key = pyjwt.PyJWK(fitting[0], algorithm).key
        except (pyjwt.PyJWTError, ValueError, KeyError, TypeError):
            return None
        if algorithm == "RS256" and key.key_size < 2048:
            return None
        self._usable[algorithm, kid] = key
        return key

    def _may_try(self) -> bool:
        return self._tried is None or self.clock.monotonic() - self._tried >= RETRY_SECONDS

    async def _fetch(self) -> None:
        async with self._lock:
            if not self._may_try():
                return
            self._tried = now = self.clock.monotonic()
            keys = await self._download()
            if keys is None:
                return
            self._fetched = now
            if keys != self._keys:
                self._keys = keys
                self._usable.clear()
                self.generation += 1

    async def _download(self) -> list[dict[str, Any]] | None:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False)
        try:
            response = await self._client.get(self.url, headers={"accept": "application/json"})
            if response.status_code != 200 or len(response.content) > BYTES_MAX:
                return None
            document = orjson.loads(response.content)
        except (httpx2.HTTPError, orjson.JSONDecodeError):
            return None
        keys = cast("dict[str, Any]", document).get("keys") if isinstance(document, dict) else None
        return [key for key in cast("list[Any]", keys) if isinstance(key, dict)] if isinstance(keys, list) else None


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    kind, curve = _KEY_TYPES[algorithm]
    return (
        key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    )
