"""Tokens: what is accepted, and every known trick that is not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from sternpost.auth.jwks import BYTES_MAX, FRESH_SECONDS, RETRY_SECONDS, KeySet
from sternpost.auth.jwt import SCOPES_MAX, TOKEN_BYTES_MAX, JwtAuthenticator, make_token
from sternpost.errors import Unauthenticated, Unavailable

SECRET = "unit-tests-7f3a9c1e5b2d4860a1c3e5f7"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class FixedClock:
    """Time that a test moves by hand."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - NOW).total_seconds() + 1000

    def forward(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "usr_1", "scope": "a:read b:write", "exp": int(NOW.timestamp()) + 60, **more}


def signed(
    payload: dict[str, Any], *, headers: dict[str, Any] | None = None, key: Any = SECRET, algorithm: str = "HS256"
) -> str:
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


def part(data: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


async def refused(authenticator: JwtAuthenticator, token: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        await authenticator.authenticate(token)
    assert error.value.message == "The token is not valid"
    return error.value.log["reason"]


async def test_a_good_token_says_who_and_what(clock: FixedClock) -> None:
    principal = await JwtAuthenticator(clock, secret=SECRET).authenticate(signed(claims()))
    assert (principal.subject, principal.scopes) == ("usr_1", {"a:read", "b:write"})


@pytest.mark.parametrize("scopes", [["a", "b"], "a b", ["a b"], ["a", "b ", 5]])
@pytest.mark.parametrize("claim", ["scope", "scp"])
async def test_scopes_are_text_or_a_list_of_either_name(clock: FixedClock, claim: str, scopes: Any) -> None:
    payload = claims()
    del payload["scope"]
    payload[claim] = scopes
    principal = await JwtAuthenticator(clock, secret=SECRET).authenticate(signed(payload))
    assert principal.scopes == {"a", "b"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"exp": int(NOW.timestamp())}, "expired"),
        ({"exp": None}, "no exp"),
        ({"exp": "tomorrow"}, "not a valid time"),
        ({"exp": True}, "not a valid time"),
        ({"exp": 1e300}, "not a valid time"),
        ({"nbf": int(NOW.timestamp()) + 1}, "not valid yet"),
        ({"iat": int(NOW.timestamp()) + 1}, "issued in the future"),
        ({"sub": None}, "no valid sub"),
        ({"sub": ""}, "no valid sub"),
        ({"sub": 5}, "no valid sub"),
        ({"sub": "a\nb"}, "no valid sub"),
        ({"sub": "x" * 300}, "no valid sub"),
    ],
)
async def test_claims_that_do_not_count(clock: FixedClock, change: dict[str, Any], reason: str) -> None:
    payload = {name: value for name, value in claims(**change).items() if value is not None}
    token = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(payload)}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(token.encode(), SECRET.encode())
    assert reason in await refused(
        JwtAuthenticator(clock, secret=SECRET), f"{token}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    )


async def test_issuer_and_audience_count_when_set(clock: FixedClock) -> None:
    strict = JwtAuthenticator(clock, secret=SECRET, issuer="me", audience="shop")
    assert await strict.authenticate(signed(claims(iss="me", aud=["other", "shop"])))
    assert "issuer" in await refused(strict, signed(claims(aud="shop")))
    assert "issuer" in await refused(strict, signed(claims(iss="you", aud="shop")))
    assert "audience" in await refused(strict, signed(claims(iss="me", aud="shops")))
    assert "audience" in await refused(strict, signed(claims(iss="me")))
    assert await JwtAuthenticator(clock, secret=SECRET).authenticate(signed(claims(iss="any", aud="any")))


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "NONE", "", "HS384", "HS512", "hs256", 5, None])
async def test_other_algorithms_are_refused(clock: FixedClock, algorithm: Any) -> None:
    """Also with a signature that fits: it is the algorithm that is refused."""
    unsigned = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims())}"
    digests = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}
    signature = hmac.new(SECRET.encode(), unsigned.encode(), digests.get(algorithm, hashlib.sha256)).digest()
    for text in ("", base64.urlsafe_b64encode(signature).rstrip(b"=").decode()):
        reason = await refused(JwtAuthenticator(clock, secret=SECRET), f"{unsigned}.{text}")
        # the library does not read a header whose algorithm is no text
        assert "algorithm is not accepted" in reason or (not isinstance(algorithm, str) and "malformed" in reason)


