"""The author's own SQL: names of parameters (`:total`) become the driver's placeholders; values never become text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PARTS = re.compile(
    r"""
      (?P<keep>
          '(?:[^']|'')*'                      # a string; PostgreSQL's E'…' is read by the next line
        | "(?:[^"]|"")*"                      # a quoted name
        | --[^\n]*
        | \$(?P<tag>[A-Za-z_]\w*)?\$.*?\$(?(tag)(?P=tag))\$     # PostgreSQL's dollar quotes
        | ::                                  # a cast
        | :=
        | \\:                                 # a colon that is meant as one
      )
    | (?P<escape>\b[eE]'(?:[^'\\]|\\.|'')*')
    | (?P<comment>/\*)
    | :(?P<name>[A-Za-z_]\w*)
    | (?P<foreign>\$\d+ | %s(?!\w) | %\(\w+\)s | \{\w*\})
    """,
    re.VERBOSE | re.DOTALL,
)


_CONTROL = re.compile(
    r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|;)*"
    r"(begin|start\s+transaction|commit|end|rollback|abort|savepoint|release|prepare\s+transaction)\b",
    re.IGNORECASE | re.DOTALL,
)


def bound(text: str, values: Mapping[str, Any], *, numbered: bool) -> tuple[str, tuple[str, ...]]:
    """The text with placeholders (`$1` where `numbered`, else `?`), and the names in the order in which they are bound.

    Raises:
        TypeError: a parameter has no value, a value no parameter, or the text has placeholders of another kind; or it
            begins or ends a transaction, in which the operation's own would be lost.
    """
    if control := _CONTROL.match(text):
        raise TypeError(
            f"{control[1].upper()} cannot be sent as a statement: `async with db.transaction():` begins a transaction, "
            "and an exception in its block undoes it"
        )
    names: list[str] = []
    parts: list[str] = []
    at = 0
    while (found := _PARTS.search(text, at)) is not None:
        parts.append(text[at : found.start()])
        at = found.end()
        if found["name"]:
            parts.append(_placeholder(found["name"], names, numbered))
        elif found["foreign"]:
            raise TypeError(
                f"{found['foreign']!r} is not a supported parameter. Use a named parameter and give its value: "
                'await db.sql("select … where total > :total", total=10)'
            )
        elif found["comment"]:
            at = _end_of_comment(text, at, nested=numbered)
            parts.append(text[found.start() : at])
        else:
            parts.append(":" if found[0] == "\\:" else found[0])
    parts.append(text[at:])
    missing = [name for name in dict.fromkeys(names) if name not in values]
    if missing:
        raise TypeError(f"The statement names :{missing[0]}, but no value was given. Add {missing[0]}=…")
    unused = [name for name in values if name not in names]
    if unused:
        raise TypeError(f"A value for {unused[0]!r} was given, but the statement does not name :{unused[0]}")
    return "".join(parts), tuple(names)


def _placeholder(name: str, names: list[str], numbered: bool) -> str:
    if not numbered:
        names.append(name)
        return "?"
    if name not in names:
        names.append(name)
    return f"${names.index(name) + 1}"


def _end_of_comment(text: str, at: int, *, nested: bool) -> int:
    """Where a comment ends; PostgreSQL's may hold others."""
    depth = 1
    for found in re.compile(r"/\*|\*/").finditer(text, at):
        depth += -1 if found[0] == "*/" else 1 if nested else 0
        if depth == 0:
            return found.end()
    return len(text)
