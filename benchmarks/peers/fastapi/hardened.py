"""The hardened profile, each part from the library that is documented for FastAPI."""

from __future__ import annotations

import os
import re
import time
import uuid
from typing import Annotated, Any

import jwt
import orjson
import structlog
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_fastapi_instrumentator import Instrumentator
from slowapi import Limiter
from slowapi.errors import RateLimitExceeded
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException as StarletteHTTPException

SECRET = os.environ["JWT_SECRET"]
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
SECURITY_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]

# what structlog's page on performance recommends: bytes, orjson, a cached logger, levels filtered without a call
structlog.configure(
    cache_logger_on_first_use=True,
    wrapper_class=structlog.make_filtering_bound_logger(20),
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.JSONRenderer(serializer=orjson.dumps),
    ],
    logger_factory=structlog.BytesLoggerFactory(),
)
log = structlog.get_logger()

bearer = HTTPBearer(auto_error=False)


async def signed_in(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> dict[str, Any]:
    if credentials is None:
        raise HTTPException(401, "UNAUTHORIZED")
    try:
        claims = jwt.decode(credentials.credentials, SECRET, algorithms=["HS256"], options={"require": ["exp", "sub"]})
    except jwt.InvalidTokenError:
        raise HTTPException(401, "UNAUTHORIZED") from None
    request.state.user_id = claims["sub"]
    return claims


async def reader(claims: Annotated[dict[str, Any], Depends(signed_in)]) -> None:
    if "users:read" not in claims.get("scope", "").split():
        raise HTTPException(403, "FORBIDDEN")


limiter = Limiter(key_func=lambda request: request.state.user_id)
limited = limiter.limit("1000000000/minute")


class RequestLog:
    """Request id, security headers and one line per request, as a pure ASGI middleware."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status, started = 500, time.perf_counter()

        async def respond(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], *SECURITY_HEADERS, (b"x-request-id", request_id.encode())]
                message = {**message, "headers": headers}
            await send(message)

        try:
            await self.app(scope, receive, respond)
        finally:
            span = trace.get_current_span().get_span_context()
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                userId=state.get("user_id"),
                requestId=request_id,
                traceId=f"{span.trace_id:032x}",
                duration=round((time.perf_counter() - started) * 1000, 3),
            )


def refusal(request: Request, status: int, code: str, details: Any = None) -> JSONResponse:
    error = {"code": code, "requestId": request.state.request_id}
    return JSONResponse({"error": error | ({"details": details} if details else {})}, status)


def harden(app: FastAPI) -> None:
    """Adds it all. The middleware that is added last is the outermost."""
    app.state.limiter = limiter
    app.add_exception_handler(
        StarletteHTTPException, lambda request, error: refusal(request, error.status_code, error.detail)
    )
    app.add_exception_handler(RateLimitExceeded, lambda request, error: refusal(request, 429, "RATE_LIMITED"))
    app.add_exception_handler(IntegrityError, lambda request, error: refusal(request, 409, "CONFLICT"))
    app.add_exception_handler(
        RequestValidationError,
        lambda request, error: refusal(
            request, 400, "VALIDATION_ERROR", [{"path": item["loc"], "message": item["msg"]} for item in error.errors()]
        ),
    )
    app.add_middleware(CORSMiddleware, allow_origins=["https://app.example"])
    app.add_middleware(RequestLog)
    Instrumentator().instrument(app).expose(app)
    provider = TracerProvider()
    # address, batches and queue are those of OpenTelemetry's variables
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    # one span per request: those of every send and receive are left out
    FastAPIInstrumentor.instrument_app(app, tracer_provider=provider, exclude_spans=["receive", "send"])