async def test_clocks_may_differ_a_little(clock: FixedClock) -> None:
    now = int(NOW.timestamp())
    lenient = JwtAuthenticator(clock, secret=SECRET, leeway_seconds=5)
    for change in ({"exp": now - 4}, {"nbf": now + 5}, {"iat": now + 5}):
        assert await lenient.authenticate(signed(claims(**change)))
    assert "expired" in await refused(lenient, signed(claims(exp=now - 5)))
    assert "not valid yet" in await refused(lenient, signed(claims(nbf=now + 6)))
    assert "in the future" in await refused(lenient, signed(claims(iat=now + 6)))
    clock.forward(1)
    assert "expired" in await refused(lenient, signed(claims(exp=now - 4))), "a token that was kept ends, too"


@pytest.mark.parametrize(
    "header",
    [
        {"jku": "http://evil.example/keys"},
        {"x5u": "http://evil.example/cert"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5c": ["AAAA"]},
        {"crit": ["exp"]},
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"typ": "id+jwt"},
        {"typ": "logout+jwt"},
    ],
)
async def test_headers_that_would_change_the_rules_are_refused(clock: FixedClock, header: dict[str, Any]) -> None:
    await refused(JwtAuthenticator(clock, secret=SECRET), signed(claims(), headers=header))


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c", "a.b.c.d", "....", "é.é.é", "x" * (TOKEN_BYTES_MAX + 1), "\x00", "e30.e30."]
)
async def test_malformed_and_oversized_tokens_are_refused(clock: FixedClock, token: str) -> None:
    await refused(JwtAuthenticator(clock, secret=SECRET), token)


async def test_a_changed_or_foreign_signature_is_refused(clock: FixedClock) -> None:
    authenticator = JwtAuthenticator(clock, secret=SECRET)
    good = signed(claims())
    await authenticator.authenticate(good)
    head, body, signature = good.split(".")
    await refused(authenticator, f"{head}.{part(claims(sub='admin'))}.{signature}")
    await refused(authenticator, f"{head}.{body}.{signature[:-4]}AAAA")
    await refused(authenticator, signed(claims(), key="another-secret-0123456789abcdefghij"))


async def test_a_token_that_was_accepted_is_refused_once_expired(clock: FixedClock) -> None:
    authenticator, token = JwtAuthenticator(clock, secret=SECRET), signed(claims())
    await authenticator.authenticate(token)
    clock.forward(61)
    assert "expired" in await refused(authenticator, token)


