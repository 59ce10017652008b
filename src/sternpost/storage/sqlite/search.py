"""The index of words in SQLite: an FTS5 table (https://www.sqlite.org/fts5.html), and triggers that keep it.

The rows of a table with a text as its key have no number that stays: a second table numbers them. What is indexed
stands in the FTS5 table once more, so that an entry can be taken out whatever has become of its row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from sqlalchemy import BindParameter, ColumnElement, FromClause, column, select
from sqlalchemy import table as table_of

from sternpost.errors import StartupError
from sternpost.plan.model import Plan
from sternpost.ports.schema import Search

_TOKENIZER = "tokenize = \"unicode61 remove_diacritics 0 categories 'L* N* M*'\""
"""What a word is here, in SQLite's words: see `plan/words.py`."""

_OPTIONS = f"columnsize = 0, detail = column, prefix = '1 2', {_TOKENIZER}"
"""Where words stand in a text is not kept, because nothing asks for it. Beginnings of one and two letters are indexed
by themselves: ten of them would else be looked for among all words that begin so."""

MATCH = " MATCH "
"""What asks FTS5. It puts together all that begins with a word before it gives the first row, and nothing can interrupt
that."""

EVENTS = ("insert", "update", "delete")


class SqliteSearch:
    """Its part of the dialect."""

    def create(self, table: str, search: Search) -> list[str]:
        return [*_tables(table, search), *_triggers(table, search)]

    def drop(self, table: str, name: str) -> list[str]:
        ids, words = _names(name)
        triggers = [f'DROP TRIGGER IF EXISTS "{name}_{event}"' for event in EVENTS]
        return [*triggers, f'DROP TABLE IF EXISTS "{words}"', f'DROP TABLE IF EXISTS "{ids}"']

    def every(self, words: Sequence[str], numbers: Sequence[int]) -> str:
        return f"{_columns(numbers)} : ({' AND '.join(_term(word, whole=False) for word in words)})"

    def one(
        self, words: Sequence[str], place: int, numbers: Sequence[int], among: Sequence[int], *, whole: bool
    ) -> str:
        # of the rows that are found alone: a word by itself may be in many more
        return f"({self.every(words, among)}) AND ({_columns(numbers)} : {_term(words[place], whole=whole)})"

    def found(self, table: FromClause, name: str, asked: BindParameter[str]) -> ColumnElement[bool]:
        ids_name, words_name = _names(name)
        ids, words = table_of(ids_name, column("id"), column("docid")), table_of(words_name, column("rowid"))
        own: ColumnElement[str] = column(words_name, _selectable=words)
        found = select(ids.c.id).select_from(words.join(ids, ids.c.docid == words.c.rowid))
        return table.c["id"].in_(found.where(own.op(MATCH.strip(), is_comparison=True)(asked)))


def asking(plan: Plan) -> str | None:
    """What stands in statements that ask for words; None where none does. Raises `StartupError` where SQLite was built
    without what that needs."""
    if not any(resource.searched for resource in plan.resources):
        return None
    with closing(sqlite3.connect(":memory:")) as connection:
        if connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone() is None:
            raise StartupError(
                "The contract has lists that are searched, but this SQLite was built without FTS5. Use a Python build "
                "that has it, or PostgreSQL."
            )
    return MATCH


def _names(name: str) -> tuple[str, str]:
    """The table of numbers, and that of words; what FTS5 itself adds has yet other endings."""
    return f"{name}_ids", f"{name}_fts"


def _tables(table: str, search: Search) -> list[str]:
    """Both tables, with what the rows that are there already hold."""
    ids, words = _names(search.name)
    own = ", ".join(f"f{number}" for number, _ in enumerate(search.columns))
    taken = ", ".join(f't."{name}"' for name in search.columns)
    return [
        f'CREATE TABLE "{ids}" (docid INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT',
        f'CREATE VIRTUAL TABLE "{words}" USING fts5({own}, {_OPTIONS})',
        f'INSERT INTO "{ids}" (id) SELECT "id" FROM "{table}" ORDER BY "id"',
        f'INSERT INTO "{words}" (rowid, {own}) SELECT ids.docid, {taken} FROM "{ids}" AS ids\n'
        f'JOIN "{table}" AS t ON t."id" = ids.id',
    ]


def _triggers(table: str, search: Search) -> list[str]:
    ids, words = _names(search.name)
    own = [f"f{number}" for number, _ in enumerate(search.columns)]
    new = [f'NEW."{name}"' for name in search.columns]
    listed = ", ".join(f'"{name}"' for name in search.columns)
    other = " OR ".join(f'OLD."{name}" IS NOT NEW."{name}"' for name in ("id", *search.columns))
    assigned = ", ".join(f"{one} = {value}" for one, value in zip(own, new, strict=True))

    def trigger(event: str, when: str, *statements: str) -> str:
        inner = "\n".join(f"    {statement};" for statement in statements)
        return f'CREATE TRIGGER "{search.name}_{event}" AFTER {when}\nBEGIN\n{inner}\nEND'

    def number(row: str) -> str:
        return f'(SELECT docid FROM "{ids}" WHERE id = {row}."id")'

    return [
        trigger(
            "insert",
            f'INSERT ON "{table}"',
            # a REPLACE has taken a row away without a word
            f'DELETE FROM "{words}" WHERE rowid = {number("NEW")}',
            f'INSERT INTO "{ids}" (id) SELECT NEW."id" WHERE {number("NEW")} IS NULL',
            f'INSERT INTO "{words}" (rowid, {", ".join(own)}) VALUES ({number("NEW")}, {", ".join(new)})',
        ),
        trigger(
            "update",
            f'UPDATE OF "id", {listed} ON "{table}" WHEN {other}',
            f'UPDATE "{ids}" SET id = NEW."id" WHERE id = OLD."id" AND OLD."id" <> NEW."id"',
            f'UPDATE "{words}" SET {assigned} WHERE rowid = {number("NEW")}',
        ),
        trigger(
            "delete",
            f'DELETE ON "{table}"',
            f'DELETE FROM "{words}" WHERE rowid = {number("OLD")}',
            f'DELETE FROM "{ids}" WHERE id = OLD."id"',
        ),
    ]


def _columns(numbers: Sequence[int]) -> str:
    return "{" + " ".join(f"f{number}" for number in numbers) + "}"


def _term(word: str, *, whole: bool) -> str:
    """A word of letters and digits alone, which the tokenizer takes as one; quotes keep it from being an operator."""
    return f'"{word}"' if whole else f'"{word}" *'
