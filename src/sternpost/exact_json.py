"""JSON whose numbers keep every digit.

JSON bounds no number (RFC 8259, 6); a reader for binary numbers keeps 64 bits of a whole number and about 17 digits of
another. What has more of them travels as text: as an `orjson.Fragment` wherever nobody looks into it, and for an author
as `int` and `Decimal`. Everything else is read and written as usual.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NoReturn, cast

import orjson

INT64_MIN, UINT64_MAX = -(2**63), 2**64 - 1
"""The whole numbers that `orjson` keeps."""

_MAY_BE_LONG = r"[0-9][0-9.]{15}|[eE][+-]?[0-9]{3}"
"""Digits of a number that a binary one may not keep. They may stand in a text, where they do no harm."""

_LEVELS_MAX = 150
_LEVELS_AROUND = 100
"""More than an answer has around a value: `orjson` writes some 250 levels, and reads about a thousand."""

_long_in_text = re.compile(_MAY_BE_LONG).search
_long_in_bytes = re.compile(_MAY_BE_LONG.encode()).search
_text_or_blanks = re.compile(r'"(?:[^"\\]++|\\.)*+"|[ \t\r\n]+')  # possessive: it keeps no way back in memory


def may_have_long_numbers(body: bytes) -> bool:
    """Whether `loads` may make something else of a text than a reader for binary numbers."""
    return _long_in_bytes(body) is not None


def read(text: str) -> Any:
    """JSON from a database as a document holds it. Raises `ValueError` for what is no JSON."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        _check(text)  # a lone surrogate, or more levels than that reader takes: a client gets both as they are
    else:
        if _long_in_text(text) is None and _is_writable(text, found):
            return found
    return orjson.Fragment(_text_or_blanks.sub(_without_blanks, text))


def _is_writable(text: str, value: Any) -> bool:
    """Whether a writer takes its levels, within those of an answer: it takes fewer than the reader."""
    if text.count("[") + text.count("{") <= _LEVELS_MAX:
        return True
    for _ in range(_LEVELS_AROUND):
        value = [value]
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def to_author(value: Any) -> Any:
    """A value of a document as an author sees it."""
    return loads(orjson.dumps(value)) if isinstance(value, orjson.Fragment) else value


def to_document(value: Any) -> Any:
    """An author's value as a document holds it."""
    try:
        orjson.dumps(value)
    except TypeError:
        return orjson.Fragment(dumps(value))
    return value


def loads(text: str | bytes) -> Any:
    """JSON as Python's values: a number that a float does not keep is a `Decimal`. Raises `ValueError`."""
    try:
        return json.loads(text, parse_float=_number)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply") from None


def dumps(value: Any, option: int = 0) -> bytes:
    """Python's values as JSON, with each digit of their numbers. Raises `TypeError` for what JSON does not know."""
    try:
        return orjson.dumps(value, option=option)
    except TypeError:
        return orjson.dumps(_with_fragments(value), option=option)


def _number(text: str) -> float | Decimal:
    binary, exact = float(text), Decimal(text)
    return binary if Decimal(repr(binary)) == exact else exact


def _refused(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _check(text: str) -> None:
    try:
        json.loads(text, parse_float=str, parse_int=str, parse_constant=_refused)
    except RecursionError:
        return  # there was no mistake as far as it was read


def _without_blanks(found: re.Match[str]) -> str:
    return found[0] if found[0][0] == '"' else ""


def _with_fragments(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_fragments(item) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_with_fragments(item) for item in cast("list[Any]", value)]
    is_long = isinstance(value, int) and not INT64_MIN <= value <= UINT64_MAX
    return orjson.Fragment(str(value)) if is_long or isinstance(value, Decimal) else value
