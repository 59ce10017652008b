"""REST over ASGI: decodes a request into a `Call`, executes it, and writes the answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, quote_from_bytes

import orjson

from sternpost.errors import (
    CATALOGUE,
    Detail,
    Gone,
    Invalid,
    InvalidCredentials,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    SternpostError,
    Timeout,
    Unauthenticated,
)
from sternpost.pipeline.batch import NAME as BATCH
from sternpost.pipeline.batch import execute_batch
from sternpost.pipeline.call import Answer, Call, ListParameter
from sternpost.pipeline.execute import execute
from sternpost.pipeline.runtime import Runtime
from sternpost.plan.model import OperationPlan
from sternpost.protocols.rest.batch import encode_results, read_steps
from sternpost.protocols.rest.conditions import entity_tag, not_modified, precondition
from sternpost.protocols.rest.deprecation import day, deprecation_headers
from sternpost.protocols.rest.exports import encoded, export_headers, wanted_export
from sternpost.protocols.rest.http import (
    ABORT,
    ENCODING,
    JSON,
    PROBLEM_JSON,
    SECURITY_HEADERS,
    ClientDisconnected,
    FixedHeaders,
    Header,
    Receive,
    RequestHeaders,
    Scope,
    Send,
    bearer_token,
    check_accept,
    check_content_type,
    prefers_problem,
    read_body,
    send_response,
)
from sternpost.protocols.rest.router import Endpoint, Match, Router, allowed_methods
from sternpost.telemetry.observation import Observation

PARAMETERS_MAX = 100
QUERY_KEPT_MAX = 200
KEPT_BYTES_MAX = 300
"""The longest query whose next-page address is cached."""

STALLED_SECONDS = 30.0
"""How long a client may stop reading an export before it is cut off, because an export holds a database connection."""

CLIENT_CLOSED = 499
"""Logged, never sent: the client went away."""

_PARAMETER = re.compile(r"([A-Za-z0-9_.]{1,200})(?:\[([A-Za-z]{1,16})\])?")
_KEPT = "%!$&'()*+,;=:@/?-._~[]"
_PLAIN = re.compile(rb"[A-Za-z0-9%!$&'()*+,;=:@/?._~\[\]-]*")


class Rest:
    """Serves the operations of a plan below its base path."""

    def __init__(self, runtime: Runtime, *, max_body_bytes: int) -> None:
        self.runtime = runtime
        self.router = Router(runtime)
        self.max_body_bytes = max_body_bytes
        plan = runtime.plan
        self.headers = FixedHeaders(*SECURITY_HEADERS, *deprecation_headers(plan))
        self.gone_at = day(plan.sunset) if plan.sunset and plan.gone_after_sunset else None
        self.batch_path = f"{plan.base_path}/{BATCH}" if plan.batch_max else None

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        """Answers one request, whatever happens."""
        observation.api_version = self.runtime.versioned
        try:
            if self.gone_at is not None and self.runtime.clock.now() >= self.gone_at:
                raise Gone(f"Version {self.runtime.plan.api_version} of this API is no longer served")
            status, more, body = await self._answer(scope, receive, headers, observation)
            if isinstance(body, Export):
                await self._export(scope, receive, send, observation, more, body)
                return
        except ClientDisconnected:
            observation.status = CLIENT_CLOSED
            return
        except SternpostError as error:
            observation.log.error(observation, error)
            status, more, body = encode_error(error, observation, headers)
        except Exception as error:  # noqa: BLE001  (a bug must not end the process; it is logged with its stack)
            observation.log.error(observation, error)
            status, more, body = encode_error(None, observation, headers)
        observation.status = status
        more.append((b"x-request-id", observation.request_id.encode()))
        await send_response(scope, send, status, more, body, self.headers)

    async def _answer(
        self, scope: Scope, receive: Receive, headers: RequestHeaders, observation: Observation
    ) -> tuple[int, list[Header], bytes | Export]:
        if scope["path"] == self.batch_path:
            return await self._batch(scope, receive, headers, observation)
        match = self.router.match(scope["path"])
        # No name here contains an encoded slash. Decoding it would let a proxy see another path than this server does.
        if match is None or b"%2f" in scope.get("raw_path", b"").lower():
            raise NotFound("There is no resource or operation at this address")
        method: str = scope["method"]
        if method == "OPTIONS":
            return 204, [(b"allow", ", ".join(allowed_methods(match.methods)).encode())], b""
        endpoint = match.methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            raise MethodNotAllowed(allowed_methods(match.methods))
        media = wanted_export(headers.accept) if endpoint.operation.export else None
        if media is None:
            check_accept(headers.accept)
        call = await self._decode(endpoint, match, scope, receive, headers)
        if media is not None:
            call.export = True
            answer = await execute(self.runtime, call, observation)
            name = endpoint.operation.id.partition(".")[0]
            return 200, export_headers(media, name), await Export.begun(media, answer)
        answer = await execute(self.runtime, call, observation)
        return _encode(endpoint.operation, answer, observation, scope, headers)

    async def _batch(
        self, scope: Scope, receive: Receive, headers: RequestHeaders, observation: Observation
    ) -> tuple[int, list[Header], bytes]:
        if scope["method"] == "OPTIONS":
            return 204, [(b"allow", b"OPTIONS, POST")], b""
        if scope["method"] != "POST":
            raise MethodNotAllowed(("OPTIONS", "POST"))
        check_accept(headers.accept)
        body = await read_body(receive, headers, self.max_body_bytes)
        check_content_type(headers, (b"application/json",))
        steps = read_steps(body, self.runtime.plan.batch_max, _parameter)
        results = await execute_batch(self.runtime, steps, bearer_token(headers), observation)
        return 200, [JSON], encode_results(results, observation.request_id)

    async def _export(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        observation: Observation,
        headers: list[Header],
        export: Export,
    ) -> None:
        """Sends an export part by part, as fast as the client takes it. What goes wrong on the way cuts the answer off: a
        client must never take a part of a list for the whole."""
        observation.status = 200
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            headers = [*self.headers.pairs, *headers, (b"x-request-id", observation.request_id.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if scope["method"] != "HEAD":
                async for chunk in export:
                    async with asyncio.timeout(STALLED_SECONDS):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    if gone.done():
                        observation.status = CLIENT_CLOSED
                        return
            await send({"type": "http.response.body", "body": b""})
        except Exception as error:
            reported = error
            if isinstance(error, TimeoutError):
                reported = Timeout("The client did not read the export for too long")
            observation.error_code = reported.code if isinstance(reported, SternpostError) else "INTERNAL_ERROR"
            observation.log.error(observation, reported)
            if ABORT not in scope:
                raise  # another server cuts the connection off when the application fails
            scope[ABORT](receive)
        finally:
            gone.cancel()
            await export.close()

    async def _decode(
        self, endpoint: Endpoint, match: Match, scope: Scope, receive: Receive, headers: RequestHeaders
    ) -> Call:
        query: bytes = scope["query_string"]
        parent = (*endpoint.parent, match.id or "") if endpoint.parent else None
        found, refused = None, None
        body = await self._body(endpoint, scope, receive, headers)
        try:
            if body is not None:
                self._check_body(endpoint, body, headers)
            if headers.if_match is not None or headers.if_none_match is not None:
                found = precondition(headers, reads=endpoint.operation.method == "GET")
        except SternpostError as error:
            refused = error
        return Call(
            operation=endpoint.operation.id,
            credentials=bearer_token(headers),
            id=match.id,
            parent=parent,
            body=body if endpoint.body_types else None,
            parameters=()
            if not query
            else _known_parameters(query)
            if len(query) <= QUERY_KEPT_MAX
            else _parameters(query),
            precondition=found,
            refused=refused,
        )

    async def _body(self, endpoint: Endpoint, scope: Scope, receive: Receive, headers: RequestHeaders) -> bytes | None:
        if endpoint.body_types or scope["method"] == "POST":
            return await read_body(receive, headers, self.max_body_bytes)
        return None

    def _check_body(self, endpoint: Endpoint, body: bytes, headers: RequestHeaders) -> None:
        if endpoint.body_types:
            if body or headers.content_type:
                check_content_type(headers, endpoint.body_types)
        elif body.strip() not in (b"", b"{}"):
            raise Invalid(
                "This operation takes no body",
                details=[Detail("", "unexpected_body", "Send the request without a body")],
            )


class Export:
    """An export whose first part is there: from here on it can only be sent, or cut off."""

    def __init__(self, first: bytes, chunks: AsyncGenerator[bytes]) -> None:
        self._first = first
        self._chunks = chunks

    @classmethod
    async def begun(cls, media: bytes, answer: Answer) -> Export:
        chunks = encoded(media, answer)
        return cls(await anext(chunks, b""), chunks)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield self._first
        async for chunk in self._chunks:
            yield chunk

    async def close(self) -> None:
        await self._chunks.aclose()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _parameters(query: bytes) -> tuple[ListParameter, ...]:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except (ValueError, UnicodeError):
        raise Invalid(
            "Invalid parameters",
            details=[
                Detail("", "malformed_query", f"The query is not UTF-8, or has more than {PARAMETERS_MAX} parameters")
            ],
        ) from None
    return tuple(_parameter(name, value) for name, value in pairs)


_known_parameters = lru_cache(1000)(_parameters)
"""A cache for short queries, which often repeat."""


def _parameter(text: str, value: str) -> ListParameter:
    found = _PARAMETER.fullmatch(text)
    # Text that is not a parameter is passed on unchanged: the pipeline rejects it and names the valid ones.
    return ListParameter(found.group(1), found.group(2), value) if found else ListParameter(text[:100], None, value)


def _encode(
    operation: OperationPlan, answer: Answer, observation: Observation, scope: Scope, request: RequestHeaders
) -> tuple[int, list[Header], bytes]:
    if operation.returns_nothing:
        return operation.status, [], b""
    meta = {**answer.meta, "requestId": observation.request_id}
    data: Any = answer.documents if answer.documents is not None else answer.document
    headers: list[Header] = [JSON]
    if following := answer.meta.get("nextCursor"):
        headers.append(_link(scope, following))
    if answer.version is not None:
        content = orjson.dumps(data, option=ENCODING)
        tag = entity_tag(answer.version, content)
        headers.append((b"etag", tag))
        if operation.method == "GET" and not_modified(request, tag):
            return 304, [(b"etag", tag)], b""
        data = orjson.Fragment(content)
    if operation.kind == "create" and answer.document is not None:
        headers.append((b"location", f"{operation.path}/{answer.document['id']}".encode()))
    return operation.status, headers, orjson.dumps({"data": data, "meta": meta}, option=ENCODING)


def _link(scope: Scope, cursor: str) -> Header:
    """The address of the next page (RFC 8288): the same list from behind this one."""
    query: bytes = scope["query_string"]
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    start = _list_address(path, query) if len(query) <= KEPT_BYTES_MAX else _list_address.__wrapped__(path, query)
    return b"link", b'%s%s>; rel="next"' % (start, cursor.encode())


@lru_cache(maxsize=1000)
def _list_address(path: bytes, query: bytes) -> bytes:
    parts = [part for part in query.split(b"&") if part and not part.startswith((b"page=", b"cursor="))]
    return b"<%s?%s" % (path, _quoted(b"&".join([*parts, b"cursor="])))


def _quoted(query: bytes) -> bytes:
    """A query as it may stand in a header between `<` and `>`: what a URL has to encode, and clients do not always, is."""
    return query if _PLAIN.fullmatch(query) else quote_from_bytes(query, _KEPT).encode()


def encode_error(
    error: SternpostError | None, observation: Observation, headers: RequestHeaders
) -> tuple[int, list[Header], bytes]:
    """The response to an error; None stands for an unexpected one."""
    entry = CATALOGUE["INTERNAL_ERROR"]
    status = error.http_status if error else entry.http
    code = error.code if error else entry.code
    message = error.message if error else entry.message
    fix = error.fix if error else entry.fix
    details = [detail.as_json() for detail in error.details] if error else []
    observation.error_code = code
    if prefers_problem(headers.accept):
        problem = {
            "type": "about:blank",
            "title": message,
            "status": status,
            "code": code,
            "details": details,
            "fix": fix,
            "requestId": observation.request_id,
        }
        return status, [PROBLEM_JSON, *_error_headers(error)], orjson.dumps(problem)
    body = {
        "error": {"code": code, "message": message, "details": details, "fix": fix, "requestId": observation.request_id}
    }
    return status, [JSON, *_error_headers(error)], orjson.dumps(body)


def _error_headers(error: SternpostError | None) -> list[Header]:
    found: list[Header] = []
    if isinstance(error, Unauthenticated):
        refused = isinstance(error, InvalidCredentials)
        challenge = b'Bearer error="invalid_token"' if refused else b"Bearer"
        found.append((b"www-authenticate", challenge))
    if isinstance(error, MethodNotAllowed):
        found.append((b"allow", ", ".join(error.allowed).encode()))
    if isinstance(error, PayloadTooLarge):
        found.append((b"connection", b"close"))  # the rest of the body is not read
    if error is not None and error.retry_after_seconds is not None:
        found.append((b"retry-after", str(error.retry_after_seconds).encode()))
    return found
