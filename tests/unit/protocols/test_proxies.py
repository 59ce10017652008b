"""The client's address comes through trusted proxies alone, whatever anybody sends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.errors import Invalid
from sternpost.protocols.http.proxies import (
    ENTRIES_MAX,
    FORWARDED_BYTES_MAX,
    Entry,
    TrustedProxies,
    read_forwarded,
)

PEER = "10.0.0.1"
REAL = "203.0.113.9"
TRUSTED = ("10.0.0.0/8", "fd00::/8")
X = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")
F = ("forwarded",)


def scope(*headers: tuple[str, str], peer: str | None = PEER) -> dict[str, Any]:
    pairs = [("host", "inner"), *headers]
    return {
        "type": "http",
        "scheme": "http",
        "client": None if peer is None else (peer, 4711),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
    }


def seen(
    names: tuple[str, ...], *headers: tuple[str, str], peer: str | None = PEER, trusted: tuple[str, ...] = TRUSTED
) -> tuple[str | None, str, str]:
    """The client's address, the scheme and the host."""
    found = TrustedProxies(trusted, names).seen_through(scope(*headers, peer=peer))
    client = found["client"]
    hosts = [value.decode() for name, value in found["headers"] if name == b"host"]
    assert len(hosts) == 1
    return client[0] if client else None, found["scheme"], hosts[0]


def xff(*values: str) -> list[tuple[str, str]]:
    return [("x-forwarded-for", value) for value in values]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([REAL], REAL),
        (["1.1.1.1, 203.0.113.9"], REAL),  # the client's invention stands before what the proxy has written
        (["1.1.1.1", REAL], REAL),
        (["1.1.1.1, 203.0.113.9, 10.0.0.2"], REAL),
        (["1.1.1.1", "203.0.113.9,10.0.0.2", "fd00::1"], REAL),
        (["10.9.9.9, 203.0.113.9"], REAL),  # nor can it invent a trusted address
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # all of them are ours: the first is who called
        (["203.0.113.9:8080"], REAL),
        (["[2001:db8::9]:8080"], "2001:db8::9"),
        (["2001:DB8:0::9"], "2001:db8::9"),
        (["::ffff:203.0.113.9"], REAL),
        (["203.0.113.9, ::ffff:10.0.0.2"], REAL),
        (["\t203.0.113.9 \t"], REAL),
        (["1.1.1.1, unknown"], PEER),
        (["1.1.1.1, _hidden, 10.0.0.2"], "10.0.0.2"),
        (["1.1.1.1, UNKNOWN"], PEER),
        (["1.1.1.1, unix:"], PEER),
        (["fe80::1%eth0"], "fe80::1"),
        (["a", "1.1.1.1:99999, , 203.0.113.9"], REAL),  # what a client has sent is not even read
        ([f"{'1.1.1.1,' * 7000}203.0.113.9"], REAL),
        (["1.1.1.1", *["10.0.0.2"] * ENTRIES_MAX], "10.0.0.2"),
    ],
)
def test_x_forwarded_for_is_read_from_its_end(values: list[str], expected: str) -> None:
    assert seen(X, *xff(*values))[0] == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["for=203.0.113.9"], REAL),
        (["For=203.0.113.9;Proto=https;by=10.0.0.1"], REAL),
        (['for="203.0.113.9:8080"'], REAL),
        (['for="203.0.113.9:_port"'], REAL),
        (['for="[2001:db8::9]:4711"'], "2001:db8::9"),
        (['for="[2001:db8::9]"'], "2001:db8::9"),
        ([r'for="203.0\.113.9"'], REAL),
        (["for=1.1.1.1, for=203.0.113.9"], REAL),
        (["for=1.1.1.1", "for=203.0.113.9, for=10.0.0.2"], REAL),
        (["for=10.9.9.9, for=203.0.113.9"], REAL),
        (["for=203.0.113.9 ; proto=https ,for=10.0.0.2"], REAL),
        (['for=1.1.1.1, for=203.0.113.9;host="a,b;for=6.6.6.6"'], REAL),
        (['x="1.1.1.1', "for=203.0.113.9"], REAL),  # another header is another list
        (["for=1.1.1.1, for=unknown"], PEER),
        (["for=1.1.1.1, for=_hidden, for=10.0.0.2"], "10.0.0.2"),
        (['for=1.1.1.1, for="_hidden:_port", for="unknown:80"'], PEER),
        (["for=1.1.1.1, proto=https"], PEER),
        ([f'x="{"a" * FORWARDED_BYTES_MAX}"', "for=203.0.113.9"], REAL),
        (["for=1.1.1.1, " + ", ".join(["for=10.0.0.2"] * ENTRIES_MAX)], "10.0.0.2"),
    ],
)
def test_forwarded_is_read_from_its_end(values: list[str], expected: str) -> None:
    assert seen(F, *(("forwarded", value) for value in values))[0] == expected


