"""Types of Python whose contents nothing would check."""

from __future__ import annotations

from typing import Any

from sternpost import Contract, Create, Custom, Payload, Resource, field, public


class Line(Payload):
    text: str


class Report(Payload):
    labels: list[str]
    lines: list[Line]
    first: Line
    stored: list[str] = field(storage="array")


class Note(Resource, prefix="not"):
    labels: list[str]
    counts: dict[str, int]
    anything: list[dict[str, Any]]
    more: dict[int, Any] | None
    pairs: tuple[str, str]
    words: set[str]
    lines: list[Line] | None
    days: list[Any] = field(storage="array")
    inner: list[list[str]] = field(storage="array")

    create = Create(allow=public)
    report = Custom(input=Report, output=None, allow=public)


contract = Contract("notes", resources=[Note])
