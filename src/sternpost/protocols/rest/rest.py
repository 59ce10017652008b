"""REST over ASGI: decodes a request into a `Call`, executes it, and writes the answer."""

from __future__ import annotations

from functools import partial

from sternpost.deadline import CallerLeft
from sternpost.errors import Detail, Invalid, MethodNotAllowed, NotFound, SternpostError
from sternpost.pipeline.call import Call
from sternpost.pipeline.execute import execute, require_served
from sternpost.pipeline.runtime import Runtime
from sternpost.protocols.http.body import CLIENT_CLOSED, ClientDisconnected, decompressed, read_body
from sternpost.protocols.http.edge import Edge
from sternpost.protocols.http.encodings import GZIP
from sternpost.protocols.http.errors import log_and_encode
from sternpost.protocols.http.exchange import added, check_query, exchange_of
from sternpost.protocols.http.headers import RequestHeaders, bearer_token, check_accept, check_content_type
from sternpost.protocols.http.json_limits import check_json
from sternpost.protocols.http.messages import (
    ON_LEAVE,
    SECURITY_HEADERS,
    FixedHeaders,
    Header,
    Receive,
    Scope,
    Send,
    send_response,
)
from sternpost.protocols.http.observed import HttpObservation
from sternpost.protocols.http.quotas import quota_headers
from sternpost.protocols.rest.answers import check_own_accept, encode, pages_of
from sternpost.protocols.rest.batch import read_steps
from sternpost.protocols.rest.conditions import precondition
from sternpost.protocols.rest.deprecation import deprecation_headers
from sternpost.protocols.rest.exports import Export, wanted_export
from sternpost.protocols.rest.idempotency import REPLAYED, idempotency_key, telling_headers
from sternpost.protocols.rest.query import list_query
from sternpost.protocols.rest.router import Endpoint, Methods, Router, allowed_methods