async def test_tokens_that_are_remembered_are_bounded(clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has many valid tokens fills no memory with them; the newest are known."""
    monkeypatch.setattr("sternpost.auth.jwt.CACHE_MAX", 3)
    authenticator = JwtAuthenticator(clock, secret=SECRET)
    for _ in range(2):
        for number in range(5):
            assert (await authenticator.authenticate(signed(claims(sub=f"usr_{number}")))).subject == f"usr_{number}"
            assert len(authenticator._verified) <= 3
    assert [principal.subject for principal, _ in authenticator._verified.values()] == ["usr_2", "usr_3", "usr_4"]


async def test_development_tokens_carry_what_is_enforced(clock: FixedClock) -> None:
    now = int(NOW.timestamp())
    token = make_token(SECRET, subject="s", scopes=["a"], issued=now, expires=now + 5, issuer="i", audience="u")
    assert await JwtAuthenticator(clock, secret=SECRET, issuer="i", audience="u").authenticate(token)


async def test_the_tenant_is_that_of_its_claim(clock: FixedClock) -> None:
    authenticator = JwtAuthenticator(clock, secret=SECRET)
    assert (await authenticator.authenticate(signed(claims()))).tenant is None
    assert (await authenticator.authenticate(signed(claims(tenant="org_1")))).tenant == "org_1"
    named = JwtAuthenticator(clock, secret=SECRET, tenant_claim="org")
    assert (await named.authenticate(signed(claims(tenant="no", org="yes")))).tenant == "yes"
    for unusable in (5, "", "a" * 257, "a\x00b", ["org_1"]):
        assert "tenant" in await refused(authenticator, signed(claims(tenant=unusable)))


# -- public keys


class KeyServer:
    """Serves a JWKS over real HTTP."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.fetched = 0
        self.status = 200
        self.body: bytes | None = None
        self.asked, self.go_on, self.dripping = Event(), Event(), False
        self.go_on.set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.fetched += 1
                self.send_response(outer.status)
                self.end_headers()
                outer.asked.set()
                while outer.dripping and not outer.go_on.wait(0.05):
                    self.wfile.write(b" ")
                outer.go_on.wait()
                self.wfile.write(outer.body or json.dumps({"keys": outer.keys}).encode())

            def log_message(self, format: str, *args: Any) -> None:
                """Prints nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"
        self.thread = Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def add(self, kid: str, private: Any, algorithm: str) -> None:
        kind = {
            "RS": jwt.algorithms.RSAAlgorithm,
            "PS": jwt.algorithms.RSAAlgorithm,
            "ES": jwt.algorithms.ECAlgorithm,
            "Ed": jwt.algorithms.OKPAlgorithm,
        }[algorithm[:2]]
        self.keys.append({**json.loads(kind.to_jwk(private.public_key())), "kid": kid, "use": "sig", "alg": algorithm})

    def close(self) -> None:
        self.go_on.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.close()


@pytest.fixture
async def public(clock: FixedClock, key_server: KeyServer) -> AsyncIterator[JwtAuthenticator]:
    authenticator = JwtAuthenticator(clock, keys=KeySet(key_server.url, clock))
    yield authenticator
    await authenticator.close()


RSA = rsa.generate_private_key(65537, 2048)
PRIVATE: dict[str, Any] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256"), RSA),
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("algorithm", list(PRIVATE))
async def test_public_keys_verify(public: JwtAuthenticator, key_server: KeyServer, algorithm: str) -> None:
    for name, private in PRIVATE.items():
        key_server.add(f"key-{name}", private, name)
    token = signed(claims(), key=PRIVATE[algorithm], algorithm=algorithm, headers={"kid": f"key-{algorithm}"})
    assert (await public.authenticate(token)).subject == "usr_1"
    other = next(name for name in PRIVATE if name != algorithm)
    await refused(
        public, signed(claims(sub="x"), key=PRIVATE[algorithm], algorithm=algorithm, headers={"kid": f"key-{other}"})
    )
    assert key_server.fetched == 1


async def test_a_public_key_is_no_secret(public: JwtAuthenticator, key_server: KeyServer, clock: FixedClock) -> None:
    """Key confusion: an HS256 token signed with the public key's text."""
    key_server.add("k", PRIVATE["RS256"], "RS256")
    pem = (
        PRIVATE["RS256"]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    unsigned = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'k'})}.{part(claims())}"
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(unsigned.encode(), pem)
    token = f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert "HS256 is not accepted" in await refused(public, token)
    both = JwtAuthenticator(clock, secret=SECRET, keys=public.keys)
    await refused(both, token)


async def test_rotation_takes_new_keys_and_forgets_old_ones(
    public: JwtAuthenticator, key_server: KeyServer, clock: FixedClock
) -> None:
    key_server.add("one", PRIVATE["ES256"], "ES256")
    old = signed(
        claims(exp=int(NOW.timestamp()) + 10_000), key=PRIVATE["ES256"], algorithm="ES256", headers={"kid": "one"}
    )
    await public.authenticate(old)
    key_server.keys.clear()
    key_server.add("two", PRIVATE["RS256"], "RS256")
    new = signed(
        claims(exp=int(NOW.timestamp()) + 10_000), key=PRIVATE["RS256"], algorithm="RS256", headers={"kid": "two"}
    )
    await refused(public, new)  # fetched a moment ago
    clock.forward(RETRY_SECONDS + 1)
    assert await public.authenticate(new)
    await refused(public, old)
    fetched = key_server.fetched
    for number in range(20):
        await refused(
            public, signed(claims(), key=PRIVATE["RS256"], algorithm="RS256", headers={"kid": f"unknown-{number}"})
        )
    assert key_server.fetched == fetched


async def test_a_known_token_ends_with_its_key_where_no_other_comes(
    public: JwtAuthenticator, key_server: KeyServer, clock: FixedClock
) -> None:
    """Keys that are old are fetched in the background, and what was accepted with those before is forgotten."""
    key_server.add("one", PRIVATE["ES256"], "ES256")
    far = int(NOW.timestamp()) + 10_000
    token = signed(claims(exp=far), key=PRIVATE["ES256"], algorithm="ES256", headers={"kid": "one"})
    assert await public.authenticate(token)
    key_server.keys.clear()
    clock.forward(FRESH_SECONDS + 1)
    assert await public.authenticate(token), "nobody waits for it"
    assert public.keys is not None
    assert public.keys._fetching is not None
    await public.keys._fetching
    assert "no key matches" in await refused(public, token)