def refused(names: tuple[str, ...], *headers: tuple[str, str]) -> str:
    """The header that a refusal names."""
    with pytest.raises(Invalid) as found:
        seen(names, *headers)
    [detail] = found.value.details
    assert detail.code == "invalid_header"
    return detail.path


@pytest.mark.parametrize(
    "value",
    [
        "1.1.1.1,",
        "1.1.1.1, ",
        "",
        "203.0.113.9:99999",
        "203.0.113.9:",
        "203.0.113.999",
        '"203.0.113.9"',
        "²03.0.113.9",
        "a" * 60_000,
        "proxy",
        "1.1.1.1, nonsense, 10.0.0.2",
        "_",
        "unix:/run/a",
    ],
)
def test_an_x_forwarded_for_that_names_nobody_is_refused(value: str) -> None:
    """Before: the client was the proxy, and so its requests counted for everybody behind that."""
    assert refused(X, *xff(value)) == "X-Forwarded-For"


@pytest.mark.parametrize(
    "value",
    [
        "for=1.1.1.1;for=203.0.113.9",
        "for=1.1.1.1,",
        "for=1.1.1.1;",
        "for=[2001:db8::9]",
        'for="2001:db8::9"',
        "for = 203.0.113.9",
        'for="1.1.1.1, for=203.0.113.9',
        'for=6.6.6.6;x=", for="[2001:db8::9]"',
        "1.1.1.1",
        "",
        f'for=203.0.113.9;x="{"a" * FORWARDED_BYTES_MAX}"',
        'for="203.0.113.9:99999"',
        "for=1.1.1.1, for=proxy",
    ],
)
def test_a_forwarded_that_is_malformed_is_refused(value: str) -> None:
    """Before: the client was the proxy; and a client can send the start of this header."""
    assert refused(F, ("forwarded", value)) == "Forwarded"


def test_every_header_needs_a_trusted_peer() -> None:
    headers = [*xff(REAL), ("x-forwarded-proto", "https"), ("x-forwarded-host", "shop.example")]
    forwarded = ("forwarded", "for=203.0.113.9;proto=https;host=shop.example")
    for peer in ("198.51.100.1", "11.0.0.1", "2001:db8::1", "::ffff:11.0.0.1", "", None, "nonsense"):
        given_scope = scope(*headers, forwarded, peer=peer)
        for names in (X, F):
            assert TrustedProxies(TRUSTED, names).seen_through(given_scope) is given_scope
    for peer in (PEER, "fd00::7", "::ffff:10.0.0.1"):
        assert seen(X, *headers, peer=peer) == (REAL, "https", "shop.example")
        assert seen(F, forwarded, peer=peer) == (REAL, "https", "shop.example")


