"""A column with an array in a database whose tables Sternpost makes."""

from __future__ import annotations

from sternpost import Contract, Create, Resource, field, public


class Note(Resource, prefix="not"):
    labels: list[str] = field(storage="array")

    create = Create(allow=public)


contract = Contract("notes", resources=[Note])