async def test_keys_that_cannot_be_fetched_are_503_and_known_ones_go_on(
    public: JwtAuthenticator, key_server: KeyServer, clock: FixedClock
) -> None:
    key_server.add("one", PRIVATE["ES256"], "ES256")
    token = signed(
        claims(exp=int(NOW.timestamp()) + 10_000), key=PRIVATE["ES256"], algorithm="ES256", headers={"kid": "one"}
    )
    key_server.status = 500
    with pytest.raises(Unavailable):
        await public.authenticate(token)
    key_server.status = 200
    clock.forward(RETRY_SECONDS + 1)
    await public.authenticate(token)
    key_server.status = 500
    clock.forward(1000)
    assert await public.authenticate(token)
    assert public.keys is not None
    assert public.keys._fetching is not None, "old keys are fetched again, and nobody waits for it"
    await public.keys._fetching
    assert key_server.fetched == 3
    assert await public.authenticate(token)


@pytest.mark.parametrize(
    "body",
    [b"[]", b'"keys"', b"{}", b'{"keys": {}}', b'{"keys": null}', b"no json", b'{"keys": []}' + b" " * BYTES_MAX],
    ids=lambda body: body[:14].decode(),
)
async def test_what_holds_no_keys_is_as_if_nothing_had_come(
    public: JwtAuthenticator, key_server: KeyServer, clock: FixedClock, body: bytes
) -> None:
    key_server.add("one", PRIVATE["ES256"], "ES256")
    key_server.body = body
    far = int(NOW.timestamp()) + 100_000
    token, other = (
        signed(claims(exp=far, n=number), key=PRIVATE["ES256"], algorithm="ES256", headers={"kid": "one"})
        for number in range(2)
    )
    with pytest.raises(Unavailable):
        await public.authenticate(token)
    with pytest.raises(Unavailable):
        await public.authenticate(token)
    assert key_server.fetched == 1, "it was tried a moment ago"
    clock.forward(RETRY_SECONDS)
    key_server.body = None
    assert await public.authenticate(token)
    clock.forward(FRESH_SECONDS + 1)
    key_server.body = body
    assert await public.authenticate(token)
    assert public.keys is not None
    assert public.keys._fetching is not None
    await public.keys._fetching
    assert key_server.fetched == 3
    assert await public.authenticate(other), "the keys of before stay"


async def test_a_key_that_cannot_be_read_leaves_the_others_alone(
    public: JwtAuthenticator, key_server: KeyServer
) -> None:
    key_server.add("one", PRIVATE["ES256"], "ES256")
    key_server.body = json.dumps(
        {
            "keys": [
                "no key",
                {"kty": "EC", "crv": "P-256", "kid": "half", "x": "AAAA"},
                {"kty": "RSA", "kid": "none", "n": "", "e": "AQAB"},
                {"kty": "RSA", "kid": "odd", "n": 5, "e": "AQAB"},
                *key_server.keys,
            ]
        }
    ).encode()
    for kid, algorithm in (("half", "ES256"), ("none", "RS256"), ("odd", "RS256")):
        token = signed(claims(), key=PRIVATE[algorithm], algorithm=algorithm, headers={"kid": kid})
        assert "no key matches" in await refused(public, token)
    token = signed(claims(), key=PRIVATE["ES256"], algorithm="ES256", headers={"kid": "one"})
    assert await public.authenticate(token)


async def test_what_no_key_can_verify_is_refused_without_asking_for_keys(
    clock: FixedClock, public: JwtAuthenticator, key_server: KeyServer
) -> None:
    token = signed(claims(), key=RSA, algorithm="RS256", headers={"kid": "one"})
    assert "RS256 is not accepted here" in await refused(JwtAuthenticator(clock, secret=SECRET), token)
    for kid in ("a b", "a\n", "", "x" * 257, "é"):
        token = signed(claims(), key=RSA, algorithm="RS256", headers={"kid": kid})
        assert "the kid is malformed" in await refused(public, token)
    assert key_server.fetched == 0