class Rest:
    """Serves the operations of a plan below its base path."""

    def __init__(self, runtime: Runtime, edge: Edge) -> None:
        self.runtime = runtime
        self.router = Router(runtime)
        self.edge = edge
        self.headers = FixedHeaders(*SECURITY_HEADERS, *deprecation_headers(runtime.plan))
        self._pages = pages_of(runtime.plan, self.headers)

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> None:
        """Answers one request, whatever happens."""
        observation.api_version = self.runtime.versioned
        export: Export | None = None
        call: Call | None = None
        more: list[Header] = []
        status, body, fixed = 500, b"", self.headers
        try:
            methods, key, endpoint = self._find(scope)
            if endpoint is None:
                status, more, body = self._without_operation(scope, methods)
            else:
                observation.route = endpoint.route
                media = wanted_export(headers.accept) if endpoint.operation.export else None
                call = await self._decode(endpoint, key, scope, receive, headers, media)
                answer = await execute(self.runtime, call, observation)
                if media is None:
                    status, more, body = encode(endpoint.operation, answer, observation, scope, headers)
                    if call.exchange is not None:
                        fixed = self._pages.get(endpoint.operation.id, fixed)
                        more, fixed = added(call.exchange, more, fixed)
                else:
                    name = endpoint.operation.id.partition(".")[0]
                    export = await Export.begun(media, answer, name, scope, self.runtime.alarms)
                    if call.exchange is not None:
                        more, fixed = added(call.exchange, more, fixed)
                        fixed = FixedHeaders(*fixed.pairs, *more)
                    if call.quotas is not None:
                        fixed = FixedHeaders(*fixed.pairs, *quota_headers(call.quotas))
        except (ClientDisconnected, CallerLeft):
            observation.status = CLIENT_CLOSED
            return
        except Exception as error:  # noqa: BLE001  (a bug must not end the process; it is logged with its stack)
            status, more, body = log_and_encode(error, observation, headers)
        if export is not None:
            await export.send(scope, receive, send, fixed, observation)
            return
        observation.status = status
        if call is not None and call.quotas is not None:
            more += quota_headers(call.quotas)
        if observation.replayed:
            more.append(REPLAYED)
        more.append((b"x-request-id", observation.request_id.encode()))
        await send_response(scope, send, status, more, body, fixed)

    def route(self, path: str) -> str | None:
        """The address that a path stands for, such as `/api/v1/users/{id}`; None where there is none."""
        return self.router.route(path)

    def _find(self, scope: Scope) -> tuple[Methods, str | None, Endpoint | None]:
        """What is at the address, the id in it, and what the method means there, if anything. Raises `NotFound`."""
        match = self.router.match(scope["path"])
        # No name here contains an encoded slash. Decoding it would let a proxy see another path than this server does.
        raw: bytes = scope.get("raw_path") or b""
        if match is None or (b"%" in raw and b"%2f" in raw.lower()):
            require_served(self.runtime)
            raise NotFound("There is no resource or operation at this address")
        methods, key = match
        method: str = scope["method"]
        return methods, key, methods.get("GET" if method == "HEAD" else method)

    def _without_operation(self, scope: Scope, methods: Methods) -> tuple[int, list[Header], bytes]:
        require_served(self.runtime)
        if scope["method"] != "OPTIONS":
            raise MethodNotAllowed(allowed_methods(methods))
        return 204, [(b"allow", ", ".join(allowed_methods(methods)).encode())], b""

    async def _decode(
        self,
        endpoint: Endpoint,
        key: str | None,
        scope: Scope,
        receive: Receive,
        headers: RequestHeaders,
        media: bytes | None,
    ) -> Call:
        """The request in the pipeline's terms. What is wrong with it is told later, once it is known who calls."""
        operation, client = endpoint.operation, scope.get("client")
        call = Call(
            operation=operation.id,
            credentials=bearer_token(headers),
            id=key,
            parent=(*endpoint.parent, key or "") if endpoint.parent else None,
            export=media is not None,
            address=client[0] if client else None,
            on_leave=scope[ON_LEAVE].append if operation.method == "GET" and ON_LEAVE in scope else None,
        )
        if endpoint.exchange:
            call.exchange = exchange_of(scope)
        try:
            if media is None:
                if endpoint.is_json:
                    check_accept(headers.accept)
                else:
                    check_own_accept(headers.accept, operation)
            body = b""
            if endpoint.body_types or scope["method"] == "POST":
                body = await self._read_body(call, endpoint, receive, headers)
            if headers.idempotency_key is not None and operation.method != "GET":
                call.idempotency_key = idempotency_key(headers)
                call.sent = body, scope["query_string"], headers.if_match or b"", headers.if_none_match or b""
                if call.exchange is not None and call.credentials is None:
                    call.sent += telling_headers(scope["headers"])
            if headers.if_match is not None or headers.if_none_match is not None:
                call.precondition = precondition(headers, reads=operation.method == "GET")
            if endpoint.parameters is not None:
                call.body, call.query = endpoint.parameters.read(scope["query_string"])
            elif scope["query_string"]:
                if operation.kind == "custom" and operation.uses_request:
                    check_query(scope)
                else:
                    call.query = list_query(scope["query_string"])
        except SternpostError as error:
            call.refused = error
        return call

    async def _read_body(self, call: Call, endpoint: Endpoint, receive: Receive, headers: RequestHeaders) -> bytes:
        """Reads the body into the call; what of it says what is asked for."""
        body = await read_body(receive, headers, self.edge.max_body_bytes)
        if not endpoint.body_types:
            if body.strip() not in (b"", b"{}"):
                raise Invalid(
                    "This operation takes no body",
                    details=[Detail("", "unexpected_body", "Send the request without a body")],
                )
            return b""
        if body or headers.content_type:
            check_content_type(headers, endpoint.body_types)
        if headers.content_encoding in GZIP:
            body = decompressed(body, self.edge.decompressed_bytes_max)
        check_json(body, self.edge)
        if endpoint.operation.kind == "batch":
            call.steps = partial(read_steps, body)
        else:
            call.body = body
        return body
