"""Names of a contract made from names of a database, which may be in any style, and none of which is used twice."""

from __future__ import annotations

import keyword
import re
import unicodedata

from sternpost.compile.fields import LIST_PARAMETERS, RESERVED
from sternpost.compile.names import SNAKE, camel, plural, words

_SAME = {"news", "series", "species", "media", "metadata", "equipment", "information", "data", "inventory", "staff"}
_IRREGULAR = {
    "people": "person",
    "children": "child",
    "men": "man",
    "women": "woman",
    "statuses": "status",
    "aliases": "alias",
    "buses": "bus",
    "indices": "index",
    "analyses": "analysis",
    "movies": "movie",
    "cookies": "cookie",
}
IMPORTED = {
    "Any", "Browse", "Contract", "Create", "Decimal", "Delete", "Json", "Literal", "Many", "One", "Read", "Resource",
    "Sternpost", "UUID", "Update",
}  # fmt: skip
TAKEN = RESERVED | LIST_PARAMETERS | {
    "app", "browse", "contract", "create", "delete", "dt", "field", "many", "one", "read", "scope", "update",
}  # fmt: skip
"""What a field cannot be called: it means something else there, or is the name of an operation."""


def ascii_words(name: str) -> list[str]:
    """The words of a name, whatever separates them: `InvoiceLine`, `invoice_line` and `invoice line` give the same."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    found = [word for part in re.split(r"[^A-Za-z0-9]+", plain) for word in words(part)]
    while found and not found[0][0].isalpha():
        found[0] = found[0].lstrip("0123456789")
        if not found[0]:
            del found[0]
        else:
            break
    return found


def one_of(word: str) -> str:
    """The singular of a word that may be in the plural already, or not be in either."""
    if word in _SAME or word.endswith(("ss", "us", "is")) or len(word) < 4:
        return word
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "zzes", "ches", "shes")):
        return word[:-2]
    return word.removesuffix("s")


def many_of(word: str) -> str:
    """The plural of a singular."""
    back = {singular: several for several, singular in _IRREGULAR.items()}
    return word if word in _SAME else back.get(word) or plural(word)


def snake(parts: list[str]) -> str:
    """`["invoice", "line"]` → `invoice_line`. A word that begins with a digit belongs to the one before it."""
    text = "_".join(parts)
    return re.sub(r"_(?=[0-9])", "", text)


def unique(name: str, taken: set[str], more: str) -> str:
    """The name, with `more` behind it where it is taken, and a number where that is, too; from now on it is taken."""
    found, number = name, 1
    while found in taken or camel(found) in taken:
        found = f"{name}_{more}" if number == 1 else f"{name}_{more}{number}"
        number += 1
    taken |= {found, camel(found)}
    return found


def field_name(column: str, taken: set[str]) -> str:
    """A field's name for a column."""
    name = snake(ascii_words(column)) or "column"
    if name in TAKEN or keyword.iskeyword(name) or name.startswith("_"):
        name = f"{name}_value"
    return unique(name, taken, "value")


def is_mostly_lost(name: str) -> bool:
    """Whether most letters of a name are of an alphabet that names of a contract do not have."""
    kept = sum(map(len, ascii_words(name)))
    return sum(map(str.isalpha, name)) > 2 * kept


def relation_name(parts: list[str], taken: set[str], target: list[str]) -> str:
    """A relation's name, for words in that of its column, or else for those of the other table."""
    name = snake(parts)
    if not SNAKE.fullmatch(name) or name in TAKEN:
        name = snake([*target, "ref"])
    elif keyword.iskeyword(name):
        name = f"{name}_ref"
    found, number = name, 2
    while {found, f"{found}_id", camel(found), camel(f"{found}_id")} & taken:
        found, number = (f"{name}_ref" if number == 2 else f"{name}_ref{number}"), number + 1
    taken |= {found, f"{found}_id", camel(found), camel(f"{found}_id")}
    return found


def list_name(name: str, taken: set[str], more: str = "list") -> str:
    """A list's name, with `more` behind it where that is taken."""
    return unique(f"{name}_list" if name in TAKEN or keyword.iskeyword(name) else name, taken, more)


def singular_words(table: str) -> list[str]:
    """The words of a table's name in the singular, which are those of its resource."""
    parts = ascii_words(table) or ["table"]
    parts[-1] = one_of(parts[-1])
    name = class_name(parts)
    return [*parts, "record"] if name in IMPORTED or keyword.iskeyword(name) else parts


def class_name(parts: list[str]) -> str:
    """A class's name made of words."""
    return "".join(part[0].upper() + part[1:] for part in parts)


def prefix(parts: list[str], taken: set[str]) -> str:
    """The start of ids: three letters, or the first of each word; longer where that is taken."""
    letters = re.sub("[^a-z]", "", "".join(parts)) or "tab"
    firsts = "".join(part[0] for part in parts if part[0].isalpha())
    candidates = [firsts] if len(firsts) in range(3, 9) else [letters[:2] + firsts[1]] if len(firsts) == 2 else []
    candidates += [letters[:length].ljust(3, "x") for length in range(3, 9)]
    candidates += [letters[:6] + first + second for first in _LETTERS for second in _LETTERS]
    found = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(found)
    return found


_LETTERS = "abcdefghijklmnopqrstuvwxyz"