async def test_while_keys_are_fetched_unknown_ids_are_refused_from_memory(
    public: JwtAuthenticator, key_server: KeyServer, clock: FixedClock
) -> None:
    key_server.add("one", RSA, "RS256")
    far = int(NOW.timestamp()) + 10_000
    known = signed(claims(exp=far), key=RSA, algorithm="RS256", headers={"kid": "one"})
    await public.authenticate(known)
    clock.forward(RETRY_SECONDS + 1)
    key_server.add("two", RSA, "RS256")
    key_server.go_on.clear()
    key_server.asked.clear()
    new = signed(claims(exp=far), key=RSA, algorithm="RS256", headers={"kid": "two"})
    first = asyncio.create_task(public.authenticate(new))
    await asyncio.to_thread(key_server.asked.wait, 5)
    for number in range(20):
        token = signed(claims(exp=far, n=number), key=RSA, algorithm="RS256", headers={"kid": f"unknown-{number}"})
        assert "no key matches" in await refused(public, token)
    assert await public.authenticate(known)
    assert not first.done()
    key_server.go_on.set()
    assert await first
    assert key_server.fetched == 2


@pytest.mark.parametrize("dripping", [False, True])
async def test_a_fetch_has_a_deadline_of_its_own(
    public: JwtAuthenticator, key_server: KeyServer, monkeypatch: pytest.MonkeyPatch, dripping: bool
) -> None:
    monkeypatch.setattr("sternpost.auth.jwks.FETCH_SECONDS", 0.3)
    key_server.dripping = dripping
    key_server.go_on.clear()
    token = signed(claims(), key=RSA, algorithm="RS256", headers={"kid": "one"})
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await public.authenticate(token)


async def test_who_gives_up_does_not_end_the_fetch_of_others(public: JwtAuthenticator, key_server: KeyServer) -> None:
    key_server.add("one", RSA, "RS256")
    key_server.go_on.clear()
    token = signed(claims(), key=RSA, algorithm="RS256", headers={"kid": "one"})
    leaving, staying = (asyncio.create_task(public.authenticate(token)) for _ in range(2))
    await asyncio.to_thread(key_server.asked.wait, 5)
    leaving.cancel()
    key_server.go_on.set()
    assert await staying
    assert key_server.fetched == 1


async def test_small_rsa_keys_are_refused(public: JwtAuthenticator, key_server: KeyServer) -> None:
    weak = rsa.generate_private_key(65537, 1024)
    key_server.add("weak", weak, "RS256")
    unsigned = f"{part({'alg': 'RS256', 'typ': 'JWT', 'kid': 'weak'})}.{part(claims())}"
    signature = weak.sign(unsigned.encode(), padding.PKCS1v15(), hashes.SHA256())
    assert "no key matches" in await refused(
        public, f"{unsigned}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    )


@pytest.mark.parametrize("change", [{"use": "enc"}, {"alg": "PS256"}, {"kid": "other"}])
async def test_a_key_for_something_else_verifies_nothing(
    public: JwtAuthenticator, key_server: KeyServer, clock: FixedClock, change: dict[str, str]
) -> None:
    """RFC 7517, 4.2: an issuer publishes keys for encryption beside those for signatures."""
    key_server.add("k", PRIVATE["RS256"], "RS256")
    token = signed(claims(), key=PRIVATE["RS256"], algorithm="RS256", headers={"kid": "k"})
    key_server.keys[0].update(change)
    assert "no key matches" in await refused(public, token)
    del key_server.keys[0]["use"], key_server.keys[0]["alg"]  # both are optional
    key_server.keys[0]["kid"] = "k"
    clock.forward(RETRY_SECONDS + 1)
    assert (await public.authenticate(token)).subject == "usr_1"


async def test_a_token_that_does_not_say_which_key_is_verified_by_the_only_one_that_fits(
    public: JwtAuthenticator, key_server: KeyServer, clock: FixedClock
) -> None:
    """RFC 7515, 4.1.4: a key id is a hint. Where several keys fit nobody can say which one was meant."""
    key_server.add("one", PRIVATE["ES256"], "ES256")
    key_server.add("other", PRIVATE["RS256"], "RS256")
    token = signed(claims(exp=int(NOW.timestamp()) + 10_000), key=PRIVATE["ES256"], algorithm="ES256")
    assert (await public.authenticate(token)).subject == "usr_1"
    key_server.add("new", ec.generate_private_key(ec.SECP256R1()), "ES256")
    clock.forward(FRESH_SECONDS + 1)
    await public.authenticate(token)
    async with asyncio.timeout(5):
        while key_server.fetched < 2 or public.keys is None or public.keys.generation < 2:
            await asyncio.sleep(0.01)
    assert "no key matches" in await refused(public, token)


# -- patterns of scopes, and bounds

KNOWN = frozenset({"orders:read", "orders:write", "orders:items:read", "users:read", "reader"})


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", KNOWN),
        ("*:read", {"orders:read", "users:read", "orders:items:read"}),
        ("orders:*", {"orders:read", "orders:write", "orders:items:read"}),
        ("*er*", {"orders:read", "orders:write", "orders:items:read", "users:read", "reader"}),
        ("o*:*:read", {"orders:items:read"}),
        ("orders:read*orders:read", set()),
        ("read*er", {"reader"}),
        ("reader*er", set()),
        ("*:delete", set()),
        ("ORDERS:*", set()),
        ("**", KNOWN),
        ("orders:rea[d]*", set()),
        ("orders:rea?*", set()),
    ],
)
async def test_a_pattern_stands_for_the_scopes_of_the_contract_that_it_fits(
    clock: FixedClock, pattern: str, fits: set[str]
) -> None:
    authenticator = JwtAuthenticator(clock, secret=SECRET, known_scopes=KNOWN)
    principal = await authenticator.authenticate(signed(claims(scope="own", scope_patterns=pattern)))
    assert principal.scopes == {"own", *fits}


