"""The hardened profile: Litestar's own JWT, rate limit, Prometheus, OpenTelemetry and CORS, and one structlog line."""

from __future__ import annotations

import os
import re
import time
import uuid
from typing import Any

import orjson
import structlog
from litestar import Request, Response
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.middleware.rate_limit import RateLimitConfig
from litestar.plugins.opentelemetry import OpenTelemetryConfig, OpenTelemetryPlugin
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.security.jwt import JWTAuth, Token
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from sqlalchemy.exc import IntegrityError

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
        scope["state"]["request_id"] = request_id
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
                userId=scope.get("user"),
                requestId=request_id,
                traceId=f"{span.trace_id:032x}",
                duration=round((time.perf_counter() - started) * 1000, 3),
            )


async def user_of(token: Token, connection: ASGIConnection[Any, Any, Any, Any]) -> str:
    return token.sub


def may_read(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    scopes = connection.auth.extras.get("scope", "")
    if "users:read" not in scopes.split():
        raise PermissionDeniedException


def refuse(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    body = {
        "error": {"code": type(error).__name__, "message": error.detail, "requestId": request.state.get("request_id")}
    }
    return Response(body, status_code=error.status_code, media_type="application/json")


def refuse_duplicate(request: Request[Any, Any, Any], error: IntegrityError) -> Response[Any]:
    body = {"error": {"code": "CONFLICT", "requestId": request.state.get("request_id")}}
    return Response(body, status_code=409, media_type="application/json")


def hardening() -> dict[str, Any]:
    """What Litestar is given besides its routes."""
    provider = TracerProvider()
    # address, batches and queue are those of OpenTelemetry's variables
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    auth = JWTAuth[str](retrieve_user_handler=user_of, token_secret=os.environ["JWT_SECRET"], exclude=["^/metrics"])
    limit = RateLimitConfig(rate_limit=("minute", 1_000_000_000), identifier_for_request=lambda request: request.user)
    metrics = PrometheusConfig(app_name="shop", group_path=True)
    # one span per request: those of every send and receive are left out
    traces = OpenTelemetryConfig(tracer_provider=provider, exclude_spans=["receive", "send"])
    return {
        "route_handlers": [PrometheusController],
        "plugins": [OpenTelemetryPlugin(traces)],
        "middleware": [RequestLog, metrics.middleware, auth.middleware, limit.middleware],
        "cors_config": CORSConfig(allow_origins=["https://app.example"]),
        "exception_handlers": {HTTPException: refuse, IntegrityError: refuse_duplicate},
    }
