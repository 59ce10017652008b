"""Which tables become resources, which are links between two of them, and what a resource is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2s

from sternpost.compile import names
from sternpost.compile.names import plural
from sternpost.compile.options import is_database_name
from sternpost.infer.model import InferredTable
from sternpost.infer.names import ascii_words, class_name, is_mostly_lost, many_of, prefix, singular_words, snake
from sternpost.infer.secret_names import names_a_secret
from sternpost.infer.types import STRING_TYPE, is_uuid
from sternpost.storage.sql.tables import FoundColumn, FoundTable

TEXT_KEY_MAX = 8
"""Characters of a text that can be hidden in an id."""

_KEYS: dict[str, str] = {
    "smallint": "integer",
    "integer": "integer",
    "bigint": "integer",
    "uuid": "uuid",
}
BAD_NAME = "has characters that cannot be shown, or too many"


def why_not(table: FoundTable, *, sqlite: bool) -> str | None:
    """Why a table is no resource; None for one that is."""
    if table.unfit:
        return table.unfit
    if not is_database_name(table.name):
        return f"its name {BAD_NAME}"
    if not table.key:
        return "it has no primary key"
    if len(table.key) > 1:
        return f"its key is made of several columns: {', '.join(table.key)}"
    return _why_no_key(table.key_column, key_storage(table, sqlite=sqlite), sqlite=sqlite)


def _why_no_key(column: FoundColumn, storage: str, *, sqlite: bool) -> str | None:
    if column.unreadable:
        return f"its key {column.name} cannot be read: {column.unreadable}"
    if not is_database_name(column.name):
        return f"the name of its key {BAD_NAME}"
    if storage == "uuid" and names_a_secret(column.name):
        return f"its key {column.name} holds a secret by its name, and a UUID is shown in ids"
    if storage:
        return None
    if is_text(column, sqlite=sqlite):
        return f"its key {column.name} is a text of more than {TEXT_KEY_MAX} characters, too long for an id"
    if column.type:
        return f"its key {column.name} has the type {column.type}"
    return "the type of its key is not declared"


def key_storage(table: FoundTable, *, sqlite: bool) -> str:
    """How a resource keeps its key; empty where a contract knows no way."""
    column = table.key_column
    if not sqlite:
        if column.type in _KEYS:
            return _KEYS[column.type]
    elif "INT" in column.type:
        return "integer"
    elif column.samples and all(is_uuid(value) for value in column.samples):
        return "uuid"
    return "text" if is_text(column, sqlite=sqlite) and 0 < (column.length or 0) <= TEXT_KEY_MAX else ""


def is_text(column: FoundColumn, *, sqlite: bool) -> bool:
    """Whether a key of the column's type is a text."""
    if sqlite:
        return bool(STRING_TYPE.search(column.type))
    return column.type in ("text", "character varying", "character")


def is_number(column: FoundColumn, *, sqlite: bool) -> bool:
    """Whether the column may hold the whole numbers that are keys."""
    return "INT" in column.type if sqlite else _KEYS.get(column.type) == "integer"


def can_hold(column: FoundColumn, storage: str, *, sqlite: bool) -> bool:
    """Whether a column has the type of a key that it refers to."""
    if not sqlite:
        return is_text(column, sqlite=False) if storage == "text" else _KEYS.get(column.type) == storage
    return ("INT" in column.type) == (storage == "integer")


def is_link(table: FoundTable) -> bool:
    """A table of pairs and nothing else: each pair of rows once, as its key or a unique rule says."""
    pair = {column.name for column in table.columns}
    single = [key.columns[0] for key in table.foreign_keys if len(key.columns) == 1]
    usable = all(is_database_name(column.name) and not column.unreadable for column in table.columns)
    if table.unfit or not usable or len(pair) != 2 or len(single) != 2 or set(single) != pair:
        return False
    once = set(table.key) == pair or any(set(group) == pair for group in table.unique)
    return once and (bool(table.key) or not any(column.nullable for column in table.columns))


def named(tables: Sequence[FoundTable], *, sqlite: bool) -> list[InferredTable]:
    """The resources of some tables, in their order.

    No name depends on how many tables there are. Of those that would have the same, one that is called like that itself
    keeps it, and one of the schema that is searched first; the others tell theirs apart by their own schema and name.
    """
    chosen: dict[int, tuple[str, list[str], str | None]] = {}
    classes: set[str] = set()
    paths: set[str] = set()
    for place in sorted(range(len(tables)), key=lambda place: _precedence(tables[place])):
        for name, words, own in _candidates(tables[place]):
            path = own or _many(words)
            if name not in classes and path not in paths:
                chosen[place] = name, words, own
                classes.add(name)
                paths.add(path)
                break
    prefixes: set[str] = {"req"}
    found: list[InferredTable] = []
    for place, table in enumerate(tables):
        name, words, own = chosen[place]
        storage = key_storage(table, sqlite=sqlite)
        found.append(InferredTable(table, name, words, prefix(words, prefixes), storage, own))
    return found


def _precedence(table: FoundTable) -> tuple[bool, bool]:
    return table.schema is not None, snake(ascii_words(table.name)) != _many(singular_words(table.name))


def _candidates(table: FoundTable) -> Iterator[tuple[str, list[str], str | None]]:
    """Names of the class, their words, and the plural where that is not the usual one; the last is never taken."""
    words = singular_words(table.name)
    if not is_mostly_lost(table.name):
        yield _usual(words)
        schema = ascii_words(table.schema or "")
        if schema:
            yield _usual([*schema, *words])
    for length in range(2, 32):
        digest = blake2s(repr((table.schema, table.name)).encode(), digest_size=length).hexdigest()
        yield f"{class_name(words)}{digest.capitalize()}", words, f"{_many(words)}_{digest}"


def _many(words: list[str]) -> str:
    return snake([*words[:-1], many_of(words[-1])])


def _usual(words: list[str]) -> tuple[str, list[str], str | None]:
    """Names from words; the plural is among them where the compiler would make another one of the class's name."""
    name, own = class_name(words), _many(words)
    return name, words, None if own == plural(names.snake(name)) else own
