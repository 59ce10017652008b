"""Addresses of machines: how they are read, which networks hold them, and which of them are one client's."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

UNIX = "unix"
"""Stands, among trusted networks, for who calls through a socket of this machine and has no address."""

ADDRESS_CHARACTERS_MAX = 64
"""More than any address has, with its zone."""

CLIENT_BITS = 64
"""What of an IPv6 address tells clients apart. Every customer of a provider is given a network of that size or a larger
one (RFC 6177; RFC 4291, 2.5.4), and takes any address in it that it likes."""


def read_address(text: str) -> Address | None:
    """An address; None for what is none. IPv4 that is written as IPv6 (`::ffff:192.0.2.1`) is IPv4."""
    if len(text) > ADDRESS_CHARACTERS_MAX:
        return None
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def read_network(text: str) -> Network:
    """A network, or an address as one of its own. Raises `ValueError`, with what is wrong, for what can be none."""
    try:
        found = ip_network(text)
    except ValueError as error:
        raise ValueError(
            f"{error}. Write an address such as 10.0.0.7, a network such as 10.0.0.0/8 or fd00::/8, or {UNIX}"
        ) from None
    if isinstance(found, IPv6Network) and (mapped := found.network_address.ipv4_mapped) and found.prefixlen >= 96:
        found = IPv4Network((mapped, found.prefixlen - 96))
    if found.prefixlen == 0:
        raise ValueError(f"{text} holds every address, so that any client could say where it calls from")
    return found


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Whether one of the networks holds an address."""
    return any(address in network for network in networks)


@lru_cache(maxsize=4096)
def limit_address(address: str) -> str:
    """What a client is counted by that has this address: IPv4 as it is, of IPv6 its network of `CLIENT_BITS` bits, such
    as `2001:db8:1:2::/64`. What is no address stays as it is."""
    if ":" not in address:
        return address
    found = read_address(address)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((int(found), CLIENT_BITS), strict=False))
    return address if found is None else str(found)


def limit_address_of(text: str) -> str:
    """The same of a client that somebody names: by an address, or by the network that is counted. Raises `ValueError`,
    with what is wrong, for what is neither."""
    address, slash, bits = text.partition("/")
    found = read_address(address)
    if found is None:
        raise ValueError(f"{address} is no address")
    counted = CLIENT_BITS if isinstance(found, IPv6Address) else 128 if ":" in address else 32
    if slash and bits != str(counted):
        raise ValueError(
            f"An IPv4 client is counted by its address, an IPv6 client by its network of {CLIENT_BITS} bits: "
            f"give {limit_address(address)} for the client at {found}; {text} is not counted as one client"
        )
    return limit_address(str(found))
