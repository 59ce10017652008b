"""Headers as they come in: what is sent in several parts counts as a whole."""

from __future__ import annotations

import pytest

from sternpost.errors import InvalidCredentials
from sternpost.protocols.http.headers import RequestHeaders, bearer_token, read_headers


def read(*headers: tuple[bytes, bytes]) -> RequestHeaders:
    return read_headers({"headers": list(headers)})


def test_a_list_in_several_headers_is_one_list() -> None:
    """RFC 9110, 5.3."""
    found = read(
        (b"if-match", b'"1"'),
        (b"if-none-match", b'"3"'),
        (b"accept", b"text/html"),
        (b"if-match", b'"2"'),
        (b"if-none-match", b'"4"'),
        (b"accept", b"application/json"),
    )
    assert found.if_match == b'"1","2"'
    assert found.if_none_match == b'"3","4"'
    assert found.accept == b"text/html,application/json"


def test_nothing_of_a_request_is_left_for_the_next() -> None:
    read((b"authorization", b"Bearer x"), (b"if-match", b'"1"'), (b"host", b"a"))
    found = read()
    assert (found.authorization, found.authorizations, found.if_match, found.hosts) == (None, 0, None, 0)


def test_two_tokens_are_none() -> None:
    one = (b"authorization", b"Bearer x")
    assert bearer_token(read(one)) == "x"
    with pytest.raises(InvalidCredentials):
        bearer_token(read(one, one))
