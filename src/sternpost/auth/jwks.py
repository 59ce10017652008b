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
_KEY_TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
}
PUBLIC_ALGORITHMS = tuple(_KEY_TYPES)
"""The algorithms of tokens that public keys verify (RFC 7518, 3.1; RFC 8037)."""


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
        self._client: Any = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, kid: str | None) -> Any | None:
        """The key for a token's algorithm and key id; fetches again, now and then, when the id is unknown.

        While keys are being fetched, an id that is unknown by then is refused: nobody waits for a slow address but who
        asked first, and who needs the first keys.

        Raises:
            Unavailable: no keys could be fetched yet.
        """
        key = self._lookup(algorithm, kid)
        if key is None and (self._keys is None or not self._is_fetching) and (fetch := self._fetch()) is not None:
            await asyncio.shield(fetch)
            key = self._lookup(algorithm, kid)
        if self._keys is None:
            raise Unavailable(log={"reason": f"no keys could be fetched from {self.url}"})
        return key

    def refresh_if_old(self) -> None:
        """Starts to fetch again when the keys are no longer fresh. Nobody waits for it: the known keys stay in use."""
        stale = self._keys is not None and self.clock.monotonic() - self._fetched > FRESH_SECONDS
        if stale:
            self._fetch()

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
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
        if _KEY_TYPES[algorithm][0] == "RSA" and key.key_size < 2048:
            return None
        self._usable[algorithm, kid] = key
        return key

    def _may_try(self) -> bool:
        return self._tried is None or self.clock.monotonic() - self._tried >= RETRY_SECONDS

    @property
    def _is_fetching(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    def _fetch(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; None where the last was a moment ago."""
        if self._is_fetching:
            return self._fetching
        if not self._may_try():
            return None
        self._tried = self.clock.monotonic()
        self._fetching = asyncio.get_running_loop().create_task(self._take(self._tried))
        return self._fetching

    async def _take(self, now: float) -> None:
        keys = await self._download()
        if keys is None:
            return
        self._fetched = now
        if keys != self._keys:
            self._keys = keys
            self._usable.clear()
            self.generation += 1

    async def _download(self) -> list[dict[str, Any]] | None:
        """The keys, or None where the address does not give them in time, or gives too much."""
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False)
        content = bytearray()
        try:
            async with (
                asyncio.timeout(FETCH_SECONDS),  # of all of it: the client's own is that of each part
                self._client.stream("GET", self.url, headers={"accept": "application/json"}) as response,
            ):
                async for part in response.aiter_bytes():
                    content += part
                    if response.status_code != 200 or len(content) > BYTES_MAX:
                        return None
            document = orjson.loads(content)
        except (TimeoutError, httpx2.HTTPError, orjson.JSONDecodeError):
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
