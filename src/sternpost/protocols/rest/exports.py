"""Whole lists as NDJSON and CSV: which one a client asks for, and the bytes of each part."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson

from sternpost.deadline import Alarms, CallerLeft, Deadline
from sternpost.errors import SternpostError, Timeout
from sternpost.pipeline.call import ENCODING, Answer
from sternpost.ports.storage import Document
from sternpost.protocols.http.body import CLIENT_CLOSED
from sternpost.protocols.http.messages import ABORT, ON_LEAVE, FixedHeaders, Header, Receive, Scope, Send
from sternpost.protocols.http.observed import HttpObservation

NDJSON = b"application/x-ndjson"
CSV = b"text/csv"
_CONTENT_TYPES = {NDJSON: b"application/x-ndjson", CSV: b"text/csv; charset=utf-8; header=present"}
_SUFFIXES = {NDJSON: b"ndjson", CSV: b"csv"}
_LINE = ENCODING | orjson.OPT_APPEND_NEWLINE

_LEADS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
"""What spreadsheets take for the beginning of a formula (OWASP, CSV injection), also in full width and small forms,
which some read as the same, and the minus sign."""

_SKIPPED = '(?![\t\r\n])[\\s"\x00-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]'
"""What they may drop from the start of a cell: spaces, quotes, and what cannot be seen."""

_FORMULA = re.compile(rf"(?:^|(?<=[;\t\r\n]))(?=(?:{_SKIPPED})*[{_LEADS}])|^(?=(?:{_SKIPPED})*[\t\r\n])")
"""Where a formula would begin: at the start of a cell, and after what another program may take for the end of one.
Where the decimal sign is a comma, spreadsheets separate cells by semicolons, whatever is quoted inside a cell."""

_suspicious = re.compile(f"[{_LEADS}\t\r\n]").search

STALLED_SECONDS = 30.0
"""How long a client may stop reading an export before it is cut off, because an export holds a database connection."""


def wanted_export(accept: bytes) -> bytes | None:
    """The media type of an export, where the client prefers one to JSON (RFC 9110, 12.5.1)."""
    if b"ndjson" not in accept.lower() and b"csv" not in accept.lower():
        return None
    best, most = None, 0.0
    for part in accept.lower().split(b","):
        media, _, parameters = part.partition(b";")
        quality = _quality(parameters)
        name = media.strip()
        if quality > most and (name in _SUFFIXES or name in (b"application/json", b"application/*", b"*/*")):
            best, most = name, quality
    return best if best in _SUFFIXES else None


def export_headers(media: bytes, name: str) -> list[tuple[bytes, bytes]]:
    """The headers of an export; `name` is that of the file a browser saves."""
    return [
        (b"content-type", _CONTENT_TYPES[media]),
        (b"content-disposition", b'attachment; filename="%s.%s"' % (name.encode(), _SUFFIXES[media])),
        (b"vary", b"accept"),
    ]


async def encoded(media: bytes, answer: Answer) -> AsyncGenerator[bytes]:
    """The bytes of each part. The first is there only once rows have been read: until then an error can be answered."""
    assert answer.parts is not None, "an export has parts"
    head = b"" if media == NDJSON else _row([_quoted(name) for name, _ in answer.columns])
    async with aclosing(answer.parts) as parts:
        async for part in parts:
            yield head + (_ndjson(part) if media == NDJSON else _csv(part, answer.columns))
            head = b""
    if head:
        yield head


class Export:
    """An export whose first part is there: from here on it can only be sent, or cut off."""

    def __init__(self, headers: list[Header], first: bytes, chunks: AsyncGenerator[bytes], alarms: Alarms) -> None:
        self._headers = headers
        self._first = first
        self._chunks = chunks
        self._alarms = alarms

    @classmethod
    async def begun(cls, media: bytes, answer: Answer, name: str, scope: Scope, alarms: Alarms) -> Export:
        """Reads the first part; `name` is that of the file a browser saves. Raises `CallerLeft`."""
        chunks = encoded(media, answer)
        with leaving(scope, alarms):
            return cls(export_headers(media, name), await anext(chunks, b""), chunks, alarms)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        yield self._first
        async for chunk in self._chunks:
            yield chunk

    async def send(
        self, scope: Scope, receive: Receive, send: Send, fixed: FixedHeaders, observation: HttpObservation
    ) -> None:
        """Sends it part by part, as fast as the client takes it. What goes wrong on the way cuts the answer off: a
        client must never take a part of a list for the whole."""
        observation.status = 200
        gone = asyncio.ensure_future(_disconnected(receive))
        try:
            headers = [*fixed.pairs, *self._headers, (b"x-request-id", observation.request_id.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            if scope["method"] != "HEAD":
                with leaving(scope, self._alarms):
                    async for chunk in self:
                        async with asyncio.timeout(STALLED_SECONDS):
                            await send({"type": "http.response.body", "body": chunk, "more_body": True})
                        if gone.done():
                            raise CallerLeft
            await send({"type": "http.response.body", "body": b""})
        except CallerLeft:
            observation.status = CLIENT_CLOSED
        except Exception as error:
            reported = error
            if isinstance(error, TimeoutError):
                reported = Timeout("The client did not read the export for too long")
            observation.error_code = reported.code if isinstance(reported, SternpostError) else "INTERNAL_ERROR"
            observation.sink.failed(observation, reported)
            if ABORT not in scope:
                raise  # another server cuts the connection off when the application fails
            scope[ABORT](receive)
        finally:
            gone.cancel()
            await self.close()

    async def close(self) -> None:
        await self._chunks.aclose()


def leaving(scope: Scope, alarms: Alarms) -> Deadline:
    """A block that ends with `CallerLeft` when the client goes away, where the server tells that at once; and with all
    others when the service is stopped."""
    deadline = Deadline(None, alarms)
    if ON_LEAVE in scope:
        scope[ON_LEAVE].append(deadline.leave)
    return deadline


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _quality(parameters: bytes) -> float:
    for parameter in parameters.split(b";"):
        name, _, value = parameter.strip().partition(b"=")
        if name.strip() == b"q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _ndjson(part: list[Document]) -> bytes:
    return b"".join([orjson.dumps(document, option=_LINE) for document in part])


def _csv(part: list[Document], columns: tuple[tuple[str, bool], ...]) -> bytes:
    return b"".join([_row([_cell(document.get(name), text) for name, text in columns]) for document in part])


def _row(cells: list[str]) -> bytes:
    return (",".join(cells) + "\r\n").encode()


def _cell(value: Any, text: bool) -> str:
    """A value as RFC 4180 writes it: null is nothing, an empty text is quoted, lists and objects are JSON.

    In a text a `'` stands before what a spreadsheet would run.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        shown = orjson.dumps(value, option=ENCODING).decode()
        value = shown[1:-1] if shown[0] == '"' else shown
    if text and _suspicious(value):
        value = _FORMULA.sub("'", value)
    return _quoted(value)


def _quoted(value: str) -> str:
    if value == "" or any(mark in value for mark in ',;\t"\r\n') or value[0] == " " or value[-1] == " ":
        return '"' + value.replace('"', '""') + '"'
    return value
