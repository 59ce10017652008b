"""What a span tells of a statement: what it does, with which table, and its text without values."""

from __future__ import annotations

import re
from dataclasses import dataclass

KEPT_MAX = 1_000
"""Statements that are remembered."""

TEXT_CHARACTERS_MAX = 4_096

_NAME = r'(?:"[^"]+"|\w+)'
_DOES = re.compile(r"\s*(\w+)")
_TABLE = re.compile(rf"\b(?:FROM|INTO|UPDATE|JOIN)\s+(?:ONLY\s+)?({_NAME}(?:\.{_NAME})*)", re.IGNORECASE)
_ANY_CHANGE = re.compile(r"\b(INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w$:\"])\d+(?:\.\d+)?\b")
_UNCLEAR = re.compile(r"\\|\$\w*\$|--|/\*")
"""What may make another text of a literal than `_LITERAL` sees: escapes, quotes of other kinds, comments."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a span tells of a statement.

    Attributes:
        operation: its first word, or what one that begins with WITH changes.
        collection: the first table that it names; None where there is none.
        text: None where it might hold a value.
    """

    operation: str
    collection: str | None
    text: str | None

    @property
    def summary(self) -> str:
        """The name of the span, of few different ones."""
        return self.operation if self.collection is None else f"{self.operation} {self.collection}"


class Statements:
    """Tells statements, each looked at once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bool], Told] = {}

    def told(self, text: str, *, own: bool) -> Told:
        """What there is to tell of one.

        Args:
            own: whether the author has written it, who may have put values into its text.
        """
        found = self._known.get((text, own))
        if found is None:
            if len(self._known) >= KEPT_MAX:
                self._known.clear()
            found = self._known[text, own] = _tell(text, own=own)
        return found


def _tell(text: str, *, own: bool) -> Told:
    begins = _DOES.match(text)
    operation = begins.group(1).upper() if begins else "SQL"
    if operation == "WITH":
        change = _ANY_CHANGE.search(text)
        operation = change.group(1).upper() if change else "SELECT"
    named = _TABLE.search(text)
    collection = named.group(1).replace('"', "") if named else None
    unclear = own and _UNCLEAR.search(text) is not None
    shown = None if unclear else _LITERAL.sub("?", text)[:TEXT_CHARACTERS_MAX]
    return Told(operation[:32], None if unclear else collection, shown)
