"""SQLite's errors as those of the storage port."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from sternpost.errors import Internal, OutcomeUnknown, Timeout, Unavailable
from sternpost.storage.sql.failures import SCHEMA_MISSING, ConstraintFailed

T = TypeVar("T")

OVERLAP = "no_overlap "
"""How the words begin of a trigger that refuses a span; the name of the rule follows."""

_AWAY = (
    "unable to open database file",
    "disk I/O error",
    "database or disk is full",
    "readonly database",
    "file is not a database",
)


class FileLocked(Unavailable):
    """Another connection holds the file just now."""


def guarded(run: Callable[[], T]) -> T:
    """Runs something on a connection; SQLite's errors are raised as those of the storage port."""
    try:
        return run()
    except sqlite3.Error as error:
        raise translated(error) from error


def translated(error: sqlite3.Error) -> Exception:
    """SQLite's error as one of the storage port; an unknown one becomes a 500 with its cause in the log."""
    text = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        return _constraint(text)
    if text == "integer overflow":  # what arithmetic came to
        return ConstraintFailed("check", (), text)
    if text == "interrupted":
        return Timeout(log={"reason": "the transaction's time limit ran out during a statement"})
    if "locked" in text or "busy" in text:
        return FileLocked(log={"reason": text})
    if "no such table" in text or "no such column" in text:
        return Unavailable(log={"reason": SCHEMA_MISSING, "database": text})
    if any(sign in text for sign in _AWAY):
        return Unavailable(log={"reason": text})
    return Internal(log={"database": type(error).__name__})


def not_committed(error: sqlite3.Error) -> Exception:
    """The error of a commit. What could not be flushed may be in the WAL all the same: this process takes it back, and
    the next one that opens the file finds it there, and takes it for committed."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
        return OutcomeUnknown(log={"reason": f"SQLite could not write a commit: {error}"})
    return translated(error)


def _constraint(text: str) -> ConstraintFailed:
    if text.startswith(OVERLAP):
        return ConstraintFailed("overlap", (text.removeprefix(OVERLAP),), text)
    what, _, names = text.partition(" constraint failed: ")
    listed = [names.removeprefix("index '").removesuffix("'")] if names.startswith("index '") else names.split(",")
    columns = tuple(name.strip().rpartition(".")[2] for name in listed if name.strip())
    if text.startswith("UNIQUE"):
        return ConstraintFailed("unique", columns, text)
    if text.startswith("FOREIGN KEY"):
        return ConstraintFailed("foreign key", (), text)
    if what == "NOT NULL":
        return ConstraintFailed("not null", columns, text)
    return ConstraintFailed("check", (names,), text)
