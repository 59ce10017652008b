"""What an operation over HTTP alone may look at and answer: the request, headers, cookies, redirects, media types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal
from urllib.parse import parse_qsl, quote, urlsplit

REDIRECTS = (301, 302, 303, 307, 308)
"""Statuses of a redirect. 303 has the client GET the other address; 307 and 308 keep the method."""

MEDIA_BYTES_MAX = 5_000_000
"""Bytes of an answer with an own media type, where nothing else is declared."""

HEADERS_MAX = 50
HEADER_BYTES_MAX = 4096
"""What an author may add to an answer: so many headers and cookies, each of so many bytes at most."""

QUERY_PARAMETERS_MAX = 200
"""Parameters of a query that an operation reads itself."""

ADDRESS_CHARACTERS_MAX = 4096
"""The longest address of a redirect."""

MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+-]{0,60}")

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
_COOKIE_PLACE = re.compile(r"[\x20-\x3a\x3c-\x7e]*")
_ADDRESS = re.compile(r"[\x21-\x7e]+")
_ADDRESS_KEPT = "%!$&'()*+,;=:@/?#[]-._~"

RESERVED = frozenset(
    [
        *("connection", "content-encoding", "content-length", "content-type", "date", "keep-alive", "server"),
        *("te", "trailer", "transfer-encoding", "upgrade", "etag", "location", "www-authenticate", "x-request-id"),
        "idempotent-replayed",
        *("content-security-policy", "referrer-policy", "x-content-type-options", "x-frame-options"),
    ]
)
"""Headers that are never the author's to set: the framing of an answer, what follows from it, and what protects it."""

SameSite = Literal["lax", "strict", "none"]
Saved = tuple[dict[str, str], dict[tuple[str, str, str], str]]
"""What was added to an answer at some time."""


