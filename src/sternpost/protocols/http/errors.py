"""Errors as HTTP answers: in the envelope of every answer, or as RFC 9457 problems where the client asks for those."""

from __future__ import annotations

import orjson

from sternpost.errors import (
    CATALOGUE,
    HeadersTooLarge,
    InvalidCredentials,
    MethodNotAllowed,
    PayloadTooLarge,
    RequestTimeout,
    SternpostError,
    Unauthenticated,
    UnsupportedCoding,
)
from sternpost.ids import new_request_id
from sternpost.protocols.http.headers import RequestHeaders, prefers_problem
from sternpost.protocols.http.messages import JSON, PROBLEM_JSON, SECURE, Header, Scope, Send, send_response
from sternpost.protocols.http.observed import HttpObservation


def encode_error(
    error: SternpostError | None, observation: HttpObservation, headers: RequestHeaders
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


def log_and_encode(
    error: Exception, observation: HttpObservation, headers: RequestHeaders
) -> tuple[int, list[Header], bytes]:
    """Logs an error and gives the response to it. One that cannot be logged or encoded, such as of a class of the
    author's that leaves out `super().__init__`, is a bug: that is logged, and answered as every bug is."""
    try:
        observation.sink.failed(observation, error)
        return encode_error(error if isinstance(error, SternpostError) else None, observation, headers)
    except Exception as failure:  # noqa: BLE001  (whatever it is, the client is to be answered)
        observation.sink.failed(observation, failure)
        return encode_error(None, observation, headers)


def encode_unread(error: SternpostError, request_id: str | None = None) -> tuple[int, list[Header], bytes]:
    """The response to what did not become a request: nobody observes it, and nothing is known of what it accepts."""
    request_id = request_id or new_request_id()
    told = {"code": error.code, "message": error.message, "details": (), "fix": error.fix}
    body = orjson.dumps({"error": {**told, "requestId": request_id}})
    length = (b"content-length", b"%d" % len(body))
    return error.http_status, [JSON, *_error_headers(error), (b"x-request-id", request_id.encode()), length], body


def _error_headers(error: SternpostError | None) -> list[Header]:
    found: list[Header] = []
    if isinstance(error, Unauthenticated):
        refused = isinstance(error, InvalidCredentials)
        challenge = b'Bearer error="invalid_token"' if refused else b"Bearer"
        found.append((b"www-authenticate", challenge))
    if isinstance(error, MethodNotAllowed):
        found.append((b"allow", ", ".join(error.allowed).encode()))
    if isinstance(error, PayloadTooLarge | HeadersTooLarge | RequestTimeout):
        found.append((b"connection", b"close"))  # the rest of the request is not read
    if isinstance(error, UnsupportedCoding):
        found.append((b"accept-encoding", b"gzip"))
    if error is not None and error.retry_after_seconds is not None:
        found.append((b"retry-after", str(error.retry_after_seconds).encode()))
    return found


async def refuse(
    error: SternpostError, scope: Scope, send: Send, headers: RequestHeaders, observation: HttpObservation
) -> None:
    """Logs an error and answers with it."""
    observation.status, more, body = log_and_encode(error, observation, headers)
    more.append((b"x-request-id", observation.request_id.encode()))
    await send_response(scope, send, observation.status, more, body, SECURE)
