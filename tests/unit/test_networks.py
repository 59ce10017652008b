"""Addresses in one form, networks that can be trusted, and what one client is counted by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.networks import is_within, limit_address, read_address, read_network


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:0201", "192.0.2.1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.01", None),
        ("192.0.2", None),
        ("", None),
        ("test", None),
        ("1" * 5000, None),
    ],
)
def test_an_address_has_one_form(text: str, found: str | None) -> None:
    read = read_address(text)
    assert (None if read is None else str(read)) == found


def test_a_network_holds_its_addresses_however_they_are_written() -> None:
    for network, inside, outside in (
        ("10.0.0.0/8", "10.1.2.3", "11.0.0.1"),
        ("10.0.0.7", "::ffff:10.0.0.7", "10.0.0.8"),
        ("::ffff:10.0.0.0/104", "10.1.2.3", "11.0.0.1"),
        ("fd00::/8", "fd12::1", "fe80::1"),
        ("fd00::/8", "fd12::1", "10.0.0.1"),
    ):
        found = [read_network(network)]
        for address, expected in ((inside, True), (outside, False)):
            read = read_address(address)
            assert read is not None
            assert is_within(read, found) is expected


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "10.0.0.1/8", "proxy", "10.0.0.0/33", ""])
def test_what_cannot_be_trusted_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"holds every address|Write an address such as"):
        read_network(text)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_a_network_of_64_bits_is_one_client(address: str, counted: str) -> None:
    assert limit_address(address) == counted


@given(st.text(max_size=80))
def test_no_text_is_too_strange(text: str) -> None:
    limit_address(text)
    assert read_address(text) is None or len(text) <= 64


def test_a_network_of_ipv4_that_is_written_as_ipv6_may_not_hold_every_address() -> None:
    with pytest.raises(ValueError, match="holds every address"):
        read_network("::ffff:0:0/96")
