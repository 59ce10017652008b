"""The end of a listening socket: who has begun to connect is still accepted, and nobody is reset.

A socket that is closed resets the connections in its queue, and those whose handshake is under way: their clients have
sent a request, or are about to, and see it fail. Whoever comes from now on has to be kept out first, and the queue to
be emptied then. Accepting until the queue is empty is not enough: the next connection comes before the close.
"""

from __future__ import annotations

import asyncio
import ctypes
import select
import socket
import struct
import sys
from collections.abc import Callable

HANDSHAKE_SECONDS = 2.0
"""How long a handshake may still take: as long as its first packet may be lost and sent again. It is not waited for
without need: the system knows which ones are under way."""

BLIND_SECONDS = 0.5
"""The same where the system does not tell."""

POLL_SECONDS = 0.01

_SO_ATTACH_FILTER = 26
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR, _NLMSG_DONE = 2, 3
_NLM_F_REQUEST_DUMP = 0x301
_HALF_OPEN = 1 << 3 | 1 << 12
"""TCP_SYN_RECV and TCP_NEW_SYN_RECV."""

_NO_SYN = (
    (0x30, 0, 0, 13),  # load the byte of the TCP flags
    (0x54, 0, 0, 0x12),  # SYN and ACK of it
    (0x15, 0, 1, 0x02),  # only SYN?
    (0x06, 0, 0, 0),  # then drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # else take it as a whole
)
"""Classic BPF: what it drops is sent again by the client a second later, and refused by then, as nobody listens. The
connections that the socket accepts inherit it, where it has nothing to do."""


async def close_without_reset(listener: socket.socket, close: Callable[[], None]) -> None:
    """Closes a listening socket from which the event loop accepts, once everyone who had begun to connect is in.

    It is kept up no longer than a handshake takes. Elsewhere than on Linux nobody can be kept out: what comes between
    the last look at the queue and the close is reset.

    Args:
        close: ends accepting, and closes the socket.
    """
    loop = asyncio.get_running_loop()
    if _keep_out(listener):
        started, quiet = loop.time(), 0
        while quiet < 2 and loop.time() < started + HANDSHAKE_SECONDS:  # one look may be too early for the last packet
            await asyncio.sleep(POLL_SECONDS)
            half_open = _half_open(listener)
            if half_open is None:  # the system does not tell
                half_open = loop.time() < started + BLIND_SECONDS
            quiet = 0 if half_open or _waiting(listener) else quiet + 1
    else:
        until = loop.time() + BLIND_SECONDS
        while _waiting(listener) and loop.time() < until:  # noqa: ASYNC110  (nobody tells of it)
            await asyncio.sleep(0)
    close()


def _keep_out(listener: socket.socket) -> bool:
    """Has the system ignore every new attempt to connect; whether it does."""
    if sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_SYN))
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(_NO_SYN), ctypes.addressof(program))
        )
    except OSError:  # a sandbox that imitates Linux in part
        return False
    return True


def _waiting(listener: socket.socket) -> bool:
    """Whether a connection waits to be accepted."""
    queue = select.poll()
    queue.register(listener, select.POLLIN)
    return bool(queue.poll(0))


def _half_open(listener: socket.socket) -> bool | None:
    """Whether a handshake with this port is under way (sock_diag(7)); None where that cannot be found out."""
    header = struct.pack("=IHHII", 72, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST_DUMP, 0, 0)
    asked = struct.pack("=BBBBI", listener.family, socket.IPPROTO_TCP, 0, 0, _HALF_OPEN)
    port = struct.pack("!H", listener.getsockname()[1])
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as system:
            system.settimeout(POLL_SECONDS)
            system.send(header + asked + port + bytes(46))
            while True:
                length, kind = struct.unpack_from("=IH", system.recv(65_536))
                if kind == _SOCK_DIAG_BY_FAMILY and length:
                    return True
                return False if kind == _NLMSG_DONE else None
    except OSError:  # not allowed here
        return None
