"""A report on all notes, with a policy on one of them."""

from __future__ import annotations

from sternpost import Contract, Custom, Resource, authenticated, this


class Note(Resource, prefix="not", owner="writer"):
    writer: str

    report = Custom(on="collection", output=None, allow=authenticated & this.is_owner)


contract = Contract("notes", resources=[Note])
