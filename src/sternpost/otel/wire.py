"""Spans of calls as bytes of OTLP (opentelemetry-proto, `trace/v1/trace.proto`), made without objects of the SDK.

Nearly every call has one span of one shape. The SDK takes some 25 microseconds to make and to encode it, more than many
calls take as a whole; of text that most of them have in common, this takes two. Everything else goes the SDK's way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from sternpost.otel.spans import Spans
from sternpost.telemetry.observation import Observation

MADE_AT_ONCE = 128
"""Records after which the event loop gets its turn: under a millisecond."""

ALIKE_MAX = 4096
"""How many different calls are remembered, in what they have in common."""

PATH_CHARACTERS_MAX = 1000
"""A longer path is masked as log lines are, which shortens it."""

_FIXED64 = Struct("<BQBQ").pack
_START, _END = 7 << 3 | 1, 8 << 3 | 1
_FLAGS = b"\x85\x01" + Struct("<I").pack(0x100)
"""SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK: whether the parent is in another process is known."""

_FLAGS_REMOTE = b"\x85\x01" + Struct("<I").pack(0x300)


def varint(number: int) -> bytes:
    """A whole number from 0 on."""
    parts = bytearray()
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_LENGTHS = tuple(varint(number) for number in range(16_384))
_SHORT_MAX = 16_000
"""Bytes of a text whose length, with what stands around it, is among these."""


def field(number: int, content: bytes) -> bytes:
    """A field of bytes, of text, or of a message."""
    length = len(content)
    return varint(number << 3 | 2) + (_LENGTHS[length] if length < len(_LENGTHS) else varint(length)) + content


def _of_text(key: bytes, text: bytes) -> bytes:
    """A `KeyValue` of a span, as its field: a text under a key that is encoded already. Written out, because each span
    has three."""
    if len(text) > _SHORT_MAX:
        return field(9, key + field(2, field(1, text)))
    value = b"\x0a" + _LENGTHS[len(text)] + text
    pair = key + b"\x12" + _LENGTHS[len(value)] + value
    return b"\x4a" + _LENGTHS[len(pair)] + pair


def attribute(name: str, value: Any) -> bytes:
    """A `KeyValue` of a span, as its field."""
    if isinstance(value, bool):
        content = b"\x10" + varint(value)
    elif isinstance(value, int):
        content = b"\x18" + varint(value)
    else:
        content = field(1, str(value).encode("utf-8", "replace"))
    return field(9, field(1, name.encode()) + field(2, content))


class WireSpans:
    """Makes requests of OTLP.

    Args:
        spans: makes the spans of everything else, and says what a span of a call holds.
        told: told of a record that nothing can be made of: a bug.
    """

    def __init__(self, spans: Spans, told: Callable[[Exception], None]) -> None:
        self._spans = spans
        self._told = told
        self._alike: dict[tuple[Any, ...], bytes] = {}
        self._path, self._request_id, self._user = (
            field(1, name) for name in (b"url.path", b"sternpost.request_id", b"enduser.id")
        )
        self._around: tuple[bytes, bytes] | None = None

    def request(self, taken: Sequence[Observation | ReadableSpan]) -> bytes:
        """An `ExportTraceServiceRequest` of all of them."""
        plain: list[bytes] = []
        others: list[ReadableSpan] = []
        failure: Exception | None = None
        for number, each in enumerate(taken, start=1):
            try:
                if isinstance(each, Observation) and self._is_plain(each):
                    plain.append(self._span(each))
                else:
                    others += self._spans.of(each)
            except Exception as error:  # noqa: BLE001  (it is told; the others are sent all the same)
                failure = error
            if number % MADE_AT_ONCE == 0:
                time.sleep(0)  # the event loop waits for Python's lock
        if failure is not None:
            self._told(failure)
        body = b""
        if plain:
            resource, scope = self._around or self._learn()
            body = field(1, resource + field(2, scope + b"".join(plain)))
        return body + encode_spans(others).SerializeToString() if others else body

    def _is_plain(self, call: Observation) -> bool:
        timings = call.timings
        return call.own_span is None and call.tracestate is None and (timings is None or not timings.parts)

    def _learn(self) -> tuple[bytes, bytes]:
        """What stands around the spans, as the SDK encodes it."""
        (around,) = encode_spans([self._spans.empty()]).resource_spans
        (scope,) = around.scope_spans
        parts = field(1, around.resource.SerializeToString()), field(1, scope.scope.SerializeToString())
        self._around = parts
        return parts

    def _span(self, call: Observation) -> bytes:
        members = call.members()
        path: str = members.get("path", "")
        facts = (
            members.get("method"),
            call.scheme,
            call.route or self._spans.route_of(path),
            members.get("status"),
            call.statements,
            call.operation,
            call.api_version,
            call.error_code,
            call.error_type,
            call.rate_limited,
            call.replayed,
            call.outcome,
        )
        alike = self._alike.get(facts)
        if alike is None:
            alike = self._make_alike(call, facts)
        if "@" in path or len(path) > PATH_CHARACTERS_MAX or not path.isascii() or self._spans.masks_paths:
            path = self._spans.masked_path(path)
        parent = call.parent_span_id
        content = (
            b"\x0a\x10"
            + bytes.fromhex(call.trace_id)
            + b"\x12\x08"
            + bytes.fromhex(call.span_id)
            + (b"" if parent is None else b"\x22\x08" + bytes.fromhex(parent))
            + alike
            + _FIXED64(_START, self._spans.ns(call.started), _END, self._spans.ns(call.ended))
            + _of_text(self._path, path.encode())
            + _of_text(self._request_id, call.request_id.encode())
            + (b"" if call.user_id is None else _of_text(self._user, call.user_id.encode("utf-8", "replace")))
            + (_FLAGS if parent is None else _FLAGS_REMOTE)
        )
        return field(2, content)

    def _make_alike(self, call: Observation, facts: tuple[Any, ...]) -> bytes:
        """Name, kind, status and those attributes that calls of one kind have in common."""
        name, attributes, failed = self._spans.described(call)
        for own in ("url.path", "sternpost.request_id", "enduser.id"):
            attributes.pop(own, None)
        parts = [field(5, name.encode()), b"\x30\x02", field(15, b"\x18\x02" if failed else b"")]
        parts += [attribute(key, value) for key, value in attributes.items()]
        if "http.request.method_original" in attributes:  # which clients choose
            return b"".join(parts)
        if len(self._alike) >= ALIKE_MAX:
            self._alike.clear()
        made = self._alike[facts] = b"".join(parts)
        return made
