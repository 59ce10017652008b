"""Two versions of one API, served."""

from __future__ import annotations

from sternpost import Sternpost
from tests.rest.test_versions import SERVICES, contract

app = Sternpost(contract(), services=SERVICES)
