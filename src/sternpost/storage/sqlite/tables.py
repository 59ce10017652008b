"""What a SQLite file tells of its tables. The file is opened for reading only."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sternpost.errors import StartupError
from sternpost.storage.sql.tables import Found, FoundColumn, FoundForeignKey, FoundTable

SAMPLES = 1000
"""Values looked at where a column's type does not tell how they are kept."""

_TELLING = re.compile(
    r"(TINY|SMALL|MEDIUM|BIG)?INT(EGER)?|TEXT|N?(VAR)?CHAR|CLOB|REAL|DOUBLE|FLOAT|BLOB", re.IGNORECASE
)
_TYPE = re.compile(r"\s*([^()]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*")


def read_tables(path: Path, only: frozenset[str] | None = None) -> Found:
    """The tables of a file. Raises `StartupError` for one that cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(
                "SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view') "
                "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name COLLATE NOCASE"
            ).fetchall()
            rows = [row for row in rows if only is None or row[1] in only]
            shadows = _shadow_tables(connection)
            left_out = [(str(name), "a view") for kind, name, _ in rows if kind == "view"]
            left_out += [(str(name), "part of a virtual table") for _, name, _ in rows if name in shadows]
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
    columns = tuple(_column(connection, name, sql, row, key) for row in information if row[6] != 1)
    indexes = connection.execute("SELECT * FROM pragma_index_list(?)", (name,)).fetchall()
    unique: list[tuple[str, ...]] = []
    indexed = [*key[:1]]
    for index in sorted(indexes, key=lambda row: str(row[1])):
        over = [row[2] for row in connection.execute("SELECT * FROM pragma_index_info(?)", (index[1],))]
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
    )


def _column(
    connection: sqlite3.Connection, table: str, sql: str, row: tuple[object, ...], key: tuple[str, ...]
) -> FoundColumn:
    name, declared = str(row[1]), str(row[2] or "")
    match = _TYPE.fullmatch(declared)
    kind, first, second = (match[1], match[2], match[3]) if match else (declared, None, None)
    # A key of the type INTEGER is the row's own number, and counted where it is not given.
    counted = key == (name,) and kind.upper() == "INTEGER" and "WITHOUT ROWID" not in sql.upper()
    samples: tuple[object, ...] = ()
    tells = _TELLING.fullmatch(kind) and not (first == "36" and "CHAR" in kind.upper())
    if not tells or (key == (name,) and "INT" not in kind.upper()):
        quoted = '"' + name.replace('"', '""') + '"'
        holder = '"' + table.replace('"', '""') + '"'
        found = connection.execute(f"SELECT {quoted} FROM {holder} WHERE {quoted} IS NOT NULL LIMIT {SAMPLES}")
        samples = tuple(value for (value,) in found)
    is_text = "CHAR" in kind.upper() or "TEXT" in kind.upper()
    return FoundColumn(
        name=name,
        type=kind.upper(),
        nullable=not row[3] and name not in key,
        length=int(first) if first and is_text else None,
        precision=int(first) if first and not is_text else None,
        scale=(int(second) if second else 0) if first and not is_text else None,
        default=None if row[4] is None else str(row[4]),
        counted=counted,
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
