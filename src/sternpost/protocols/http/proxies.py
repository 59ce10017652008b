"""Where a request comes from, as declared proxies say it: the client's address, the scheme and the host that it used.

A proxy adds to what it was told, at the end. So the headers are read from there: whoever an entry names has written the
one before it, and as soon as that is no trusted proxy, the rest is what anybody could have sent.

What a trusted proxy has written and cannot be read is refused. Whoever is taken for the proxy instead would not be
counted as itself, and a client can bring that about: the start of a `Forwarded` header may be its own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from sternpost.clock import Clock
from sternpost.errors import Detail, Invalid
from sternpost.networks import UNIX, is_within, read_address, read_network
from sternpost.protocols.http.errors import refuse
from sternpost.protocols.http.headers import read_headers
from sternpost.protocols.http.messages import PARSED, Receive, Scope, Send
from sternpost.protocols.http.observed import observe
from sternpost.telemetry.telemetry import Telemetry

App = Callable[[Scope, Receive, Send], Awaitable[None]]

ENTRIES_MAX = 32
"""Proxies in a row that are looked at."""

FORWARDED_BYTES_MAX = 4096
"""Of one `Forwarded` header. It has to be read from its start, where a client may have written."""

NODE_CHARACTERS_MAX = 64

_FOR, _PROTO, _HOST, _FORWARDED = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"

_SPACE = " \t"
_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PAIR = re.compile(
    rf"[ \t]*({_NAME})=(?:({_NAME})|\"((?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)\")[ \t]*([;,]|\Z)"
)
"""A parameter of `Forwarded` (RFC 7239, 4) and what ends it. No two ways lead through a text, so the time is linear."""

_ESCAPED = re.compile(r"\\(.)")
_PORT = r"(?::(\d{1,5}|_[A-Za-z0-9._-]+))?"
_NODE = re.compile(rf"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)){_PORT}", re.ASCII)
"""An address as RFC 7239, 6 writes it: IPv6 in brackets, with a port or without."""

_UNNAMED = re.compile(rf"(?:unknown|_[A-Za-z0-9._-]+){_PORT}|unix:", re.ASCII | re.IGNORECASE)
"""What stands for a node that is not to be named (RFC 7239, 6.2 and 6.3). The last one is what nginx writes for who
called through a socket of its machine."""

_HOST_NAME = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)
HOST_CHARACTERS_MAX = 261
"""A name of the DNS, and a port."""


_SOCKET_SCHEMES = {"http": "ws", "https": "wss"}

Seen = tuple[tuple[str, int] | None, str | None, str | None]
"""The client's address and port, the scheme and the host; None where it is not told."""


class Entry(NamedTuple):
    """What one proxy says of who called it: as it wrote it."""

    node: str | None = None
    scheme: str | None = None
    host: str | None = None


