"""How large an answer may become, counted while it is read: before more is fetched, and before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import mul
from typing import Any

import orjson

from sternpost.errors import Detail, Invalid

UNBOUNDED = 2**62

VALUE_BYTES = 40
"""What a value that is no text takes in JSON at most, or a text beside its characters: a UUID, a time or a number."""


class TooLarge(Invalid):
    """The answer would be too large."""


class Budget:
    """The rows of relations, and the bytes, that an answer may still have. The steps of a batch share one.

    Args:
        rows: those that relations bring along, each counted as often as it occurs.
        bytes_max: about how many the answer has as JSON.
    """

    __slots__ = ("_bytes_left", "_pending", "_possible", "bytes_max", "rows_left", "rows_max")

    def __init__(self, rows: int, bytes_max: int) -> None:
        self.rows_max = self.rows_left = rows
        self.bytes_max = self._bytes_left = bytes_max
        self._possible = 0.0
        """What the pending rows may have at most: as long as that is allowed, nothing is counted."""
        self._pending: list[tuple[Sequence[Mapping[str, Any]], Sequence[str], int, Sequence[int] | None]] = []

    @property
    def bytes_left(self) -> int:
        """About how many bytes may still be read; what was read and not counted yet is not taken off."""
        return self._bytes_left

    def fresh(self, *, bounded: bool) -> Budget:
        """For another part of a streamed answer; one that cannot be made smaller is not bounded in bytes, because the
        answer has begun, and must not break off."""
        return Budget(self.rows_max, self.bytes_max if bounded else UNBOUNDED)

    def allows(self, bytes_max: float) -> bool:
        """Whether an answer with as many bytes more, at most, would surely not be too large."""
        return self._possible + bytes_max <= self._bytes_left

    def take_rows(self, rows: int, relation: str) -> None:
        """Raises `TooLarge` where the relations hold too many rows."""
        self.rows_left -= rows
        if self.rows_left < 0:
            message = (
                f"The answer would hold more than {self.rows_max} rows at {relation!r}: include less, or ask for "
                "smaller pages"
            )
            raise TooLarge("Invalid parameters", details=[Detail("include", "answer_too_large", message)])

    def take_bytes(
        self,
        documents: Sequence[Mapping[str, Any]],
        names: Sequence[str],
        row_bytes_max: float,
        names_bytes: int,
        weights: Sequence[int] | None = None,
    ) -> None:
        """Counts documents as they were read: as they are written, whatever form the database has for their values.

        Args:
            names: of the members that are there by now: relations come later, and are counted by themselves.
            row_bytes_max: what one of them may have at most, so that most answers need not be counted.
            names_bytes: what the names of all members take, with the characters around them.
            weights: how often each occurs; once each where none are given.

        Raises:
            TooLarge: the answer would be.
        """
        self._possible += row_bytes_max * (len(documents) if weights is None else sum(weights))
        self._pending.append((documents, names, names_bytes, weights))
        if self._possible <= self._bytes_left:
            return
        for pending, own, around, often in self._pending:
            rows = [[document[name] for name in own] for document in pending]
            if often is None or len(set(often)) == 1:  # as one text, without the commas between the rows
                size = _length(rows) - len(rows) - 1 + around * len(rows)
                self._bytes_left -= size * (1 if often is None else often[0])
            else:
                self._bytes_left -= sum(map(mul, (around + _length(row) for row in rows), often))
        self._pending.clear()
        self._possible = 0.0
        self._check()

    def take(self, document: Mapping[str, Any]) -> None:
        """Counts a whole document as it is written. Raises `TooLarge` where the answer would be too large."""
        self._bytes_left -= _length(document)
        self._check()

    def take_values(self, name: str, values: Sequence[Any], weights: Sequence[int] | None) -> None:
        """Counts values that were computed of documents, under the same name in each. Raises as `take`.

        Args:
            weights: how often each document occurs; once each where none are given.
        """
        around = len(orjson.dumps(name)) + len(":,")
        if weights is None:
            self._bytes_left -= _length(values) + around * len(values)
        else:
            self._bytes_left -= sum(map(mul, (around + _length(value) for value in values), weights))
        self._check()

    def _check(self) -> None:
        if self._bytes_left < 0:
            raise self.too_large()

    def too_large(self) -> TooLarge:
        """What is raised where the answer would have too many bytes."""
        message = (
            f"The answer would have more than {self.bytes_max} bytes: ask for smaller pages, for fewer fields, "
            "or include less"
        )
        return TooLarge("Invalid parameters", details=[Detail("", "answer_too_large", message)])


def _length(value: Any) -> int:
    """Bytes of a value as JSON. Writing it is the fastest way to know them."""
    try:
        return len(orjson.dumps(value, option=orjson.OPT_UTC_Z))
    except orjson.JSONEncodeError:  # what the database holds cannot be an answer, but a function may look at it
        return len(repr(value))
