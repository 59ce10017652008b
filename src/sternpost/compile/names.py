"""How names of Python become names in JSON, addresses and tables."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")
PASCAL = re.compile(r"[A-Z][A-Za-z0-9]*")
SIMILAR_MIN = 0.8
"""The share of letters that similar names have in common."""

SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def camel(snake: str) -> str:
    """`created_at` → `createdAt`; `from_`, which stands for a keyword of Python, → `from`."""
    head, *tail = snake.removesuffix("_").split("_")
    return head + "".join(part.capitalize() for part in tail)


def words(pascal: str) -> list[str]:
    """`OrderItem` → `["order", "item"]`."""
    return [word.lower() for word in _WORD.findall(pascal)]


def snake(pascal: str) -> str:
    """`OrderItem` → `order_item`."""
    return "_".join(words(pascal))


def plural(word: str) -> str:
    """The regular English plural: `user` → `users`, `category` → `categories`, `address` → `addresses`."""
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return word[:-1] + "ies"
    return word + ("es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s")


def singular(word: str) -> str:
    """The other way, for the regular ones: `tracks` → `track`."""
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    return word.removesuffix("s")


def similar(name: str, other: str) -> bool:
    """Whether one name is likely meant to be the other: a letter is missing, or the words stand in another order."""
    words_of = [sorted(singular(word) for word in each.lower().split("_")) for each in (name, other)]
    return words_of[0] == words_of[1] or SequenceMatcher(None, name.lower(), other.lower()).ratio() >= SIMILAR_MIN


def kebab(snake_name: str) -> str:
    """`media_types` → `media-types`."""
    return snake_name.replace("_", "-")


def listed(names: object) -> str:
    """Names for a message: `a, b, c`, or `none`."""
    texts = [str(name) for name in names]  # pyright: ignore
    return ", ".join(texts) if texts else "none"


def matches(pattern: re.Pattern[str], value: object) -> bool:
    """Whether a value is a text of the pattern's form, whatever an author gave."""
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def a(kind: str) -> str:
    """A kind with its article, for a message."""
    return f"{'an' if kind[0] in 'aeioAEIO' else 'a'} {kind}"
