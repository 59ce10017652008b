"""What a SQLite file tells of its tables. The file is opened for reading only."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sternpost.errors import StartupError
from sternpost.storage.sql.keys import KEY_BYTES
from sternpost.storage.sql.tables import (
    EVERYTHING,
    Found,
    FoundColumn,
    FoundForeignKey,
    FoundTable,
    Selection,
    key_of_many_forms,
    short_text_key,
    too_long_key,
)
from sternpost.storage.sqlite.connections import any_text

SAMPLES = 1000
"""Values looked at where a column's type does not tell how they are kept."""

_AS_WHEN_SERVED = ("PRAGMA foreign_keys = ON", "BEGIN", "PRAGMA defer_foreign_keys = ON")
"""What makes SQLite look at foreign keys as it does when several rows are written by one statement."""

_TELLING = re.compile(
    r"(TINY|SMALL|MEDIUM|BIG)?INT(EGER)?|TEXT|N?(VAR)?CHAR|CLOB|REAL|DOUBLE|FLOAT|BLOB", re.IGNORECASE
)
_TYPE = re.compile(r"\s*([^()]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*")


def read_tables(path: Path, selection: Selection = EVERYTHING) -> Found:
    """The tables of a file. Raises `StartupError` for one that cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            connection.text_factory = any_text
            for statement in _AS_WHEN_SERVED:
                connection.execute(statement)
            rows = connection.execute(
                "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view') "
                "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name COLLATE NOCASE"
            ).fetchall()
            rows = [row for row in rows if (None, row[1]) in selection]
            shadows = _shadow_tables(connection)
            left_out = [(str(name), "it is a view") for kind, name, _ in rows if kind == "view"]
            left_out += [(str(name), "it is part of a virtual table") for _, name, _ in rows if name in shadows]
            names = {str(name).lower(): str(name) for kind, name, _ in rows if kind == "table"}
            tables = tuple(
                _table(connection, str(name), str(sql), names)
                for kind, name, sql in rows
                if kind == "table" and name not in shadows
            )
            return Found("sqlite", tables, tuple(left_out))
    except sqlite3.Error as error:
        raise StartupError(f"{path} cannot be read as a SQLite database: {error}") from error


def _shadow_tables(connection: sqlite3.Connection) -> set[str]:
    """Virtual tables, and those in which they keep what is theirs."""
    return {
        row[1]
        for row in connection.execute("PRAGMA table_list")
        if row[0] == "main" and row[2] in ("virtual", "shadow")
    }


def _table(connection: sqlite3.Connection, name: str, sql: str, names: dict[str, str]) -> FoundTable:
    information = connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall()
    key = tuple(str(row[1]) for row in sorted(information, key=lambda row: row[5]) if row[5])
    indexes = connection.execute("SELECT * FROM pragma_index_list(?)", (name,)).fetchall()
    # Only a key that is the row's own number has no index. INTEGER PRIMARY KEY DESC and WITHOUT ROWID have one.
    is_rowid = len(key) == 1 and not any(index[3] == "pk" for index in indexes)
    columns = tuple(_column(connection, name, row, key, is_rowid=is_rowid) for row in information if row[6] != 1)
    unique: list[tuple[str, ...]] = []
    indexed = [*key[:1]]
    enforced: list[str] = []
    for index in sorted(indexes, key=lambda row: str(row[1])):
        over = [row[2] for row in connection.execute("SELECT * FROM pragma_index_info(?)", (index[1],))]
        if index[2] and (None in over or index[4]):
            enforced.append(_definition(connection, index[1]))
        if None in over or not over:
            continue
        if not index[4]:
            indexed.append(str(over[0]))
        if index[2] and not index[4] and index[3] != "pk":
            unique.append(tuple(map(str, over)))
    return FoundTable(
        None,
        name,
        columns,
        key,
        tuple(sorted(unique)),
        tuple(_foreign_keys(connection, name, names)),
        tuple(dict.fromkeys(indexed)),
        tuple(_checks(sql)),
        enforced=(*enforced, *_triggers(connection, name)),
        unfit=_unfit(connection, name, key, columns, is_rowid=is_rowid),
        takes_no_row=_refusal(connection, f"INSERT INTO {_quoted(name)} DEFAULT VALUES"),
        drops_no_row=_refusal(connection, f"DELETE FROM {_quoted(name)} WHERE 0"),
    )


def _definition(connection: sqlite3.Connection, index: str) -> str:
    found = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (index,)).fetchone()
    return str(found[0])


def _triggers(connection: sqlite3.Connection, table: str) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE ORDER BY name", (table,)
    )
    return [f"trigger {name}" for (name,) in found]


def _unfit(
    connection: sqlite3.Connection, table: str, key: tuple[str, ...], columns: Sequence[FoundColumn], *, is_rowid: bool
) -> str:
    """A key that is not the row's own number may be NULL, in several rows; a text may be longer than its type says."""
    if len(key) != 1 or is_rowid:
        return ""
    rows = f"SELECT 1 FROM {_quoted(table)} WHERE"
    if connection.execute(f"{rows} {_quoted(key[0])} IS NULL LIMIT 1").fetchone():
        return f"its key {key[0]} is NULL in some rows"
    if short_text_key(columns, key) is None:
        return ""
    collations = connection.execute(
        "SELECT DISTINCT x.coll FROM pragma_index_list(?) i, pragma_index_xinfo(i.name) x "
        "WHERE i.origin = 'pk' AND x.key AND x.coll <> 'BINARY'",
        (table,),
    ).fetchall()
    if collations:
        return key_of_many_forms(key[0])
    too_long = connection.execute(f"{rows} length(CAST({_quoted(key[0])} AS BLOB)) > {KEY_BYTES} LIMIT 1")
    return too_long_key(key[0]) if too_long.fetchone() else ""


