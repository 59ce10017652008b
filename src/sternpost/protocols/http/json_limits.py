"""What a body of JSON may hold, looked at before anything is made of it (RFC 8259, 4 and 9)."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import orjson

from sternpost.errors import Detail, Invalid
from sternpost.protocols.http.edge import Edge

_BRACKETS = re.compile(rb"[\[\]{}]")


def check_json(body: bytes, edge: Edge) -> None:
    """Checks a body against the limits. What is no JSON passes: whoever reads it says so.

    Raises:
        Invalid: it is nested too deeply, has too many members and items, or an object has two members of one name:
            recipients take different ones for the right one.
    """
    containers = body.count(b"{") + body.count(b"[")
    if containers > edge.json_depth_max or body.count(b",") + containers > edge.json_members_max:
        _check_exactly(_without_texts(body), edge)
    colons = body.count(b":")
    if colons > 1:
        _check_names(body, colons)


def _without_texts(body: bytes) -> bytes:
    """What is left of JSON where no text is, in time that grows with the body alone: a pattern for texts would try one
    that has no end from each of its quotes. Of what is no JSON it may be anything."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.split(b'"')[::2])


def _check_exactly(structure: bytes, edge: Edge) -> None:
    """The same of a body without its texts, in which brackets and commas are none."""
    depth, members = 0, structure.count(b",")
    for found in _BRACKETS.finditer(structure):
        if found[0] in b"]}":
            depth -= 1
            continue
        depth, members = depth + 1, members + 1
        if depth > edge.json_depth_max:
            raise _refused("too_deep", f"Lists and objects may be nested {edge.json_depth_max} levels deep")
        if members > edge.json_members_max:
            break
    if members > edge.json_members_max:
        raise _refused("too_many_members", f"A body has at most {edge.json_members_max} members and items in all")


def _check_names(body: bytes, colons: int) -> None:
    """Compares how many members are written with how many are read: of two with one name, a reader keeps one."""
    try:
        read = _members(orjson.loads(body))
    except orjson.JSONDecodeError:  # other readers take more than this one: NaN, and numbers of any size
        read = -1
    if read == colons or read == _without_texts(body).count(b":"):
        return
    try:
        path = _twice(json.loads(body, object_pairs_hook=_Pairs), "")
    except (ValueError, RecursionError):
        return
    if path is not None:
        message = "The object has two members of this name; send one"
        raise Invalid(details=[Detail(path, "duplicate_member", message)])


def _members(value: Any) -> int:
    count, left = 0, [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            members = cast("dict[str, Any]", each)
            count += len(members)
            left += members.values()
        elif isinstance(each, list):
            left += cast("list[Any]", each)
    return count


class _Pairs(list[tuple[str, Any]]):
    """The members of an object, those with one name, too."""


def _twice(value: Any, path: str) -> str | None:
    """Where a member is that its object has twice."""
    if isinstance(value, _Pairs):
        names: set[str] = set()
        for name, inner in value:
            at = f"{path}.{name}" if path else name
            if name in names:
                return at
            names.add(name)
            if (found := _twice(inner, at)) is not None:
                return found
    elif isinstance(value, list):
        for number, inner in enumerate(cast("list[Any]", value)):
            if (found := _twice(inner, f"{path}.{number}" if path else str(number))) is not None:
                return found
    return None


def _refused(code: str, message: str) -> Invalid:
    return Invalid(details=[Detail("", code, message)])
