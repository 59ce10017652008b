"""The shop as an ASGI application: `sternpost serve` runs it, and so does any ASGI server (`uvicorn shop.app:app`)."""

from shop import services
from shop.contract import contract
from sternpost import Sternpost

app = Sternpost(contract, services=[services])
