"""Migrates a database from one migration to another, and stores how far it got."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from sternpost.errors import StartupError
from sternpost.migrations.history import History, Revision
from sternpost.plan.model import DatabaseObjectPlan
from sternpost.ports.migrator import Action, Connection, Migrator
from sternpost.ports.own_tables import PROGRESS_TABLE, SCHEMA_TABLE, VERSION_TABLE
from sternpost.ports.steps import Update
from sternpost.visible import visible

Direction = Literal["up", "down"]

BOOKKEEPING = frozenset({SCHEMA_TABLE, PROGRESS_TABLE, VERSION_TABLE})
"""Tables about the schema, which are no part of it."""

WAIT_SECONDS = 600.0
"""How long a process waits while another one migrates."""


class MigrationFailed(StartupError):
    """The database rejected a step. The steps before it stay applied, and the next run continues after them."""


class Destructive(StartupError):
    """Data would be lost, and --allow-destructive was not given."""


@dataclass(frozen=True)
class Unfinished:
    """How far a migration came: actions that are done, what they were, and where a batched one stands."""

    revision: str
    direction: Direction
    done: int
    digest: str
    position: str | None


@dataclass(frozen=True)
class State:
    """Where a database is.

    Attributes:
        revision: the last migration that was applied in full.
        serves: fingerprints of the contracts that work with it.
        direct: whether the schema was created without migrations.
    """

    revision: str | None
    serves: tuple[str, ...]
    unfinished: Unfinished | None
    direct: bool


def losses(revisions: Sequence[Revision], direction: Direction) -> list[str]:
    """What the migrations would destroy, in their order."""
    found: list[str] = []
    for revision in revisions:
        steps = revision.up if direction == "up" else revision.down
        found += [f"{revision.name}: {step.loses}" for step in steps if step.loses]
    return found


class Runner:
    """Applies a history to a database.

    Args:
        tell: told of each action before it starts.
        known: fingerprints that an earlier release wrote, by what is written today.
    """

    def __init__(
        self,
        migrator: Migrator,
        history: History,
        tell: Callable[[str], None] = lambda text: None,
        known: Mapping[str, str] | None = None,
    ) -> None:
        self.migrator = migrator
        self.history = history
        self.tell = tell
        self.known = known or {}

    def state(self) -> State:
        """Where the database is; changes nothing."""
        return self.migrator.run(self._state)

    def apply(
        self, *, to: str | None = None, allow_destructive: bool = False, wait_seconds: float = WAIT_SECONDS
    ) -> list[str]:
        """Applies what is pending, up to a revision; the names of what was applied.

        Raises `Destructive`, or `MigrationFailed` with the step that failed.
        """

        def work(connection: Connection) -> list[str]:
            with self.migrator.lock(connection, wait_seconds):
                state = self._adopted(connection)
                self._refuse_unfinished(state, "up")
                pending = self.history.after(state.revision)
                if to is not None:
                    names = [revision.name for revision in pending]
                    wanted = self.history.named(to).name
                    pending = pending[: names.index(wanted) + 1] if wanted in names else ()
                self._refuse_losses(pending, "up", allow_destructive)
                for revision in pending:
                    self._migrate(connection, revision, "up")
                return [revision.name for revision in pending]

        return self.migrator.run(work)

    def down(
        self, *, to: str | None = None, allow_destructive: bool = False, wait_seconds: float = WAIT_SECONDS
    ) -> list[str]:
        """Takes back the last migration, or all behind a revision (`base`: all); the names of what was taken back.

        Raises `StartupError` where a migration has no way back, with its reason, before anything is changed.
        """

        def work(connection: Connection) -> list[str]:
            with self.migrator.lock(connection, wait_seconds):
                state = self._adopted(connection)
                self._refuse_unfinished(state, "down")
                count = self.history.position(state.revision)
                goal = (
                    count - 1
                    if to is None
                    else 0
                    if to == "base"
                    else self.history.position(self.history.named(to).name)
                )
                back = tuple(reversed(self.history.revisions[max(goal, 0) : count]))
                for revision in back:
                    if revision.irreversible:
                        raise StartupError(f"{revision.name} cannot be undone: {revision.irreversible}")
                self._refuse_losses(back, "down", allow_destructive)
                for revision in back:
                    self._migrate(connection, revision, "down")
                return [revision.name for revision in back]

        return self.migrator.run(work)

    def missing(self, objects: Sequence[DatabaseObjectPlan]) -> list[DatabaseObjectPlan]:
        """Those of the author's own objects that the database should have, and has not; changes nothing."""
        wanted = [
            each
            for each in objects
            if each.only in (None, self.migrator.name) and each.kind in self.migrator.kinds_of_objects
        ]
        there = self.migrator.run(self.migrator.objects) if wanted else set[tuple[str, str]]()
        return [each for each in wanted if (each.kind, each.name) not in there]

    # -- where the database is

    def _state(self, connection: Connection) -> State:
        tables = self.migrator.tables(connection)
        serves: tuple[str, ...] = ()
        unfinished: Unfinished | None = None
        revision: str | None = None
        if SCHEMA_TABLE in tables:
            serves = tuple(row[0] for row in connection.exec_driver_sql(f"SELECT fingerprint FROM {SCHEMA_TABLE}"))
        if PROGRESS_TABLE in tables:
            row = connection.exec_driver_sql(
                f"SELECT revision, direction, done, digest, position FROM {PROGRESS_TABLE}"
            ).fetchone()
            unfinished = Unfinished(*row) if row else None
        if VERSION_TABLE in tables:
            revision = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
        direct = bool(serves) and revision is None and unfinished is None
        return State(revision, serves, unfinished, direct)

    def _adopted(self, connection: Connection) -> State:
        """The state, after the tables about it were made. A schema that was created directly takes its place in the
        history."""
        tables = self.migrator.tables(connection)
        for name, statement in self.migrator.bookkeeping.items():
            if name not in tables:
                connection.exec_driver_sql(statement)
        state = self._state(connection)
        if not state.direct:
            return state
        count = self.place(state)
        with self.transaction(connection):
            self._stamp(connection, count)
        self.tell(f"the schema was created without migrations: it matches {self.history.revisions[count - 1].name}")
        return self._state(connection)

    def place(self, state: State) -> int:
        """How many migrations lead to a schema that was created directly. Raises `StartupError` where none does."""
        serves = {self.known.get(fingerprint, fingerprint) for fingerprint in state.serves}
        for count in range(len(self.history.revisions), 0, -1):
            if self.history.revisions[count - 1].fingerprints[self.migrator.name] in serves:
                return count
        raise StartupError(
            "The database holds a schema that no migration leads to: it was created directly (serve --create-schema, "
            "dev), for another contract or an earlier state of this one. In development remove the migrations that "
            "were planned since, and run sternpost dev --yes, which plans all of it. Otherwise use a new database, or "
            "make the contract fit and plan the migration that leads to it first"
        )

    def _refuse_unfinished(self, state: State, direction: Direction) -> None:
        if state.unfinished is None:
            return
        revision = state.unfinished.revision
        self.history.named(revision)
        if state.unfinished.direction != direction:
            command = "migrate apply" if state.unfinished.direction == "up" else "migrate down"
            raise StartupError(f"{revision} was interrupted: first run {command}, which continues where it stopped")

    def _refuse_losses(self, revisions: Sequence[Revision], direction: Direction, allowed: bool) -> None:
        lost = losses(revisions, direction)
        if lost and not allowed:
            raise Destructive(
                "This would destroy data:\n"
                + "".join(f"  - {text}\n" for text in lost)
                + "Allow it with --allow-destructive"
            )

    # -- one migration

    def _migrate(self, connection: Connection, revision: Revision, direction: Direction) -> None:
        steps = revision.up if direction == "up" else revision.down
        run = _Run(self, connection, revision, direction, self.migrator.actions(steps))
        run.run()

    def finish(self, connection: Connection, revision: Revision, direction: Direction) -> None:
        """Says that a migration is done; in the transaction of its last step where that has one."""
        count = self.history.position(revision.name)
        connection.exec_driver_sql(f"DELETE FROM {PROGRESS_TABLE}")
        self._stamp(connection, count if direction == "up" else count - 1)

    def _stamp(self, connection: Connection, count: int) -> None:
        from alembic.migration import MigrationContext

        context = MigrationContext.configure(cast("Any", connection))
        context.stamp(self.history.scripts(), self.history.revisions[count - 1].name if count else "base")
        connection.exec_driver_sql(f"DELETE FROM {SCHEMA_TABLE}")
        now = datetime.now(UTC).isoformat()
        for fingerprint in self.history.serves(count, self.migrator.name):
            connection.exec_driver_sql(f"INSERT INTO {SCHEMA_TABLE} VALUES ('{fingerprint}', '{now}')")

    @contextmanager
    def transaction(self, connection: Connection) -> Generator[None]:
        self.migrator.begin(connection)
        try:
            yield
        except BaseException:
            if not connection.invalidated:  # one that was cut has rolled back itself
                connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