def _refusal(connection: sqlite3.Connection, statement: str) -> str:
    """What SQLite has against a statement, which is not run: a foreign key to a table that does not exist, say."""
    try:
        connection.execute(f"EXPLAIN {statement}")
    except sqlite3.OperationalError as error:
        return str(error)
    return ""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _column(
    connection: sqlite3.Connection, table: str, row: tuple[object, ...], key: tuple[str, ...], *, is_rowid: bool
) -> FoundColumn:
    name, declared = str(row[1]), str(row[2] or "")
    match = _TYPE.fullmatch(declared)
    kind, first, second = (match[1], match[2], match[3]) if match else (declared, None, None)
    samples: tuple[object, ...] = ()
    tells = _TELLING.fullmatch(kind) and not (first == "36" and "CHAR" in kind.upper())
    if not tells or (key == (name,) and "INT" not in kind.upper()):
        found = connection.execute(
            f"SELECT {_quoted(name)} FROM {_quoted(table)} WHERE {_quoted(name)} IS NOT NULL LIMIT {SAMPLES}"
        )
        samples = tuple(value for (value,) in found)
    is_text = "CHAR" in kind.upper() or "TEXT" in kind.upper()
    longest = 0
    if is_text and first:  # which binds nobody
        longest = connection.execute(f"SELECT max(length({_quoted(name)})) FROM {_quoted(table)}").fetchone()[0] or 0
    return FoundColumn(
        name=name,
        type=kind.upper(),
        nullable=not row[3] and name not in key,
        length=max(int(first), longest) if first and is_text else None,
        precision=int(first) if first and not is_text else None,
        scale=(int(second) if second else 0) if first and not is_text else None,
        default=None if row[4] is None else str(row[4]),
        counted=is_rowid and key == (name,),  # the next number is taken where none is given
        generated=row[6] in (2, 3),
        samples=samples,
    )


def _foreign_keys(connection: sqlite3.Connection, name: str, names: dict[str, str]) -> Iterator[FoundForeignKey]:
    rows = connection.execute("SELECT * FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq", (name,)).fetchall()
    by_id: dict[int, list[tuple[object, ...]]] = {}
    for row in rows:
        by_id.setdefault(int(row[0]), []).append(row)
    for parts in by_id.values():
        target = names.get(str(parts[0][2]).lower(), str(parts[0][2]))
        remote = [part[4] for part in parts]
        if None in remote:  # REFERENCES without columns means the key
            found = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", (target,))
            remote = [row[0] for row in found]
        yield FoundForeignKey(
            _as_declared(connection, name, [part[3] for part in parts]),
            None,
            target,
            _as_declared(connection, target, remote),
            str(parts[0][6]).upper(),
        )


def _as_declared(connection: sqlite3.Connection, table: str, columns: list[Any]) -> tuple[str, ...]:
    """Columns as their own table spells them: to SQLite, upper and lower case are the same in a name."""
    found = connection.execute("SELECT name FROM pragma_table_xinfo(?)", (table,))
    spelled = {str(row[0]).lower(): str(row[0]) for row in found}
    return tuple([spelled.get(str(column).lower(), str(column)) for column in columns])


def _checks(sql: str) -> Iterator[str]:
    """The conditions of CHECK (…) in a CREATE TABLE."""
    for match in _WORDS.finditer(sql):
        if match[0].upper() != "CHECK":
            continue
        start = sql.find("(", match.end())
        depth = 0
        for token in _WORDS.finditer(sql, start):
            depth += {"(": 1, ")": -1}.get(token[0], 0)
            if depth == 0:
                yield sql[start + 1 : token.start()].strip()
                break


_WORDS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\[[^\]]*\]|`[^`]*`|--[^\n]*|/\*.*?\*/|\w+|[()]", re.DOTALL)