async def test_a_pattern_is_matched_in_time_that_grows_with_its_length(clock: FixedClock) -> None:
    authenticator = JwtAuthenticator(clock, secret=SECRET, known_scopes=frozenset({"a" * 5000}))
    token = signed(claims(scope_patterns="*a" * 1500 + "b*"))
    async with asyncio.timeout(5):
        assert "a" * 5000 not in (await authenticator.authenticate(token)).scopes


@pytest.mark.parametrize("claim", ["scope", "scp"])
@pytest.mark.parametrize("scope", ["*", "*:read", "orders:*", ["*:read"]])
async def test_a_star_in_a_scope_is_a_character_as_any_other(clock: FixedClock, claim: str, scope: Any) -> None:
    authenticator = JwtAuthenticator(clock, secret=SECRET, known_scopes=KNOWN)
    payload = claims()
    del payload["scope"]
    principal = await authenticator.authenticate(signed({**payload, claim: scope}))
    assert principal.scopes.isdisjoint(KNOWN)


async def test_an_issuer_of_a_jwks_signs_no_patterns(clock: FixedClock, key_server: KeyServer) -> None:
    key_server.add("one", PRIVATE["ES256"], "ES256")
    authenticator = JwtAuthenticator(clock, secret=SECRET, keys=KeySet(key_server.url, clock), known_scopes=KNOWN)
    token = signed(claims(scope_patterns="*"), key=PRIVATE["ES256"], algorithm="ES256", headers={"kid": "one"})
    assert (await authenticator.authenticate(token)).scopes == {"a:read", "b:write"}
    await authenticator.close()


async def test_what_is_made_and_what_is_accepted_have_the_same_bounds(clock: FixedClock) -> None:
    authenticator = JwtAuthenticator(clock, secret=SECRET)

    def token(scopes: list[str]) -> str:
        at = int(NOW.timestamp())
        return make_token(SECRET, subject="a", scopes=scopes, issued=at, expires=at + 60)

    fitting = next(made for length in range(6000, 0, -1) if len(made := token(["x" * length])) <= TOKEN_BYTES_MAX)
    assert await authenticator.authenticate(fitting)
    assert "too large" in await refused(authenticator, token(["x" * 6000]))
    assert len(f"authorization: Bearer {fitting}") < 7500, "with other headers a request has less than 8 KiB"
    assert await authenticator.authenticate(token([f"s{number}" for number in range(SCOPES_MAX)]))
    assert "scopes" in await refused(authenticator, token([f"s{number}" for number in range(SCOPES_MAX + 1)]))
    mixed = [f"s{number}" for number in range(SCOPES_MAX)] + ["*:read"]
    assert "scopes" in await refused(authenticator, token(mixed))