def test_only_the_headers_that_the_proxy_writes_are_looked_at() -> None:
    """What a proxy does not write it passes on as its client sent it."""
    spoofed = ("forwarded", "for=6.6.6.6;proto=https;host=evil.example")
    assert seen(X, *xff(REAL), spoofed) == (REAL, "http", "inner")
    assert seen(F, *xff("6.6.6.6"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example")) == (
        PEER,
        "http",
        "inner",
    )
    assert seen(("x-forwarded-for",), *xff(REAL), ("x-forwarded-proto", "https")) == (REAL, "http", "inner")


def test_a_socket_of_this_machine_can_be_trusted() -> None:
    assert seen(X, *xff(REAL), peer=None, trusted=("unix",))[0] == REAL
    assert seen(X, *xff(REAL), peer="", trusted=("unix",))[0] == REAL
    assert seen(X, *xff("6.6.6.6"), peer=PEER, trusted=("unix",))[0] == PEER


@pytest.mark.parametrize(
    ("proto", "host", "expected"),
    [
        (["https"], ["shop.example"], ("https", "shop.example")),
        (["HTTPS"], ["shop.example:8443"], ("https", "shop.example:8443")),
        (["http, https"], ["evil.example, shop.example"], ("https", "shop.example")),
        (["http", "https"], ["evil.example", "shop.example"], ("https", "shop.example")),
        (["https, ftp"], ["shop.example, a b"], ("http", "inner")),
        (["wss"], ["[2001:db8::1]:80"], ("http", "[2001:db8::1]:80")),
        (["javascript"], ["user@evil.example"], ("http", "inner")),
        ([""], [""], ("http", "inner")),
        (["https\n"], ["shop.example\n"], ("http", "inner")),
        (["https"], ["evil.example/path"], ("https", "inner")),
        (["https"], ["a" * 300], ("https", "inner")),
        (["https"], ["shöp.example"], ("https", "inner")),
    ],
)
def test_scheme_and_host_are_what_they_may_be(proto: list[str], host: list[str], expected: tuple[str, str]) -> None:
    headers = [("x-forwarded-proto", value) for value in proto] + [("x-forwarded-host", value) for value in host]
    assert seen(X, *xff(REAL), *headers)[1:] == expected


def test_scheme_and_host_are_those_that_the_client_used() -> None:
    """The entry that names the client was written by the proxy that it called."""
    chain = "for=6.6.6.6;proto=http;host=evil.example, for=203.0.113.9;proto=https;host=shop.example, for=10.0.0.2"
    assert seen(F, ("forwarded", chain + ";proto=http;host=inner-proxy")) == (REAL, "https", "shop.example")
    assert seen(F, ("forwarded", "for=203.0.113.9, for=10.0.0.2;proto=https")) == (REAL, "https", "inner")
    assert seen(F, ("forwarded", "for=6.6.6.6, for=_hidden;proto=https")) == (PEER, "https", "inner")


def test_the_port_is_told_where_it_is_known() -> None:
    proxies = TrustedProxies(TRUSTED, X)
    assert proxies.seen_through(scope(*xff("203.0.113.9:8080")))["client"] == (REAL, 8080)
    assert proxies.seen_through(scope(*xff(REAL)))["client"] == (REAL, 0)


def test_the_scope_of_the_server_is_left_as_it_is() -> None:
    given_scope = scope(*xff(REAL), ("x-forwarded-host", "shop.example"))
    before = {**given_scope, "headers": [*given_scope["headers"]]}
    found = TrustedProxies(TRUSTED, X).seen_through(given_scope)
    assert given_scope == before
    assert (b"x-forwarded-for", REAL.encode()) in found["headers"]


def test_two_hosts_stay_two() -> None:
    found = TrustedProxies(TRUSTED, X).seen_through(scope(("host", "other"), ("x-forwarded-host", "shop.example")))
    assert [value for name, value in found["headers"] if name == b"host"] == [b"inner", b"other"]


def test_the_grammar_of_forwarded() -> None:
    assert read_forwarded(b'for=_x;by="_y z";Host="a\\"b"') == [Entry("_x", None, 'a"b')]
    assert read_forwarded(b'for="a, b", proto=http') == [Entry("a, b"), Entry(None, "http")]
    assert read_forwarded(b'for="\xe9"') == [Entry("é")]
    for malformed in (
        b"",
        b",",
        b"for",
        b"for=",
        b"=x",
        b'for="',
        b'for="a"b',
        b"for=a b",
        b'for="\\',
        b"for=a,,for=b",
    ):
        assert read_forwarded(malformed) is None


# -- whatever a client sends

NOISE = st.one_of(
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=60),
    st.lists(
        st.sampled_from(
            [
                "for=",
                "For=",
                "6.6.6.6",
                "10.0.0.5",
                '"',
                "\\",
                ",",
                ";",
                " ",
                "[fd00::1]",
                "proto=https",
                "x=",
                "host=",
                "_h",
                ":1",
            ]
        ),
        max_size=12,
    ).map("".join),
)


@given(st.lists(NOISE, max_size=4), NOISE, st.booleans())
def test_no_client_chooses_its_x_forwarded_address(before: list[str], joined: str, own_line: bool) -> None:
    written = [*before, joined, REAL] if own_line else [*before, f"{joined}, {REAL}"]
    assert seen(X, *xff(*written))[0] == REAL


@given(
    st.lists(NOISE, max_size=4),
    NOISE,
    st.booleans(),
    st.sampled_from(["for=203.0.113.9", 'for="203.0.113.9:1";proto=http']),
)
def test_no_client_chooses_its_forwarded_address(before: list[str], joined: str, own_line: bool, wrote: str) -> None:
    """A proxy that adds to a header which is no list any more leaves nothing to be believed: that is refused."""
    written = [*before, joined, wrote] if own_line else [*before, f"{joined}, {wrote}"]
    try:
        found = seen(F, *(("forwarded", value) for value in written))
    except Invalid:
        assert not own_line
        return
    assert found[:2] == (REAL, "http")


@given(st.lists(st.tuples(st.sampled_from([*X, *F, "host"]), NOISE), max_size=6), st.sampled_from([X, F]))
def test_nothing_is_too_strange(headers: list[tuple[str, str]], names: tuple[str, ...]) -> None:
    given_scope = scope(*headers)
    try:
        found = TrustedProxies(TRUSTED, names).seen_through(given_scope)
    except Invalid:
        return
    assert found["scheme"] in ("http", "https")
    assert found["client"][0]
