"""What the migration runner asks of a database: a connection, a lock, statements for steps, and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from sternpost.plan.model import Plan
from sternpost.ports.schema import DatabaseName, NoOverlap, Type
from sternpost.ports.steps import Step, Update

T = TypeVar("T")

Mode = Literal["together", "alone", "outside", "batches"]
"""In one transaction with its neighbours; in one of its own; in none; in one for each batch."""


class Connection(Protocol):
    """A connection that is in no transaction until `BEGIN`."""

    def exec_driver_sql(self, statement: str, /) -> Any:
        """Runs one statement; its rows with `fetchall()`, `fetchone()` and `scalar()`."""
        ...

    @property
    def invalidated(self) -> bool:
        """Whether the database has cut it, and so has rolled back."""
        ...


@dataclass(frozen=True)
class Distinct:
    """Values of a table's rows that a new unique rule compares: SQL for each, and for the rows that it is about."""

    table: str
    values: tuple[str, ...]
    where: str | None = None


@dataclass(frozen=True)
class Action:
    """A part of a migration that is done or not done.

    Attributes:
        statements: its SQL, where that is known without a database.
        run: instead of the statements, where it is not.
        distinct: what has to differ from row to row from now on.
        apart: a table, and its rows' spans that must not overlap from now on.
    """

    title: str
    mode: Mode = "together"
    statements: tuple[str, ...] = ()
    run: Callable[[Any], None] | None = None
    update: Update | None = None
    distinct: tuple[Distinct, ...] = ()
    apart: tuple[str, NoOverlap] | None = None

    def perform(self, connection: Connection) -> None:
        """Does it."""
        for statement in self.statements:
            connection.exec_driver_sql(statement)
        if self.run is not None:
            self.run(connection)


class Migrator(Protocol):
    """A database to migrate."""

    @property
    def name(self) -> DatabaseName:
        """Which database it is."""
        ...

    @property
    def bookkeeping(self) -> Mapping[str, str]:
        """The statements that create the tables about the schema, by the name of the table."""
        ...

    def run(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` on a connection. Raises `StartupError` where the database cannot be used."""
        ...

    def lock(self, connection: Connection, wait_seconds: float) -> AbstractContextManager[None]:
        """Keeps other migrations out. Raises `StartupError` after `wait_seconds`."""
        ...

    def actions(self, steps: Sequence[Step]) -> list[Action]:
        """The actions of the steps."""
        ...

    def begin(self, connection: Connection) -> None:
        """Begins a transaction that writes."""
        ...

    def check(self, connection: Connection) -> None:
        """Before a commit: raises `StartupError` where rows refer to others that do not exist."""
        ...

    def tables(self, connection: Connection) -> set[str]:
        """The names of its tables."""
        ...

    def introspect(self, connection: Connection) -> dict[str, Any]:
        """The schema as the database tells it, comparable with that of another database of the same kind."""
        ...

    def objects(self, connection: Connection) -> set[tuple[str, str]]:
        """The views, triggers, functions, indexes and rules that there are: kind and name."""
        ...

    @property
    def kinds_of_objects(self) -> frozenset[str]:
        """Those of these kinds that the database knows."""
        ...

    def create_statements(self, plan: Plan) -> list[str]:
        """What creates a plan's schema directly."""
        ...

    def quote(self, name: str) -> str:
        """A name as it stands in SQL."""
        ...

    def literal(self, type: Type, value: Any) -> str:
        """A value as SQL, in the form of a column of the type: text, a number, a `Decimal`, a bool or a datetime in
        UTC."""
        ...

    def clashes(self, connection: Connection, action: Action, error: Exception) -> list[str]:
        """Where rows have the same values, or overlap, so that a new rule was refused: a line for each of the first
        ones.

        Nothing for another error.
        """
        ...

    def reason(self, error: Exception) -> str | None:
        """Why the database refused something, and what can be done about it; None for an error that is not its own."""
        ...
