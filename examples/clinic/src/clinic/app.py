"""The clinic as an ASGI application: `sternpost serve` runs it, and so does any ASGI server."""

from __future__ import annotations

from clinic import services
from clinic.contract import contract
from sternpost import Sternpost

app = Sternpost(contract, services=[services])
