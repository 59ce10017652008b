"""Formats that no validator could use."""

from __future__ import annotations

from typing import Annotated

from sternpost import Contract, Format, Resource

Hex = Annotated[str, Format("hex", "^[0-9a-f+$", 64)]
Port = Annotated[int, Format("port", "^[0-9]+$", 5)]
Short = Annotated[str, Format("short", "^[a-z]+$", 0)]


class Server(Resource, prefix="srv"):
    key: Hex
    port: Port
    name: Short


contract = Contract("shop", resources=[Server])
