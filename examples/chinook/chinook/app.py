"""The music store as an ASGI application: `uvicorn chinook.app:app`."""

from __future__ import annotations

from chinook.contract import contract
from sternpost import Sternpost

app = Sternpost(contract)
