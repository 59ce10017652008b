"""Names in the database that Sternpost makes, and those that databases keep for themselves."""

from __future__ import annotations

import hashlib

NAME_MAX = 63
"""PostgreSQL cuts longer names."""

SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
"""Columns that every table of PostgreSQL has (https://www.postgresql.org/docs/current/ddl-system-columns.html)."""

NEW_ROW = "excluded"
"""What an upsert calls the row that it would have added; a table of this name would be ambiguous there."""

OWN_PREFIXES = ("pg_", "sqlite_", "sternpost_")
"""How tables of databases, and of Sternpost, begin."""


def database_name(*words: str) -> str:
    """The words, joined by `_`; a long name ends in a digest of them."""
    name = "_".join(words)
    if len(name.encode()) <= NAME_MAX:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name.encode()[: NAME_MAX - 9].decode(errors='ignore')}_{digest}"


def key_rule(table: str) -> str:
    """The name of a table's primary key."""
    return database_name("pk", table)


def reference_rule(table: str, field: str) -> str:
    """The name of the foreign key of a field, or of a column of a table of pairs."""
    return database_name("fk", table, field)


def check_rule(table: str, field: str) -> str:
    """The name of the check of a field."""
    return database_name("ck", table, field)


def search_name(table: str) -> str:
    """The name of the index of words of a table; no table of a contract begins so."""
    return database_name("sternpost_search", table)
