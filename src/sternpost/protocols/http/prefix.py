"""The prefix that a service is reached below: ASGI's `root_path`, set by a server, a proxy or an outer application."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote, unquote_to_bytes

from sternpost.protocols.http.messages import Scope

_KEPT = "/-._~!$&'()*+,;=:@"
"""What a path may hold as it is (RFC 3986, 3.3)."""


def without_prefix(scope: Scope, root: str, serves: Callable[[str], bool]) -> Scope:
    """The scope of a request as it would be without a prefix, but for its `root_path`.

    By the ASGI specification the path includes the prefix. It does not where a proxy took it off and the server does
    not put it back, nor under Starlette before 0.33. So a path that begins with the prefix is read without it; unless
    only the whole path is an address of ours, as `/api/v1/users` is behind a proxy that took `/api` off
    `/api/api/v1/users`.

    Args:
        root: the prefix, with or without slashes around it.
        serves: whether something is served at a path.
    """
    path: str = scope["path"]
    raw: bytes | None = scope.get("raw_path")
    own = _behind(path, root)
    if own is None or (not serves(own) and serves(path)):
        own = path
    elif raw is not None:
        raw = _raw_behind(raw, root)
    name = root.strip("/")
    found = {**scope, "root_path": f"/{name}" if name else "", "path": own}
    if raw is not None:
        found["raw_path"] = raw
    return found


def prefix_of(scope: Scope) -> str:
    """The prefix for addresses in answers, percent-encoded; empty without one. It begins with exactly one slash, so
    that no prefix turns an address into one of another host."""
    root: str | None = scope.get("root_path")
    return quote(root, _KEPT) if root else ""


def with_prefix(scope: Scope) -> Scope:
    """The scope as the specification has it for an application below this service: the path includes the prefix."""
    root: str | None = scope.get("root_path")
    if not root:
        return scope
    found = {**scope, "path": root + scope["path"]}
    if scope.get("raw_path") is not None:
        found["raw_path"] = prefix_of(scope).encode() + scope["raw_path"]
    return found


def _behind(path: str, root: str) -> str | None:
    """What of a path is behind the prefix; None where it does not begin with it."""
    if not path.startswith(root):
        bare = root.rstrip("/")
        if path != bare:
            return None
        return "/"
    rest = path[len(root) :]
    if rest.startswith("/"):
        return rest
    return "/" + rest if not rest or root.endswith("/") else None


def _raw_behind(raw: bytes, root: str) -> bytes:
    """The same of a path as it was sent, in which each byte may be percent-encoded."""
    wanted, at = root.rstrip("/").encode(), 0
    for _ in wanted:
        at += 3 if raw[at : at + 1] == b"%" else 1
    if unquote_to_bytes(raw[:at]) != wanted:
        return raw  # a server that puts the prefix before the path alone
    return b"/" + raw[at:].lstrip(b"/") if root.endswith("/") else raw[at:] or b"/"
