"""The query of an address as a `ListQuery`: `page=2&sort=-name&createdAt[gte]=…&items.sku[in]=a,b`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import parse_qsl

from sternpost.errors import Detail, Invalid
from sternpost.kinds import SEVERAL
from sternpost.pipeline.list_query import (
    Count,
    Cursor,
    Fields,
    Filter,
    Include,
    Limit,
    ListQuery,
    Page,
    PageSize,
    Part,
    Path,
    Repeated,
    Search,
    Sort,
)

PARAMETERS_MAX = 100
KEPT_BYTES_MAX = 200
"""Queries that are kept once they are read are no longer."""

NAME_SHOWN_MAX = 100
"""Characters shown of a name that cannot be one of a parameter."""

_PARAMETER = re.compile(r"([A-Za-z0-9_.]{1,200})(?:\[([A-Za-z]{1,16})\])?")
_SIGN = re.compile(r"\\[\\,]|.", re.DOTALL)
_FLAGS = {"true": True, "false": False}


def list_query(query: bytes) -> ListQuery:
    """What a query asks for. Raises `Invalid` for one that is not UTF-8, or too long."""
    return _known(query) if len(query) <= KEPT_BYTES_MAX else _read(query)


def of_pairs(pairs: Iterable[tuple[str, str]]) -> ListQuery:
    """The same of names and values. Whatever they are, a query comes of it: what does not exist is refused later, with
    the names of what does."""
    parts: list[Part] = []
    seen: set[tuple[str, str]] = set()
    cursor, size = "", 0
    for text, value in pairs:
        found = _PARAMETER.fullmatch(text)
        name, operator = (found[1], found[2]) if found else (text[:NAME_SHOWN_MAX], None)
        shown = name if operator is None else f"{name}[{operator}]"
        key = (name, operator or "eq")
        part = Repeated(shown) if key in seen else _part(shown, name, operator, value)
        seen.add(key)
        parts.append(part)
        if isinstance(part, Cursor):
            cursor = value
        else:
            size += len(text) + len(value)
    return ListQuery(tuple(parts), cursor, size, named)


def named(path: Path, name: str, operator: str) -> str:
    """The parameter of a part: `items.quantity[gte]`."""
    dotted = ".".join((*path, name))
    return dotted if operator == "eq" else f"{dotted}[{operator}]"


def pairs_of(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a query, in order. Raises `Invalid` for one that is not UTF-8, or too long."""
    try:
        return parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX)
    except (ValueError, UnicodeError):
        message = f"The query is not UTF-8, or has more than {PARAMETERS_MAX} parameters"
        raise Invalid("Invalid parameters", details=[Detail("", "malformed_query", message)]) from None


def _read(query: bytes) -> ListQuery:
    return of_pairs(pairs_of(query))


_known = lru_cache(1000)(_read)
"""A cache for short queries, which often repeat."""


def _part(shown: str, name: str, operator: str | None, value: str) -> Part:
    before, dot, last = name.rpartition(".")
    path = tuple(before.split(".")) if dot else ()
    if operator is None:
        if path and last == "limit":
            return Limit(shown, path, _whole(value))
        if last == "sort":
            return Sort(shown, path, tuple((part.removeprefix("-"), part.startswith("-")) for part in value.split(",")))
        if not path and last in _OF_LISTS:
            return _OF_LISTS[last](shown, value)
    return _filter(shown, path, last, operator or "eq", value)


def _filter(shown: str, path: Path, name: str, operator: str, value: str) -> Filter:
    if operator in SEVERAL:
        return Filter(shown, path, name, operator, values_of(value))
    if operator == "isNull":
        problem = None if value in _FLAGS else "Input should be true or false"
        return Filter(shown, path, name, operator, _FLAGS.get(value, False), problem)
    return Filter(shown, path, name, operator, value)


def values_of(text: str) -> tuple[str, ...]:
    """Values that are separated by commas. Behind a backslash a comma, or another backslash, is a part of a value; any
    other backslash is one itself."""
    if "\\" not in text:
        return tuple(text.split(","))
    found = [""]
    for sign in _SIGN.findall(text):
        if sign == ",":
            found.append("")
        else:
            found[-1] += sign[-1]
    return tuple(found)


def _count(shown: str, value: str) -> Count:
    wrong = "Input should be true; leave count out if you do not need the total"
    return Count(shown, None if value == "true" else wrong)


def _paths(value: str) -> tuple[Path, ...]:
    return tuple(tuple(part.split(".")) for part in value.split(","))


_OF_LISTS: dict[str, Callable[[str, str], Part]] = {
    "page": lambda shown, value: Page(shown, _whole(value)),
    "pageSize": lambda shown, value: PageSize(shown, _whole(value)),
    "cursor": lambda shown, value: Cursor(shown),
    "count": _count,
    "search": Search,
    "include": lambda shown, value: Include(shown, _paths(value)),
    "fields": lambda shown, value: Fields(shown, _paths(value)),
}


def _whole(text: str) -> int | None:
    """A number from 1 on, written as in JSON: without zeros before it."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 and text[0] != "0" else None
