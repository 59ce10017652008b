"""Makes requests of what arrives on a connection (RFC 9112), with httptools."""

from __future__ import annotations

import logging
import re
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote

import httptools

from sternpost.errors import HeadersTooLarge, Internal, MalformedRequest, SternpostError
from sternpost.protocols.http.headers import RequestHeaders, read_headers
from sternpost.protocols.http.messages import ON_LEAVE, PARSED, Header, Scope, header_lines

_TARGET = re.compile(rb"(?:/[!-\"$-~]*)|\*")
"""A path and a query (RFC 9112, 3.2.1), or all of the server. A fragment never leaves the client."""

_ABSOLUTE = re.compile(rb"https?://([!-.0-9:->@-~]+)(/?[!-\"$-~]*)", re.IGNORECASE)

_LINE = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE) (/[!-\"$->@-~]*)(?:\?([!-\"$-~]*))? HTTP/1\.1")
"""The first line of most requests."""

_RTSP, _ICE = b" RTSP/", b" ICE/"
"""Protocols that the parser takes for HTTP, and does not tell apart from it. All others it refuses by itself."""

_OTHER_LINES = re.compile(rb"^[^\n]* (?:RTSP|ICE)/[0-9]\.[0-9]\r?\n", re.MULTILINE)
_OTHER_END = re.compile(rb" (?:RTSP|ICE)/[0-9]\.[0-9]\r?\n\Z")
_LINE_END_BYTES = 16
"""More than `_OTHER_END` has: so much is kept of a first line that has not ended yet."""

LENGTH_DIGITS_MAX = 20
"""More than any length has: the parser lets no number pass that needs more than 64 bits, but zeros before it."""

BLOCK_BYTES_MAX = 4096
BLOCKS_MAX = 1024
"""The longest headers that are remembered, and how many of them."""

TRIES = 16
PAUSE = 256
"""After so many requests in a row whose headers nobody had sent before, a connection remembers none for so many: what
tells a request from all others, such as a trace, would fill the memory in vain."""


WEBSOCKET_HEAD_BYTES_MAX = 8192
WEBSOCKET_HEADERS_MAX = 128
"""What the library for WebSockets reads of a head: lines up to that length, and so many of them."""


class Receiver(Protocol):
    """What is told of requests. It may raise a `SternpostError`, which ends what can be read."""

    def received(self, scope: Scope, *, keep_alive: bool, continues: bool) -> None:
        """The head of a request is complete."""
        ...

    def received_all(self, scope: Scope, body: bytes) -> None:
        """A whole request has arrived, behind which the connection stays open."""
        ...

    def part(self, data: bytes) -> None:
        """A part of the body of the last one."""
        ...

    def end(self) -> None:
        """The last one is whole."""
        ...


class Known(NamedTuple):
    """Headers that the parser has accepted.

    Attributes:
        length: bytes of the body behind them, as they say.
        headers: as a scope has them. All requests with these share the list, so that nobody may change it.
        parsed: what `read_headers` finds in them.
    """

    length: int
    headers: list[Header]
    parsed: RequestHeaders


class KnownHeaders:
    """Headers by their bytes, from behind the first line to the empty line: clients send the very same ones with most
    requests. They hold credentials, so whoever keeps this forgets them now and then."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, Known] = {}

    def add(self, block: bytes, known: Known) -> None:
        """Remembers them, in place of all others where there are too many."""
        if len(self.blocks) >= BLOCKS_MAX:
            self.blocks.clear()
        self.blocks[block] = known

    def forget(self) -> None:
        """Forgets all of them."""
        self.blocks.clear()


class RequestReader:
    """Reads the requests of one connection.

    Args:
        scope: what the scopes of all requests have.
        known: headers that any connection has sent.
        head_bytes_max: how many bytes the head of a request (its first line and its headers) may have, and so may what
            stands between the parts of a chunked body, and behind them. The head of a request that is sent before the
            last one is answered may have up to twice as many: where it begins in what was received, the parser does not
            tell.
        takes_websockets: whether a request for them ends the reading, and is left in `upgrade`.

    Attributes:
        number: of the request that arrives, or has arrived last; 0 before the first one.
        arriving: whether a request has begun and is not complete.
        unfinished: the bytes received since something was last finished: a head, a part of a body.
        body_bytes: of all bodies together.
        upgrade: the head of a request for WebSockets, with what followed it.
    """

    __slots__ = (
        "_coding",
        "_ended",
        "_expects",
        "_head_bytes_max",
        "_headers",
        "_is_websocket",
        "_keep_alive",
        "_known",
        "_length",
        "_line",
        "_log",
        "_other_head",
        "_parser",
        "_receiver",
        "_scope",
        "_takes_websockets",
        "_tries",
        "_url",
        "arriving",
        "body_bytes",
        "number",
        "unfinished",
        "upgrade",
    )

    def __init__(
        self,
        receiver: Receiver,
        scope: dict[str, Any],
        known: KnownHeaders,
        head_bytes_max: int,
        log: logging.Logger,
        *,
        takes_websockets: bool,
    ) -> None:
        self._parser: Any = httptools.HttpRequestParser(self)
        self._receiver: Any = receiver
        self._scope = scope
        self._head_bytes_max = head_bytes_max
        self._log = log
        self._takes_websockets = takes_websockets
        self._known = known
        self._tries = TRIES
        self._ended = False
        """Whether what follows is no request of HTTP any more."""
        self._url = b""
        self._headers: list[Header] = []
        self._expects = False
        self._length = 0
        self._coding: bytes | None = None
        self._keep_alive = False
        """Whether the connection stays open behind the request. The parser tells only up to the end of its head."""
        self._line: bytes | None = None
        """The end of what has come of a first line, until it is whole."""
        self._other_head: bytes | None = None
        """What is read in place of a head that asks for another protocol."""
        self._is_websocket = False
        self.arriving = False
        self.number = self.unfinished = self.body_bytes = 0
        self.upgrade: bytes | None = None

    def close(self) -> None:
        """Lets go of what refers to each other."""
        self._parser = self._receiver = None

    def feed(self, data: bytes) -> SternpostError | None:
        """Takes what has arrived; why nothing more can be read, where that is so."""
        if self._ended:
            return None
        if self.arriving or self.unfinished:
            return self._read(data)
        end = data.find(b"\r\n")
        behind = data.find(b"\r\n\r\n", end) + 4
        known = self._known.blocks.get(data[end + 2 : behind])
        if known is not None and behind + known.length == len(data) and behind <= self._head_bytes_max:
            line = _LINE.fullmatch(data, 0, end)
            if line is not None:
                self._tries = TRIES
                return self._recognised(line, known, data[behind:])
        number = self.number
        problem = self._read(data)
        self._tries -= 1
        if self._tries > 0 and self.number == number + 1 and not (self.arriving or self._ended or problem):
            self._remember(data, end, behind)
        elif self._tries < -PAUSE:
            self._tries = TRIES
        return problem

    def _recognised(self, line: re.Match[bytes], known: Known, body: bytes) -> SternpostError | None:
        """A request with headers that are known. Nothing of the parser's work is left out, because it has read the very
        same bytes."""
        method, raw_path, query = line.groups()
        path = raw_path.decode("ascii")
        scope = self._scope.copy()
        scope["http_version"] = "1.1"
        scope["method"] = method.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = query or b""
        scope["headers"] = known.headers
        scope[PARSED] = known.parsed
        scope["state"] = {}
        scope[ON_LEAVE] = []
        self.number += 1
        self.body_bytes += known.length
        try:
            self._receiver.received_all(scope, body)
        except SternpostError as error:
            self._ended = True
            return error
        return None

    def _remember(self, data: bytes, end: int, behind: int) -> None:
        """Keeps the headers of a request that was all that arrived, and that was read in no rare way."""
        if (
            not self._expects
            and self._coding is None
            and behind - end <= BLOCK_BYTES_MAX
            and behind + self._length == len(data)
            and _LINE.fullmatch(data, 0, end) is not None
            and self._keep_alive
        ):
            parsed = read_headers({"headers": self._headers})
            self._known.add(data[end + 2 : behind], Known(self._length, self._headers, parsed))

    # -- the parser

    def _read(self, data: bytes) -> SternpostError | None:
        self.unfinished += len(data)
        return self._in_pieces(data) if self.unfinished > self._head_bytes_max else self._parse(data)

    def _in_pieces(self, data: bytes) -> SternpostError | None:
        """The parser gets no more than the head may still have, so that what is too long is neither parsed nor kept."""
        self.unfinished -= len(data)
        problem = None
        while data and problem is None and not self._ended:
            room = self._head_bytes_max - self.unfinished
            if room <= 0:
                return HeadersTooLarge(f"The head of the request is larger than {self._head_bytes_max} bytes")
            piece, data = data[:room], data[room:]
            self.unfinished += len(piece)
            problem = self._parse(piece)
        return problem

    def _parse(self, data: bytes) -> SternpostError | None:
        """The parser does not tell a request of another protocol, nor where in `data` a request begins. So it gets each
        line by itself that may be the first of one: those that name such a protocol, and those in two pieces."""
        position = 0
        problem = None
        if self._line is not None:
            position = data.find(b"\n") + 1 or len(data)
            problem = self._parse_line(data[:position])
        if _RTSP in data or _ICE in data:
            for line in _OTHER_LINES.finditer(data, position):
                problem = problem or self._feed(data[position : line.start()]) or self._parse_line(line.group())
                position = line.end()
        last = max(data.rfind(b"\n") + 1, position)
        if position < last:
            problem = problem or self._feed(data[position:last])
        if last < len(data):
            problem = problem or self._parse_line(data[last:])
        return problem

    def _parse_line(self, line: bytes) -> SternpostError | None:
        """A line, or the part of one that has come. It is the first of a request where that begins in it."""
        number, begun = self.number, self._line
        problem = self._feed(line)
        if begun is None and self.number == number:
            return problem
        seen = (begun or b"") + line
        if not line.endswith(b"\n"):
            self._line = seen[-_LINE_END_BYTES:]
            return problem
        self._line = None
        if problem is None and _OTHER_END.search(seen):
            self._ended = True
            return MalformedRequest("This server speaks HTTP/1.1")
        return problem

    def _feed(self, data: bytes) -> SternpostError | None:
        if self._ended:
            if self.upgrade is not None:
                self.upgrade += data
            return None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self._upgraded(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            self._ended = True
            cause = error.__context__
            if isinstance(cause, SternpostError):
                return cause
            self._log.error("A request could not be read", exc_info=cause)
            return Internal()
        except httptools.HttpParserError:
            self._ended = True
            return MalformedRequest()
        return None

    def _upgraded(self, rest: bytes) -> SternpostError | None:
        """What follows a head that asks for another protocol. The parser takes none of it for a body; where the
        protocol is not taken up, it is one (RFC 9110, 7.8), and is read by another parser."""
        head, self._other_head = self._other_head, None
        assert head is not None, "the parser stops at such heads alone"
        if self._is_websocket:
            self._ended = True
            self.upgrade = head + rest
            return None
        self.number -= 1
        self._parser = httptools.HttpRequestParser(self)
        return self._feed(head + rest)

    def on_message_begin(self) -> None:
        """The parser is at the start of a request. Raises `MalformedRequest` behind one that ends the connection."""
        if self._ended:
            raise MalformedRequest
        self.number += 1
        self.arriving = True
        self._url = b""
        self._headers = []
        self._expects = False
        self._length = 0
        self._coding = None

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or what looks like one behind a chunked body and is none (RFC 9110, 6.5.1): a proxy before this
        server has checked the head alone."""
        name = name.lower()
        if name == b"transfer-encoding":
            self._coding = value if self._coding is None else self._coding + b"," + value
        elif name == b"content-length":
            if len(value) > LENGTH_DIGITS_MAX:
                raise MalformedRequest("The Content-Length is malformed")
            self._length = int(value)
        elif name == b"expect":
            self._expects = value.rstrip(b" \t").lower() == b"100-continue"
        self._headers.append((name, value.rstrip(b" \t")))  # space behind it is none of it (RFC 9112, 5)

    def on_headers_complete(self) -> None:
        """The end of a head. Raises `MalformedRequest`."""
        parser, headers, url = self._parser, self._headers, self._url
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise MalformedRequest("This server speaks HTTP/1.1")
        if self._coding is not None:
            if self._coding.lower() != b"chunked" or version == "1.0":
                # a coding that is not known, or framing that older recipients read otherwise (RFC 9112, 6.1)
                raise MalformedRequest("The only transfer coding is chunked, in HTTP/1.1")
            self._headers = []  # what comes behind the body is no header
        if not _TARGET.fullmatch(url):
            url, headers = _from_absolute(url, headers)
        if parser.should_upgrade():
            self._is_websocket = self._takes_websockets and self._asks_for_websocket(version, headers)
            make = _head_for_websocket if self._is_websocket else _head_without_upgrade
            self._other_head = make(parser.get_method(), url, version, headers)
            return
        raw_path, _, query = url.partition(b"?")
        path = raw_path.decode("ascii")
        scope: dict[str, Any] = {
            **self._scope,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "path": unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
            "state": {},
            ON_LEAVE: [],
        }
        self._keep_alive = version == "1.1" and parser.should_keep_alive()
        self.unfinished = 0
        self._receiver.received(scope, keep_alive=self._keep_alive, continues=self._expects and version == "1.1")

    def _asks_for_websocket(self, version: str, headers: list[Header]) -> bool:
        """Whether it is a handshake (RFC 6455, 4.1). Other requests are answered as if they did not ask for it."""
        bodiless = self._coding is None and not self._length
        asked = bodiless and version == "1.1" and self._parser.get_method() == b"GET"
        return asked and any(name == b"upgrade" and value.lower() == b"websocket" for name, value in headers)

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self.unfinished = 0
        self.body_bytes += len(body)
        self._receiver.part(body)

    def on_message_complete(self) -> None:
        """The end of a request. Raises `MalformedRequest` where what stands behind a chunked body would end the
        connection: only the head may say so."""
        if self._other_head is not None:
            return
        if self._coding is not None and self._keep_alive and not self._parser.should_keep_alive():
            raise MalformedRequest
        self.arriving = False
        self.unfinished = 0
        self._ended = not self._keep_alive
        self._receiver.end()


def _from_absolute(url: bytes, headers: list[Header]) -> tuple[bytes, list[Header]]:
    """The path and query of an address with its host, which counts then, whatever Host says (RFC 9112, 3.2.2). Raises
    `MalformedRequest`."""
    found = _ABSOLUTE.fullmatch(url)
    if found is None:
        raise MalformedRequest("The address of the request is malformed")
    host, target = found.groups()
    target = target if target.startswith(b"/") else b"/" + target
    return target, [(b"host", host) if name == b"host" else (name, value) for name, value in headers]


def _head_for_websocket(method: bytes, url: bytes, version: str, headers: list[Header]) -> bytes:
    """The head of a handshake as it is handed on. Raises `HeadersTooLarge` where the library would not read it, which
    then says nothing, and leaves the connection open."""
    head = b"%s %s HTTP/%s\r\n%s\r\n" % (method, url, version.encode(), header_lines(headers))
    if len(head) > WEBSOCKET_HEAD_BYTES_MAX or len(headers) > WEBSOCKET_HEADERS_MAX:
        raise HeadersTooLarge(
            f"The head of a handshake for WebSockets has at most {WEBSOCKET_HEAD_BYTES_MAX} bytes "
            f"and {WEBSOCKET_HEADERS_MAX} headers"
        )
    return head


def _head_without_upgrade(method: bytes, url: bytes, version: str, headers: list[Header]) -> bytes:
    """The head of a request as it would be if it asked for no other protocol. Raises `MalformedRequest` for CONNECT."""
    if method == b"CONNECT":
        raise MalformedRequest
    kept = [pair for pair in headers if pair[0] not in (b"upgrade", b"connection")]
    lines = header_lines([*kept, (b"connection", b"close")])
    return b"%s %s HTTP/%s\r\n%s\r\n" % (method, url, version.encode(), lines)
