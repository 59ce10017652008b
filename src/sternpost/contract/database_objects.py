"""What is in the database beside the tables of a contract: made by its author, and left alone by Sternpost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ObjectKind = Literal["view", "trigger", "function", "index", "rule"]


@dataclass(frozen=True, slots=True)
class DatabaseObject:
    """An object that a migration of yours makes, in a step `Execute`: `migrate verify` does not take it for a mistake,
    and `migrate status` says so where it is missing.

    Args:
        kind: what it is; a rule is a constraint of a table, or a rule of PostgreSQL.
        name: its name in the database.
        on: the table of a trigger, an index or a rule.
        only: the database that has it, where that is one alone.
    """

    kind: ObjectKind
    name: str
    on: str | None = None
    only: Literal["sqlite", "postgresql"] | None = None
