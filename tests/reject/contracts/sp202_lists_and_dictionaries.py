"""Types of Python whose contents nothing would check."""

from __future__ import annotations

from typing import Any

from sternpost import Contract, Create, Custom, One, Payload, Resource, field, public


class Line(Payload):
    text: str


class Report(Payload):
    pairs: list[tuple[str, str]]
    mixed: list[str | int]
    by_number: dict[int, Line]
    inner: Line | str


class Note(Resource, prefix="not"):
    more: dict[int, Any] | None
    pairs: tuple[str, str]
    words: set[str]
    others: list[One["Note"]]
    days: list[Any] = field(storage="array")
    inner: list[list[str]] = field(storage="array")

    create = Create(allow=public)
    report = Custom(input=Report, output=None, allow=public)


contract = Contract("notes", resources=[Note])
