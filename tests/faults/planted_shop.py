"""The shop with bugs planted into how it reads requests and who it takes their callers for: `FAULTS_PLANT` names them,
separated by commas, as for `tests/faults/plant.py`."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from typing import Any

import jwt as pyjwt
from shop.app import app as shop

from sternpost.auth import jwt
from sternpost.protocols.rest import rest

VARIABLE = "FAULTS_PLANT"


def decompresses_all() -> None:
    """Makes all of a compressed body, and then looks how large it is."""
    within = rest.decompressed

    def whole(body: bytes, limit: int) -> bytes:
        made = zlib.decompressobj(31).decompress(body)
        del made
        return within(body, limit)

    rest.decompressed = whole


def checks_no_json() -> None:
    """Two members of one name pass, and so does any depth that the parser bears."""
    rest.check_json = lambda body, edge: None


def stumbles_over_brackets() -> None:
    """A parameter with a bracket is an error that nobody expected."""
    read = rest.list_query

    def stumbling(query: bytes) -> Any:
        if b"[" in query or b"%5B" in query:
            raise KeyError("[")
        return read(query)

    rest.list_query = stumbling


def believes_tokens() -> None:
    """Claims count whoever has signed them: a weak verifier."""

    async def believing(self: Any, token: str) -> Any:
        claims = pyjwt.decode(token, options={**jwt._NO_CHECKS, "verify_signature": False})
        return self._principal(claims, "RS256"), self._check_claims(claims)

    jwt.JwtAuthenticator._verify = believing


def remembers_for_ever() -> None:
    """Tokens that were accepted once stay accepted, also when keys are changed."""
    jwt.JwtAuthenticator._forget_if_keys_changed = lambda self, keys: None


def grants_all_scopes() -> None:
    """Whoever has a token is let do what only administrators may."""
    scopes = frozenset({"users:admin", "orders:admin", "products:write"})
    jwt.JwtAuthenticator._scopes = lambda self, claims, algorithm: scopes


PLANTS: dict[str, Callable[[], None]] = {
    found.__name__: found
    for found in (
        decompresses_all,
        checks_no_json,
        stumbles_over_brackets,
        believes_tokens,
        remembers_for_ever,
        grants_all_scopes,
    )
}

for _name in os.environ.get(VARIABLE, "").split(","):
    if _name:
        PLANTS[_name]()
app = shop
