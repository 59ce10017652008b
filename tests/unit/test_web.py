"""What an author may look at of a request, and add to an answer."""

from __future__ import annotations

import pytest

from sternpost import Redirect, Request, Response
from sternpost.web import HEADERS_MAX, headers_of


def request(*headers: tuple[bytes, bytes], query: str = "") -> Request:
    return Request("GET", "/x", headers_of(list(headers)), query)


def lines(response: Response) -> list[str]:
    return [f"{name.decode()}: {value.decode('latin-1')}" for name, value in response.pairs()]


def test_headers_are_found_in_any_case_and_joined() -> None:
    found = request((b"X-Tag", b"a"), (b"x-tag", b"b"), (b"cookie", b"a=1"), (b"cookie", b"b=2")).headers
    assert found["X-TAG"] == "a, b"
    assert "x-Tag" in found
    assert found.get("nothing") is None
    assert list(found) == ["x-tag", "cookie"]
    assert found["cookie"] == "a=1; b=2"


def test_nothing_secret_is_in_the_text_of_a_request() -> None:
    found = request((b"authorization", b"Bearer s3cret"), (b"cookie", b"session=s3cret"), query="token=s3cret")
    assert "s3cret" not in repr(found) + str(found) + repr(found.headers)


def test_cookies_and_query() -> None:
    found = request((b"cookie", b'a=1; b="two"; a=3; c; =d; e=f=g'), query="tag=a&tag=b&empty=&x=%C3%BC")
    assert found.cookies == {"a": "1", "b": "two", "e": "f=g"}
    assert found.query == {"tag": ("a", "b"), "empty": ("",), "x": ("ü",)}


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("X-A\r\nSet-Cookie", "a", "not the name"),
        ("", "a", "not the name"),
        ("X-A", "a\r\nSet-Cookie: b=c", "not one line"),
        ("X-A", "a\0", "not one line"),
        ("X-A", "ü", "not one line"),
        ("X-A", "a" * 5000, "not one line"),
        ("Set-Cookie", "a=b", "ctx.response.cookie"),
        ("Content-Length", "4", "set by Sternpost"),
        ("transfer-encoding", "chunked", "set by Sternpost"),
        ("Content-Type", "text/html", "set by Sternpost"),
        ("Content-Security-Policy", "default-src *", "set by Sternpost"),
        ("X-Content-Type-Options", "no", "set by Sternpost"),
        ("Access-Control-Allow-Origin", "*", "set by Sternpost"),
        ("X-Request-Id", "mine", "set by Sternpost"),
    ],
)
def test_headers_that_are_refused(name: str, value: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Response().header(name, value)


def test_a_header_is_set_once() -> None:
    response = Response()
    response.header("X-A", "1")
    response.header("x-a", " 2 ")
    assert lines(response) == ["x-a: 2"]


def test_headers_and_cookies_are_counted() -> None:
    response = Response()
    for number in range(HEADERS_MAX):
        response.cookie(f"c{number}", "x")
    with pytest.raises(ValueError, match="at most 50"):
        response.header("X-A", "1")


def test_cookies_are_guarded_by_default() -> None:
    response = Response()
    response.cookie("__Host-session", "abc", max_age=60)
    response.cookie(
        "theme", "dark", secure=False, http_only=False, same_site="strict", path="/shop", domain="a.example"
    )
    response.delete_cookie("old")
    assert lines(response) == [
        "set-cookie: __Host-session=abc; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax",
        "set-cookie: theme=dark; Path=/shop; Domain=a.example; SameSite=Strict",
        "set-cookie: old=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax",
    ]


@pytest.mark.parametrize(
    ("name", "value", "more"),
    [
        ("a b", "x", {}),
        ("a", "x; Domain=evil.example", {}),
        ("a", "x\r\nX-A: 1", {}),
        ("a", "ü", {}),
        ("a", "x", {"path": "/; Secure"}),
        ("a", "x", {"domain": "a\r\nb"}),
        ("a", "x", {"same_site": "none", "secure": False}),
        ("a", "x", {"same_site": "whatever"}),
        ("__Secure-a", "x", {"secure": False}),
        ("__Host-a", "x", {"path": "/shop"}),
        ("__Host-a", "x", {"domain": "a.example"}),
        ("a", "x" * 5000, {}),
    ],
)
def test_cookies_that_are_refused(name: str, value: str, more: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="cookie"):
        Response().cookie(name, value, **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("filename", "line"),
    [
        ("invoice-7.pdf", 'attachment; filename="invoice-7.pdf"'),
        ("Übersicht.pdf", "attachment; filename=\"_bersicht.pdf\"; filename*=UTF-8''%C3%9Cbersicht.pdf"),
        ('a".pdf', "attachment; filename=\"a_.pdf\"; filename*=UTF-8''a%22.pdf"),
        ("../../etc/passwd", 'attachment; filename=".._.._etc_passwd"'),
    ],
)
def test_names_of_downloads(filename: str, line: str) -> None:
    response = Response()
    response.download(filename)
    assert lines(response) == [f"content-disposition: {line}"]


@pytest.mark.parametrize("filename", ["", "a\r\nb", "x" * 300])
def test_names_that_no_file_has(filename: str) -> None:
    with pytest.raises(ValueError, match="name of a file"):
        Response().download(filename)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("/orders/1?x=ü#top", "/orders/1?x=%C3%BC#top"),
        ("https://pay.example/start?id=1&b=%20", "https://pay.example/start?id=1&b=%20"),
        ("HTTP://pay.example", "HTTP://pay.example"),
    ],
)
def test_redirects(url: str, written: str) -> None:
    assert Redirect(url).url == written


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://a.example",
        "https:///path",
        "https:a.example",
        "http://[::1",
        "orders",
        "",
        "/a\r\nSet-Cookie: b=c",
        "/a b",
        "/" + "a" * 5000,
    ],
)
def test_addresses_that_nobody_is_sent_to(url: str) -> None:
    with pytest.raises(ValueError, match="address of a redirect"):
        Redirect(url)


@pytest.mark.parametrize("status", [200, 300, 304, 404])
def test_statuses_that_are_no_redirect(status: int) -> None:
    with pytest.raises(ValueError, match="status"):
        Redirect("/", status)
