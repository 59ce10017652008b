"""An abstract base that has what only its heirs can have."""

from __future__ import annotations

from datetime import datetime

from sternpost import Contract, Resource, field


class Timed(Resource, abstract=True, prefix="tim"):
    created_at: datetime = field(auto="created")


class Note(Timed, prefix="not"):
    text: str


contract = Contract("notes", resources=[Note])
