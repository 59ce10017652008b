"""Bearer JWTs (RFC 7519), following RFC 8725: the accepted algorithms are decided here, never by the token."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import jwt as pyjwt

from sternpost.auth.jwks import PUBLIC_ALGORITHMS, KeySet
from sternpost.clock import Clock
from sternpost.errors import InvalidCredentials
from sternpost.plan.caller import ClaimValue, kept_claim
from sternpost.plan.scopes import expanded, is_pattern
from sternpost.ports.authenticator import NO_CLAIMS, Principal

TOKEN_BYTES_MAX = 7168
"""The largest token that is accepted, or made. With the other headers of a request it stays below 8 KiB, at which
common proxies refuse a request (nginx's large_client_header_buffers, Apache's LimitRequestFieldSize)."""

SCOPES_MAX = 500
"""How many scopes, or patterns of scopes, a token may hold."""

SCOPE_PATTERNS_CLAIM = "scope_patterns"
"""Patterns such as `*:read`, for tokens that are signed with the shared secret. In `scope` a `*` is a character as any
other, so a token of an issuer that knows nothing of patterns means what it meant."""

CACHE_MAX = 10_000
SUBJECT_MAX = 256
_LAST = datetime.max.replace(tzinfo=UTC).timestamp() - 1
SYMMETRIC_ALGORITHM = "HS256"
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_FORBIDDEN_HEADERS = frozenset({"jku", "x5u", "jwk", "x5c", "crit"})
"""Header members with which a token would bring its own key, or require extensions that are not supported here."""

_KID = re.compile(r"[A-Za-z0-9+/=._:~-]{1,256}")
_SECRET_KID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_NO_CHECKS: Any = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
    "require": [],
}


class JwtAuthenticator:
    """Verifies tokens with a shared secret (HS256), with public keys of a JWKS (`PUBLIC_ALGORITHMS`), or both.

    Verified tokens are kept until they expire, so that a signature is checked once; when keys change, all are
    forgotten.

    Args:
        leeway_seconds: how much the clock of who makes tokens may differ.
        known_scopes: what patterns of scopes stand for: the scopes that the contract asks for.
        known_claims: the claims that the contract asks for; of others nothing is kept.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        secret: str | None = None,
        keys: KeySet | None = None,
        issuer: str | None = None,
        audience: str | None = None,
        tenant_claim: str = "tenant",
        leeway_seconds: float = 0.0,
        known_scopes: frozenset[str] = frozenset(),
        known_claims: frozenset[str] = frozenset(),
    ) -> None:
        self.clock = clock
        self.known_claims = known_claims
        self.tenant_claim = tenant_claim
        self.leeway_seconds = leeway_seconds
        self.known_scopes = known_scopes
        self.secret = secret
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
        self._verified: OrderedDict[bytes, tuple[Principal, datetime]] = OrderedDict()
        self._generation = 0

    async def authenticate(self, token: str) -> Principal:
        if self.keys is not None:
            self.keys.refresh_if_old()
            self._forget_if_keys_changed(self.keys)
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        found = self._verified.get(digest)
        if found is not None:
            principal, expires = found
            if expires > self.clock.now():
                return principal
            del self._verified[digest]
        principal, expires_at = await self._verify(token)
        expires = datetime.fromtimestamp(min(expires_at, _LAST), UTC)
        self._verified[digest] = (principal, expires)
        if len(self._verified) > CACHE_MAX:
            self._verified.popitem(last=False)
        return principal

    async def close(self) -> None:
        if self.keys is not None:
            await self.keys.close()

    def verify_own(self, token: str) -> Principal:
        """The principal of a token that is signed with the shared secret. Raises `Unauthenticated`."""
        header = _read_header(token)
        return self._read(token, SYMMETRIC_ALGORITHM, self._secret(header.get("kid")))[0]

    async def _verify(self, token: str) -> tuple[Principal, float]:
        header = _read_header(token)
        algorithm = _check_header(header)
        return self._read(token, algorithm, await self._key(algorithm, header.get("kid")))

    def _read(self, token: str, algorithm: str, key: Any) -> tuple[Principal, float]:
        try:
            claims = pyjwt.decode(token, key, algorithms=[algorithm], options=_NO_CHECKS)
        except (pyjwt.PyJWTError, ValueError, TypeError) as error:
            raise _refused(f"the token was rejected: {type(error).__name__}") from error
        return self._principal(claims, algorithm), self._check_claims(claims)

    async def _key(self, algorithm: str, kid: Any) -> Any:
        if algorithm == SYMMETRIC_ALGORITHM:
            return self._secret(kid)
        if self.keys is None:
            raise _refused(f"{algorithm} is not accepted here")
        if kid is not None and not (isinstance(kid, str) and _KID.fullmatch(kid)):
            raise _refused("the kid is malformed")
        key = await self.keys.find(algorithm, kid)
        self._forget_if_keys_changed(self.keys)
        if key is None:
            raise _refused("no key matches the token")
        return key

    def _secret(self, kid: Any) -> str:
        if self.secret is None:
            raise _refused("HS256 is not accepted here")
        if kid is not None and not (isinstance(kid, str) and _SECRET_KID.fullmatch(kid)):
            raise _refused("the kid is malformed")
        return self.secret

    def _forget_if_keys_changed(self, keys: KeySet) -> None:
        if keys.generation != self._generation:
            self._generation = keys.generation
            self._verified.clear()

    def _check_claims(self, claims: Mapping[str, Any]) -> float:
        """Until when the token counts. Raises `Unauthenticated` for one that does not count now, or not here."""
        now, leeway = self.clock.now().timestamp(), self.leeway_seconds
        expires = _instant(claims, "exp")
        if expires is None:
            raise _refused("the token has no exp")
        if expires + leeway <= now:
            raise _refused("the token has expired")
        not_before = _instant(claims, "nbf")
        if not_before is not None and not_before > now + leeway:
            raise _refused("the token is not valid yet")
        issued = _instant(claims, "iat")
        if issued is not None and issued > now + leeway:
            raise _refused("the token was issued in the future")
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise _refused("the token has a different issuer")
        if self.audience is not None and self.audience not in _texts(claims.get("aud")):
            raise _refused("the token is for a different audience")
        return expires + leeway

    def _principal(self, claims: Mapping[str, Any], algorithm: str) -> Principal:
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= SUBJECT_MAX or not subject.isprintable():
            raise _refused("the token has no valid sub")
        kept = NO_CLAIMS if not self.known_claims else self._claims(claims)
        return Principal(subject, self._scopes(claims, algorithm), self._tenant(claims), kept)

    def _scopes(self, claims: Mapping[str, Any], algorithm: str) -> frozenset[str]:
        """The scopes as they are written, and those that patterns stand for. The issuers of a JWKS sign no patterns."""
        scopes = _words(_texts(claims.get("scope")) or _texts(claims.get("scp")))
        patterns = _words(_texts(claims.get(SCOPE_PATTERNS_CLAIM))) if algorithm == SYMMETRIC_ALGORITHM else []
        if len(scopes) + len(patterns) > SCOPES_MAX:
            raise _refused(f"the token has more than {SCOPES_MAX} scopes")
        return frozenset(scopes) | expanded(patterns, self.known_scopes)

    def _claims(self, claims: Mapping[str, Any]) -> Mapping[str, ClaimValue]:
        """Those that policies ask for, of the types that they can ask for."""
        found = {name: kept_claim(claims.get(name)) for name in self.known_claims}
        return {name: value for name, value in found.items() if value is not None}

    def _tenant(self, claims: Mapping[str, Any]) -> str | None:
        tenant = claims.get(self.tenant_claim)
        if tenant is None:
            return None
        if not isinstance(tenant, str) or not 1 <= len(tenant) <= SUBJECT_MAX or not tenant.isprintable():
            raise _refused("the token has no valid tenant")
        return tenant