class _Run:
    """One migration in one direction."""

    def __init__(
        self, runner: Runner, connection: Connection, revision: Revision, direction: Direction, actions: list[Action]
    ) -> None:
        self.runner = runner
        self.migrator = runner.migrator
        self.connection = connection
        self.revision = revision
        self.direction: Direction = direction
        self.actions = actions
        self.current = Action("")
        self.finished = False

    def run(self) -> None:
        index, position = self._resume()
        while index < len(self.actions):
            action = self.actions[index]
            group = [action]
            if action.mode == "together":
                for other in self.actions[index + 1 :]:
                    if other.mode != "together":
                        break
                    group.append(other)
            try:
                self._perform(group, index, position)
            except Exception as error:
                self._explain(error, index)
                raise
            index, position = index + len(group), None
        if not self.finished:
            with self.runner.transaction(self.connection):
                self.runner.finish(self.connection, self.revision, self.direction)

    def _perform(self, group: list[Action], index: int, position: str | None) -> None:
        for offset, action in enumerate(group):
            number = f"{index + offset + 1} of {len(self.actions)}"
            self.runner.tell(f"{self.revision.name} {self.direction}, step {number}: {action.title}")
        action = self.current = group[0]
        if action.update is not None:
            self._batches(action.update, index, position)
        elif action.mode == "outside":
            action.perform(self.connection)
            with self.runner.transaction(self.connection):  # or a process that ends in between forgets what it has done
                self._after(index + 1)
        else:
            with self.runner.transaction(self.connection):
                for action in group:
                    self.current = action
                    action.perform(self.connection)
                self.migrator.check(self.connection)
                self._after(index + len(group))

    def _after(self, done: int) -> None:
        if done == len(self.actions):
            self.runner.finish(self.connection, self.revision, self.direction)
            self.finished = True
        else:
            self._save(done)

    def _batches(self, update: Update, index: int, position: str | None) -> None:
        """Goes through the rows in the order of their key; where it stands is committed with each batch."""
        table, key = self.migrator.quote(update.table), self.migrator.quote(update.key)
        values = ", ".join(
            f"{self.migrator.quote(name)} = {value.on(self.migrator.name)}" for name, value in update.values.items()
        )
        where = update.where and update.where.on(self.migrator.name)
        while True:
            behind = f"WHERE {key} > {_literal(position)}" if position is not None else ""
            last = self.connection.exec_driver_sql(
                f"SELECT CAST(k AS TEXT) FROM (SELECT {key} AS k FROM {table} {behind} ORDER BY {key} "
                f"LIMIT {update.batch_rows}) AS batch ORDER BY k DESC LIMIT 1"
            ).scalar()
            with self.runner.transaction(self.connection):
                if last is None:
                    self._after(index + 1)
                    return
                conditions = [f"{key} <= {_literal(last)}"]
                conditions += [f"{key} > {_literal(position)}"] if position is not None else []
                conditions += [f"({where})"] if where else []
                self.connection.exec_driver_sql(f"UPDATE {table} SET {values} WHERE {' AND '.join(conditions)}")
                self._save(index, position=last)
            position = last

    # -- how far it came

    def _resume(self) -> tuple[int, str | None]:
        row = self.connection.exec_driver_sql(
            f"SELECT revision, direction, done, digest, position FROM {PROGRESS_TABLE}"
        ).fetchone()
        if row is None:
            return 0, None
        found = Unfinished(*row)
        if found.revision != self.revision.name:
            raise StartupError(f"{found.revision} was interrupted and must be finished first")
        if found.digest != self._digest(found.done):
            raise StartupError(
                f"{self.revision.name} was changed in a step that is done already ({found.done} are): "
                "put it back as it was; what follows may be changed"
            )
        self.runner.tell(f"{self.revision.name} {self.direction}: continues after step {found.done}")
        return found.done, found.position

    def _save(self, done: int, position: str | None = None) -> None:
        self.connection.exec_driver_sql(f"DELETE FROM {PROGRESS_TABLE}")
        self.connection.exec_driver_sql(
            f"INSERT INTO {PROGRESS_TABLE} VALUES ({_literal(self.revision.name)}, '{self.direction}', {done}, "
            f"'{self._digest(done)}', {_literal(position) if position is not None else 'NULL'})"
        )

    def _digest(self, done: int) -> str:
        titles = "\n".join(action.title for action in self.actions[:done])
        return hashlib.sha256(titles.encode()).hexdigest()

    def _explain(self, error: Exception, index: int) -> None:
        cause = str(error) if isinstance(error, StartupError) else self.migrator.reason(error)
        if cause is None:
            return
        action = self.current
        same = "".join(f"  - {visible(line)}\n" for line in self.migrator.clashes(self.connection, action, error))
        raise MigrationFailed(
            f"{self.revision.name} stopped in “{action.title}”: {cause}\n{same}"
            f"{index} of {len(self.actions)} steps are done and kept; this one was rolled back. "
            "Correct it and run the same command again: it continues here"
        ) from error


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