class Headers(Mapping[str, str]):
    """The headers of a request. Names are compared without regard to case; what came several times is joined by
    commas, as HTTP means it."""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self._pairs = pairs

    def __getitem__(self, name: str) -> str:
        return self._pairs[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:  # values may be credentials
        return f"Headers({', '.join(self._pairs)})"


def headers_of(raw: list[tuple[bytes, bytes]]) -> Headers:
    """The headers of an ASGI scope."""
    found: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        joint = "; " if key == "cookie" else ", "
        found[key] = f"{found[key]}{joint}{text}" if key in found else text
    return Headers(found)


@dataclass(frozen=True, repr=False)
class Request:
    """The request that a call came with: `ctx.request`.

    Attributes:
        method: such as `POST`.
        path: without the query; decoded.
        headers: by name, in any case.
        query_string: as it was sent.
        address: the network address of the client; of the proxy before this service, unless the setting
            `trusted_proxies` names it; None where it is unknown.
        root_path: the prefix that the service is reached below.
        scheme: `http` or `https`, as this service was called, or as a trusted proxy says that it was.
    """

    method: str
    path: str
    headers: Headers
    query_string: str = ""
    address: str | None = None
    root_path: str = ""
    scheme: str = "http"

    @cached_property
    def query(self) -> Mapping[str, tuple[str, ...]]:
        """The parameters of the query, each with all of its values."""
        found: dict[str, tuple[str, ...]] = {}
        pairs = parse_qsl(self.query_string, keep_blank_values=True)
        for name, value in pairs:
            found[name] = (*found.get(name, ()), value)
        return found

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by name; of several with one name the first, which is that of the longest path."""
        found: dict[str, str] = {}
        for part in self.headers.get("cookie", "").split(";"):
            name, equals, value = part.partition("=")
            if equals and name.strip():
                found.setdefault(name.strip(), value.strip().removeprefix('"').removesuffix('"'))
        return found

    def __repr__(self) -> str:  # headers and the query may hold credentials
        return f"Request({self.method} {self.path})"


class Response:
    """What is added to the answer of a call: `ctx.response`. It is kept only where the call succeeds; a function that
    runs again begins with an empty one."""

    def __init__(self) -> None:
        self._headers: dict[str, str] = {}
        self._cookies: dict[tuple[str, str, str], str] = {}

    def header(self, name: str, value: str) -> None:
        """Sets a header, in place of one that was set before.

        Raises:
            ValueError: it is no header, or one that Sternpost sets itself.
        """
        lowered = name.lower()
        if lowered == "set-cookie":
            raise ValueError("Set-Cookie is set with ctx.response.cookie(…)")
        check_name(name)
        check_value(name, value)
        self._headers[lowered] = value.strip()
        self._count()

    def cookie(
        self,
        name: str,
        value: str,
        *,
        max_age: int | None = None,
        path: str = "/",
        domain: str | None = None,
        secure: bool = True,
        http_only: bool = True,
        same_site: SameSite = "lax",
    ) -> None:
        """Sets a cookie. By default it goes over TLS alone, no script can read it, and other sites do not have it sent.

        Args:
            max_age: seconds that the client keeps it; without it as long as the browser runs.

        Raises:
            ValueError: it is no cookie that browsers would keep.
        """
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name[:64]!r} is not the name of a cookie")
        if not _COOKIE_VALUE.fullmatch(value):
            raise ValueError(f"The value of the cookie {name} holds characters that a cookie cannot: encode it")
        if not all(map(_COOKIE_PLACE.fullmatch, (path, domain or ""))):
            raise ValueError(f"The path or the domain of the cookie {name} is malformed")
        if same_site not in ("lax", "strict", "none"):
            raise ValueError(f'same_site of the cookie {name} is none of "lax", "strict" and "none"')
        if same_site == "none" and not secure:
            raise ValueError(f'The cookie {name} with same_site="none" has to be secure')
        _check_prefix(name, path, domain, secure=secure)
        parts = [f"{name}={value}", f"Path={path}"]
        parts += [f"Domain={domain}"] if domain is not None else []
        parts += [f"Max-Age={int(max_age)}"] if max_age is not None else []
        parts += ["Secure"] if secure else []
        parts += ["HttpOnly"] if http_only else []
        line = "; ".join([*parts, f"SameSite={same_site.title()}"])
        if len(line) > HEADER_BYTES_MAX:
            raise ValueError(f"The cookie {name} is longer than {HEADER_BYTES_MAX} bytes")
        self._cookies[name, path, domain or ""] = line
        self._count()

    def delete_cookie(self, name: str, *, path: str = "/", domain: str | None = None) -> None:
        """Has the client forget a cookie, which must be named with the path and domain that it was set with."""
        self.cookie(name, "", max_age=0, path=path, domain=domain)

    def download(self, filename: str) -> None:
        """Has browsers keep the answer as a file of this name, instead of showing it."""
        if not filename or len(filename) > 255 or any(ord(character) < 32 for character in filename):
            raise ValueError("The name of a file has 1 to 255 characters, and no control characters")
        base = re.sub(r"[\\/]", "_", filename)
        plain = re.sub(r'[^\x20-\x7e]|["%]', "_", base)
        more = "" if plain == base else f"; filename*=UTF-8''{quote(base, safe='', errors='replace')}"
        self._headers["content-disposition"] = f'attachment; filename="{plain}"{more}'

    def pairs(self) -> list[tuple[bytes, bytes]]:
        """All of it as headers, names in lower case."""
        named = [(name.encode(), value.encode("latin-1")) for name, value in self._headers.items()]
        return [*named, *((b"set-cookie", line.encode("latin-1")) for line in self._cookies.values())]

    def saved(self) -> Saved:
        """What was added by now."""
        return dict(self._headers), dict(self._cookies)

    def restore(self, saved: Saved) -> None:
        """Forgets what was added since: the call runs again."""
        self._headers, self._cookies = dict(saved[0]), dict(saved[1])

    def _count(self) -> None:
        if len(self._headers) + len(self._cookies) > HEADERS_MAX:
            raise ValueError(f"An answer takes at most {HEADERS_MAX} own headers and cookies")


def check_name(name: str) -> None:
    """Raises `ValueError` where a header is none, or one that Sternpost sets itself."""
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name[:64]!r} is not the name of a header")
    lowered = name.lower()
    if lowered in (*RESERVED, "set-cookie") or lowered.startswith("access-control-"):
        raise ValueError(f"The header {name} is set by Sternpost")


def check_value(name: str, value: object) -> None:
    """Raises `ValueError` where a header cannot have a value."""
    if not isinstance(value, str) or not _VALUE.fullmatch(value) or len(value) > HEADER_BYTES_MAX:
        raise ValueError(f"The value of {name} is not one line of ASCII, at most {HEADER_BYTES_MAX} characters long")


def _check_prefix(name: str, path: str, domain: str | None, *, secure: bool) -> None:
    """What browsers ask of cookies with these names (RFC 6265bis, 4.1.3)."""
    if name.lower().startswith(("__secure-", "__host-")) and not secure:
        raise ValueError(f"The cookie {name} has to be secure")
    if name.lower().startswith("__host-") and (path != "/" or domain is not None):
        raise ValueError(f'The cookie {name} needs path="/" and no domain')


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request over HTTP, and what is to be added to its answer."""

    request: Request
    response: Response = field(default_factory=Response)


@dataclass(frozen=True, slots=True)
class Redirect:
    """An answer that sends the client to another address: `Custom(output=Redirect)`.

    Attributes:
        url: an address with `http://` or `https://`, or a path of this host that begins with one slash.
        status: 301, 302, 303, 307 or 308.

    Raises:
        ValueError: the address or the status is none of these. An address that a client has sent is judged by you.
    """

    url: str
    status: int = 303

    def __post_init__(self) -> None:
        if self.status not in REDIRECTS:
            raise ValueError(f"The status of a redirect is one of {', '.join(map(str, REDIRECTS))}")
        written = quote(self.url, safe=_ADDRESS_KEPT, errors="replace") if _is_line(self.url) else ""
        if not _leads_somewhere(written) or len(written) > ADDRESS_CHARACTERS_MAX:
            raise ValueError("The address of a redirect begins with http://, https:// or one slash")
        object.__setattr__(self, "url", written)


def _is_line(url: str) -> bool:
    """Whether it has no blanks and no control characters; backslashes are slashes to browsers."""
    return not any(character <= " " or character in "\\\x7f" for character in url)


def _leads_somewhere(url: str) -> bool:
    if not _ADDRESS.fullmatch(url):
        return False
    if url.startswith("/"):
        return not url.startswith("//")  # which would be another host
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and url.lower().startswith(f"{parts.scheme}://")


@dataclass(frozen=True, slots=True)
class Media:
    """An answer with an own media type: `Custom(output=Media("application/pdf"))`. The function returns `bytes`, or
    `str`, which is sent as UTF-8.

    Attributes:
        type: the media type, without parameters.
        max_bytes: the longest answer.
        content_security_policy: what an HTML page may load; by default nothing.
    """

    type: str
    max_bytes: int = MEDIA_BYTES_MAX
    content_security_policy: str | None = None


def content_type(media: str) -> str:
    """The header of a media type. Texts are UTF-8."""
    return f"{media}; charset=utf-8" if media.startswith("text/") else media
