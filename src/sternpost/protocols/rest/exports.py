"""Whole lists as NDJSON and CSV: which one a client asks for, and the bytes of each part."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson

from sternpost.pipeline.call import Answer
from sternpost.ports.storage import Document
from sternpost.protocols.rest.http import ENCODING

NDJSON = b"application/x-ndjson"
CSV = b"text/csv"
_CONTENT_TYPES = {NDJSON: b"application/x-ndjson", CSV: b"text/csv; charset=utf-8; header=present"}
_SUFFIXES = {NDJSON: b"ndjson", CSV: b"csv"}
_LINE = ENCODING | orjson.OPT_APPEND_NEWLINE

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What spreadsheets take for the beginning of a formula (OWASP, CSV injection)."""


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
    """A value as RFC 4180 writes it: null is nothing, an empty text is quoted, lists and objects are JSON."""
    if value is None:
        return ""
    if not isinstance(value, str):
        shown = orjson.dumps(value, option=ENCODING).decode()
        value = shown[1:-1] if shown[0] == '"' else shown
    if text and value.startswith(FORMULA):
        value = "'" + value
    return _quoted(value)


def _quoted(value: str) -> str:
    if value == "" or any(mark in value for mark in ',"\r\n') or value[0] == " " or value[-1] == " ":
        return '"' + value.replace('"', '""') + '"'
    return value
