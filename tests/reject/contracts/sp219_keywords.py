"""Names that are keywords of Python, which a class gets only in a roundabout way: nobody could write them in a service."""

from __future__ import annotations

from sternpost import Contract, Many, One, Resource

LISTS = (Many, One)
KEYWORDS = {"class": "int", "from": "One[Word] | None", "import": "Many[Word]"}


class Word(Resource, prefix="wor"):
    name: str
    __annotations__.update(KEYWORDS)


contract = Contract("words", resources=[Word])