def _read_header(token: str) -> Mapping[str, Any]:
    if len(token) > TOKEN_BYTES_MAX:
        raise _refused(f"the token is too large: {len(token)} bytes; at most {TOKEN_BYTES_MAX} are accepted")
    try:
        return cast("Mapping[str, Any]", pyjwt.get_unverified_header(token))
    except (pyjwt.PyJWTError, ValueError, UnicodeError) as error:
        raise _refused("the token is malformed") from error


def _check_header(header: Mapping[str, Any]) -> str:
    algorithm = header.get("alg")
    if algorithm != SYMMETRIC_ALGORITHM and algorithm not in PUBLIC_ALGORITHMS:
        raise _refused("the token's algorithm is not accepted")
    if not _FORBIDDEN_HEADERS.isdisjoint(header):
        raise _refused("the token's header contains a member that is not accepted")
    kind = header.get("typ")
    if kind is not None and not (isinstance(kind, str) and kind.lower() in _TYPES):
        raise _refused("the token is not an access token")
    return cast("str", algorithm)


def _instant(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:
        raise _refused(f"the token's {name} is not a valid time")
    return float(value)


def _texts(value: Any) -> list[str]:
    values = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str)]


def _words(texts: list[str]) -> list[str]:
    return [word for text in texts for word in text.split(" ") if word]


def _refused(reason: str) -> InvalidCredentials:
    """The client is only told that the token is not valid; the reason is logged."""
    return InvalidCredentials("The token is not valid", log={"reason": reason})


def make_token(
    secret: str,
    *,
    subject: str,
    scopes: list[str],
    expires: int,
    issued: int,
    issuer: str | None = None,
    audience: str | None = None,
    tenant: tuple[str, str] | None = None,
    claims: Mapping[str, Any] = NO_CLAIMS,
) -> str:
    """An HS256 token for development and tests; `expires` and `issued` in seconds since 1970; `tenant` as `(claim,
    value)`; `claims` beside those. A scope with `*` is a pattern: it stands for every scope of the contract that it
    fits."""
    literal = [scope for scope in scopes if not is_pattern(scope)]
    patterns = [scope for scope in scopes if is_pattern(scope)]
    payload: dict[str, Any] = {**claims, "sub": subject, "scope": " ".join(literal), "iat": issued, "exp": expires}
    if patterns:
        payload[SCOPE_PATTERNS_CLAIM] = " ".join(patterns)
    if issuer is not None:
        payload["iss"] = issuer
    if audience is not None:
        payload["aud"] = audience
    if tenant is not None:
        payload[tenant[0]] = tenant[1]
    return pyjwt.encode(payload, secret, algorithm=SYMMETRIC_ALGORITHM)