def behind_proxies(app: App, proxies: TrustedProxies, telemetry: Telemetry, clock: Clock) -> App:
    """An application that is told who calls, instead of which proxy, and is not called where nobody can tell."""

    async def entry(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            seen = proxies.seen_through(scope)
        except Invalid as problem:
            sent = read_headers(scope)
            observation = observe(telemetry, clock, scope, sent)
            await refuse(problem, scope, send, sent, observation)
            telemetry.finished(observation)
            return
        await app(seen, receive, send)

    return entry


class TrustedProxies:
    """The proxies that are believed.

    Args:
        trusted: addresses, networks, and `unix` for callers without an address.
        headers: those that each of them writes, in lower case. Others are not looked at: a proxy passes them on as its
            client sent them.
    """

    def __init__(self, trusted: Sequence[str], headers: Sequence[str]) -> None:
        self._unix = UNIX in trusted
        networks = [read_network(each) for each in trusted if each != UNIX]

        @lru_cache(maxsize=1024)
        def judge(address: str) -> tuple[str, bool] | None:
            read = read_address(address)
            return None if read is None else (str(read), is_within(read, networks))

        self._judge = judge
        """An address in its one form, and whether it is a trusted proxy's; None for what is no address."""
        self._names = frozenset(name.encode() for name in headers)

    def seen_through(self, scope: Scope) -> Scope:
        """The scope with the client's address, scheme and host in place of the proxy's, where a trusted one calls.

        Raises:
            Invalid: it says who called it in a form that cannot be read.
        """
        if not self._is_trusted_peer(scope):
            return scope
        names = self._names
        found = [pair for pair in scope["headers"] if pair[0] in names]
        if not found:
            return scope
        client, scheme, host = self._forwarded(found) if _FORWARDED in names else self._x_forwarded(found)
        seen = {**scope}
        if client is not None:
            seen["client"] = client
        if scheme is not None and scheme.lower() in ("http", "https"):
            seen["scheme"] = _SOCKET_SCHEMES[scheme.lower()] if scope["type"] == "websocket" else scheme.lower()
        if host is not None and len(host) <= HOST_CHARACTERS_MAX and _HOST_NAME.fullmatch(host):
            others = [pair for pair in scope["headers"] if pair[0] != b"host"]
            if len(scope["headers"]) - len(others) <= 1:  # a request with two of them is refused as it is
                seen["headers"] = [(b"host", host.encode()), *others]
                seen.pop(PARSED, None)  # which has another Host, or none
        return seen

    def _is_trusted_peer(self, scope: Scope) -> bool:
        client = scope.get("client")
        if client is None or not client[0]:
            return self._unix
        judged = self._judge(client[0])
        return judged is not None and judged[1]

    def _x_forwarded(self, headers: Iterable[tuple[bytes, bytes]]) -> Seen:
        """Scheme and host are the last ones that were written: these headers have no entry for each proxy."""
        nodes: list[bytes] = []
        scheme = host = None
        for name, value in headers:
            if name == _FOR:
                nodes.append(value)
            elif name == _PROTO:
                scheme = _last(value)
            elif name == _HOST:
                host = _last(value)
        client = None
        for node in islice(_from_the_end(nodes), ENTRIES_MAX):
            if _UNNAMED.fullmatch(node):
                break
            known = self._known(node, bare=True)
            if known is None:
                raise _malformed("X-Forwarded-For", "A list of addresses")
            client, trusted = known
            if not trusted:
                break
        return client, scheme, host

    def _forwarded(self, headers: Iterable[tuple[bytes, bytes]]) -> Seen:
        """Scheme and host are those of the trusted proxy that is the farthest away: the client called that one."""
        client = scheme = host = None
        for entry in islice(_entries([value for _, value in headers]), ENTRIES_MAX):
            scheme, host = entry.scheme or scheme, entry.host or host
            if entry.node is None or _UNNAMED.fullmatch(entry.node):
                break
            known = self._known(entry.node, bare=False)
            if known is None:
                raise _malformed_forwarded()
            client, trusted = known
            if not trusted:
                break
        return client, scheme, host

    def _known(self, node: str, *, bare: bool) -> tuple[tuple[str, int], bool] | None:
        """Address and port of a node, and whether it is a trusted proxy; None where it is no address."""
        if len(node) > NODE_CHARACTERS_MAX:
            return None
        found = _NODE.fullmatch(node)
        if found is not None:
            address, port = found[1] or found[2], found[3]
        elif bare:
            address, port = node, None
        else:
            return None
        judged = self._judge(address)
        if judged is None:
            return None
        number = int(port) if port is not None and port.isdigit() else 0
        return None if number > 65535 else ((judged[0], number), judged[1])


def _last(value: bytes) -> str:
    return value.rpartition(b",")[2].decode("latin-1").strip(_SPACE)


def _from_the_end(values: Sequence[bytes]) -> Iterator[str]:
    """The parts of lists that belong together, the last first."""
    for value in reversed(values):
        for part in reversed(value.rsplit(b",", ENTRIES_MAX)):
            yield part[:256].decode("latin-1").strip(_SPACE)


def _entries(values: Sequence[bytes]) -> Iterator[Entry]:
    """The entries of `Forwarded` headers, the last first. Raises `Invalid` at a header that is malformed."""
    for value in reversed(values):
        read = read_forwarded(value)
        if read is None:
            raise _malformed_forwarded()
        yield from reversed(read)


def _malformed(header: str, expected: str) -> Invalid:
    problem = f"{expected}: a trusted proxy sent it in another form, so that nobody can tell who calls"
    return Invalid("Invalid headers", details=[Detail(header, "invalid_header", problem)])


def _malformed_forwarded() -> Invalid:
    return _malformed("Forwarded", f"A list as in RFC 7239, of at most {FORWARDED_BYTES_MAX} bytes")


def read_forwarded(value: bytes) -> list[Entry] | None:
    """The entries of one `Forwarded` header, in order; None where it is malformed: by the grammar of RFC 7239, with
    space around `;` besides. An empty entry counts as malformed, as a proxy that has nothing to say leaves one behind.
    """
    if len(value) > FORWARDED_BYTES_MAX:
        return None
    text, at = value.decode("latin-1"), 0
    entries: list[Entry] = []
    pairs: dict[str, str] = {}
    while True:
        found = _PAIR.match(text, at)
        if found is None or (name := found[1].lower()) in pairs:
            return None
        pairs[name] = found[2] if found[2] is not None else _ESCAPED.sub(r"\1", found[3])
        at = found.end()
        if found[4] != ";":
            entries.append(Entry(pairs.get("for"), pairs.get("proto"), pairs.get("host")))
            pairs = {}
        if not found[4]:
            return entries
