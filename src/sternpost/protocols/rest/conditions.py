"""Conditional requests (RFC 9110, 13): entity tags of rows that count their changes, and what a request says of them.

A tag is `"<version>-<digest>"`. The digest is one of the very representation (which fields, which relations, which
version of the API), so that two of them never share a tag. A change is guarded by the version alone: whichever
representation a client has read, it has read that state of the row.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from sternpost.errors import Detail, Invalid
from sternpost.pipeline.call import ANY, Precondition
from sternpost.protocols.http.headers import RequestHeaders

TAGS_MAX = 100
"""Tags that one header may list."""

_tag = re.compile(rb'[ \t]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*')
_own = re.compile(rb"([1-9][0-9]{0,18})-[0-9a-f]{16}")

Tags = list[tuple[bool, bytes]]
"""Each with whether it is weak, and what is between its quotes; empty for `*`."""


def entity_tag(version: int, data: bytes) -> bytes:
    """The strong tag of a representation: of a row in this version, with this content."""
    return b'"%d-%s"' % (version, blake2b(data, digest_size=8).hexdigest().encode())


def precondition(headers: RequestHeaders, *, reads: bool) -> Precondition | None:
    """What the headers say of the row's version. For a read If-None-Match is about the answer instead; see
    `not_modified`.

    Raises:
        Invalid: a header is malformed.
    """
    match = None
    if headers.if_match is not None:
        match = _strong(headers.if_match, "If-Match")
    none_match = None
    if headers.if_none_match is not None and not reads:
        tags = _tags(headers.if_none_match, "If-None-Match")
        none_match = _versions([text for _, text in tags]) if tags else ANY
    return None if match is None and none_match is None else Precondition(match, none_match)


def versions_of(text: str, name: str) -> frozenset[int]:
    """The versions that the tags in a text mean, as in If-Match. Raises `Invalid`, which says where: in `name`."""
    return _strong(text.encode("latin-1", "replace"), name)


def _strong(value: bytes, name: str) -> frozenset[int]:
    """The versions of the tags; weak ones never match (13.1.1), nor do those that were not made here."""
    tags = _tags(value, name)
    return _versions([text for weak, text in tags if not weak]) if tags else ANY


def not_modified(headers: RequestHeaders, tag: bytes) -> bool:
    """Whether the client says that it has this very representation (13.1.2; compared weakly). Raises `Invalid`."""
    if headers.if_none_match is None:
        return False
    tags = _tags(headers.if_none_match, "If-None-Match")
    return not tags or any(text == tag[1:-1] for _, text in tags)


def _versions(tags: list[bytes]) -> frozenset[int]:
    return frozenset(int(found[1]) for text in tags if (found := _own.fullmatch(text)))


def _tags(value: bytes, name: str) -> Tags:
    if value.strip() == b"*":
        return []
    found: Tags = []
    for part in _split(value):
        tag = _tag.fullmatch(part)
        if tag is None or len(found) == TAGS_MAX:
            message = f'{name} must be * or at most {TAGS_MAX} entity tags, each in double quotes: "7-0123456789abcdef"'
            raise Invalid("Invalid headers", details=[Detail(name, "invalid_header", message)])
        found.append((tag[1] is not None, tag[2]))
    return found


def _split(value: bytes) -> list[bytes]:
    """The members of a list. A comma between quotes belongs to its tag; empty members count for nothing (5.6.1)."""
    parts = re.findall(rb'(?:"[^"]*"|[^",]|")+', value)
    return [part for part in parts if part.strip()] or [b""]
