"""A client whose handshake stays under way for as long as a test wants: it does not hear the server (Linux)."""

from __future__ import annotations

import ctypes
import socket
import struct

_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_DROP_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)


class DeafClient:
    """It has asked for a connection, and does not take the server's answer before it is told to listen. The server
    sends that again after a second."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        program = ctypes.create_string_buffer(_DROP_ALL)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
        self.socket.setblocking(False)
        self.socket.connect_ex((host, port))

    def listen(self) -> None:
        """From now on it takes what the server sends."""
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
