"""What a search finds, and how well, by itself: what both databases are compared with."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

SPECIAL = {"ς": "σ", "\u017f": "s", "µ": "μ"}
"""Characters that are folded to others than their small form."""


def words(text: str | None) -> set[str]:
    """Runs of letters, numbers and marks, each character in lower case by itself."""
    lowered = "".join(SPECIAL.get(c, c.lower() if len(c.lower()) == 1 else c) for c in text or "")
    return set("".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in lowered).split())


def distance(asked: Collection[str], texts: Sequence[str | None]) -> int | None:
    """The sum over the words of 0 to 3, the lower the better; None where one is not found."""
    first, rest = words(texts[0]), set[str]().union(*map(words, texts[1:]))
    total = 0
    for word in asked:
        tests = (
            word in first,
            any(each.startswith(word) for each in first),
            word in rest,
            any(each.startswith(word) for each in rest),
        )
        if True not in tests:
            return None
        total += tests.index(True)
    return total
