"""What the ops port answers: requests with its token, by method and path, in JSON."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sternpost.clock import Clock
from sternpost.errors import Detail, Invalid, InvalidCredentials, MethodNotAllowed, NotFound, Unauthenticated
from sternpost.pipeline.call import ENCODING
from sternpost.protocols.http.addresses import refusal
from sternpost.protocols.http.body import CLIENT_CLOSED, ClientDisconnected, read_body
from sternpost.protocols.http.edge import Edge
from sternpost.protocols.http.errors import encode_unread, refuse
from sternpost.protocols.http.headers import RequestHeaders, bearer_token, read_headers
from sternpost.protocols.http.messages import JSON, SECURE, Header, Receive, Scope, Send, send_response
from sternpost.protocols.http.observed import HttpObservation, observe
from sternpost.telemetry.events import OpsTokenMissing
from sternpost.telemetry.telemetry import Telemetry

BODY_BYTES_MAX = 65_536
EDGE = Edge()

REFUSED_LINE_SECONDS = 1.0
"""How often it is logged, at most, that requests came without the token: anybody can send many."""

ANY = "*"
"""The last segment of the path of a page for each of several things."""


@dataclass(frozen=True, slots=True)
class OpsRequest:
    """A request with the token.

    Attributes:
        address: where it came from.
        last: the last segment of the path, where the page has `ANY` there.
        body: what was sent, decoded; None where nothing was.
        accept: which media types are wanted, as HTTP says it.
    """

    address: str | None
    last: str
    body: Any
    accept: bytes = b""


@dataclass(frozen=True, slots=True)
class OpsAnswer:
    """An answer: JSON, or content of another type."""

    data: Any = None
    content: tuple[bytes, bytes] | None = None
    """The media type, and the bytes."""


Page = Callable[[OpsRequest], Awaitable[OpsAnswer]]
Pages = Mapping[str, Mapping[str, Page]]
"""By path and method. A path may end in `ANY`."""


class OpsPages:
    """An ASGI application.

    Args:
        token: whoever sends it may do everything here.
    """

    def __init__(self, pages: Pages, token: str, telemetry: Telemetry, clock: Clock) -> None:
        self._pages = pages
        self._token = _digest(token)
        self._telemetry = telemetry
        self._clock = clock
        self._refused = 0
        self._next_line = -math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        if scope["type"] != "http":
            return
        headers = read_headers(scope)
        problem = self._without_token(headers)
        if problem is not None:
            self._count_refused()
            status, more, body = encode_unread(problem)
            # closed, so that who has no token does not take the place of who has
            kept = [*((name, value) for name, value in more if name != b"content-length"), (b"connection", b"close")]
            await send_response(scope, send, status, kept, body, SECURE)
            return
        observation = observe(self._telemetry, self._clock, scope, headers)
        try:
            wrong = refusal(scope, headers, EDGE)
            if wrong is not None:
                await wrong(scope, receive, send, headers, observation)
                return
            await self._answer(scope, receive, send, headers, observation)
        except ClientDisconnected:
            observation.status = CLIENT_CLOSED
        except Exception as error:  # noqa: BLE001  (a bug must not end the process; it is logged with its stack)
            await refuse(error, scope, send, headers, observation)  # pyright: ignore[reportArgumentType]

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> None:
        page, last = self._find(scope)
        content = await read_body(receive, headers, BODY_BYTES_MAX)
        client = scope.get("client")
        asked = OpsRequest(client[0] if client else None, last, _decoded(content), headers.accept)
        answer = await page(asked)
        media, body = answer.content or (JSON[1], orjson.dumps({"data": answer.data}, option=ENCODING))
        more: list[Header] = [(b"content-type", media), (b"x-request-id", observation.request_id.encode())]
        await send_response(scope, send, 200, more, body, SECURE)

    def _find(self, scope: Scope) -> tuple[Page, str]:
        path: str = scope["path"]
        above, _, last = path.rpartition("/")
        methods = self._pages.get(path) or self._pages.get(f"{above}/{ANY}")
        if methods is None or not last:
            raise NotFound("There is nothing at this address")
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in methods:
            raise MethodNotAllowed(methods)
        return methods[method], last

    def _without_token(self, headers: RequestHeaders) -> Unauthenticated | None:
        """The error of a request that has no token or another one. Digests are compared: they are of one length."""
        try:
            token = bearer_token(headers)
        except InvalidCredentials as error:
            return error
        if token is None:
            return Unauthenticated("The ops port needs its token (STERNPOST_OPS_TOKEN)")
        if not hmac.compare_digest(_digest(token), self._token):
            return InvalidCredentials("This is not the token of the ops port (STERNPOST_OPS_TOKEN)")
        return None

    def _count_refused(self) -> None:
        self._refused += 1
        now = self._clock.monotonic()
        if now >= self._next_line:
            self._telemetry.tell(OpsTokenMissing(requests=self._refused))
            self._refused, self._next_line = 0, now + REFUSED_LINE_SECONDS


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _decoded(content: bytes) -> Any:
    if not content:
        return None
    try:
        return orjson.loads(content)
    except ValueError as error:
        raise Invalid("The body is no JSON", details=[Detail("", "json", "Send JSON")]) from error
