"""Migrations on SQLite: changes that ALTER TABLE does not support are made by rebuilding the table with its rows."""

from __future__ import annotations

import re
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import unquote

from sternpost.errors import StartupError
from sternpost.plan.model import Plan
from sternpost.ports.conversions import CONVERT
from sternpost.ports.migrator import Action, Connection
from sternpost.ports.schema import DatabaseName, Type
from sternpost.ports.steps import (
    AddAudit,
    AddColumn,
    AddIndex,
    AddOverlap,
    AddRule,
    AddSearch,
    Alembic,
    ChangeCheck,
    ChangeForm,
    ChangeType,
    CreateTable,
    DropAudit,
    DropColumn,
    DropIndex,
    DropOverlap,
    DropRule,
    DropSearch,
    DropTable,
    Execute,
    NeedExtension,
    Nullable,
    RenameColumn,
    RenameIndex,
    RenameRule,
    RenameTable,
    Step,
    Update,
)
from sternpost.storage.sql.checks import literal
from sternpost.storage.sql.migrating import (
    bookkeeping,
    clashes,
    create_index,
    create_table,
    distinct,
    operations_on,
    overlaps_in,
    reason,
    rendered,
    rule_text,
)
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sqlite.connections import prepared
from sternpost.storage.sqlite.conversions import convert
from sternpost.storage.sqlite.dialect import SqliteDialect

T = TypeVar("T")

_DIALECT = SqliteDialect()
_PAUSE_SECONDS = 0.05
_Rebuilding = DropColumn | ChangeType | Nullable | AddRule | DropRule | RenameRule | ChangeCheck


class SqliteMigrator:
    """A SQLite file to migrate."""

    name: DatabaseName = "sqlite"
    bookkeeping = bookkeeping(whole="INTEGER", options=" STRICT")
    kinds_of_objects = frozenset({"view", "trigger", "index", "rule"})

    def __init__(self, url: str, *, lock_timeout_seconds: float = 5.0) -> None:
        self.path = Path(unquote(url.removeprefix("sqlite:///")))
        self.lock_timeout_seconds = lock_timeout_seconds

    def run(self, work: Callable[[Connection], T]) -> T:
        """Runs `work` on a connection without an open transaction."""
        from sqlalchemy import NullPool, create_engine
        from sqlalchemy.exc import DBAPIError

        if not self.path.parent.is_dir():
            raise StartupError(f"The database cannot be used: there is no folder {self.path.parent}")
        engine = create_engine(
            "sqlite+pysqlite://", creator=self._connect, poolclass=NullPool, isolation_level="AUTOCOMMIT"
        )
        try:
            with engine.connect() as connection:
                return work(connection)
        except DBAPIError as error:
            raise StartupError(f"The database cannot be used: {reason(error)}") from error
        finally:
            engine.dispose()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self.lock_timeout_seconds, isolation_level=None)
        connection.create_function(CONVERT, 3, convert, deterministic=True)
        return prepared(
            connection,
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = OFF",  # while tables are rebuilt; checked before each commit
            "PRAGMA legacy_alter_table = OFF",
        )

    @contextmanager
    def lock(self, connection: Connection, wait_seconds: float) -> Generator[None]:
        """Keeps other migrations out, by a lock on a file beside the database that ends with the process."""
        deadline = time.monotonic() + wait_seconds
        with self.path.with_name(f"{self.path.name}.migrating").open("a+b") as file:
            while not _locked(file):
                if time.monotonic() > deadline:
                    raise StartupError(
                        f"Another process has been migrating this database for more than {wait_seconds:g} "
                        "seconds. Try again later."
                    )
                time.sleep(_PAUSE_SECONDS)
            yield

    def actions(self, steps: Sequence[Step]) -> list[Action]:
        """The actions of the steps. Adjacent steps that rebuild the same table do so once."""
        actions: list[Action] = []
        for table, group in groupby(steps, key=lambda step: step.table if isinstance(step, _Rebuilding) else None):
            if table is None:
                actions += [action for step in group for action in _actions(step)]
                continue
            changes = [step for step in group if isinstance(step, _Rebuilding)]
            changes = [step for step in changes if not (isinstance(step, RenameRule) and step.only == "postgresql")]
            if changes:
                actions.append(_rebuilding(table, changes))
        return actions

    def create_statements(self, plan: Plan) -> list[str]:
        return Schema(plan, _DIALECT).ddl()

    def quote(self, name: str) -> str:
        return _quote(name)

    def literal(self, type: Type, value: Any) -> str:
        match value:
            case bool():
                return str(int(value))
            case Decimal() if type.digits is not None:
                return str(int(value * 10 ** type.digits[1]))
            case int() | Decimal():
                return str(value)
            case datetime():
                return literal(value.replace(tzinfo=None).isoformat())
            case bytes():
                return f"X'{value.hex()}'"
            case _:
                return literal(str(value))

    def clashes(self, connection: Connection, action: Action, error: Exception) -> list[str]:
        return clashes(connection, action.distinct, error, _quote)

    def reason(self, error: Exception) -> str | None:
        return reason(error)

    def begin(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def check(self, connection: Connection) -> None:
        """Raises `StartupError` where a row refers to one that is not there."""
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            tables = ", ".join(sorted({f"{row[0]} (to {row[2]})" for row in broken}))
            raise StartupError(f"Rows would refer to rows that do not exist: {len(broken)} in {tables}")

    def tables(self, connection: Connection) -> set[str]:
        return {row[0] for row in connection.exec_driver_sql(_TABLES)}

    def introspect(self, connection: Connection) -> dict[str, Any]:
        """The schema as the database tells it, comparable with that of another database."""
        found: dict[str, Any] = {}
        for name, text in connection.exec_driver_sql(_TABLE_TEXTS).fetchall():
            parsed = TableText.parse(text)
            found[name] = {
                "columns": {column: _plain(text) for column, text in parsed.columns.items()},
                "rules": {rule: _plain(text) for rule, text in parsed.rules.items()},
                "options": _plain(parsed.options),
                "indexes": {},
                "triggers": {},
            }
        for name, table, text in connection.exec_driver_sql(_INDEX_TEXTS).fetchall():
            found[table]["indexes"][name] = _plain(text)
        for name, table, text in connection.exec_driver_sql(_TRIGGER_TEXTS).fetchall():
            found[table]["triggers"][name] = _plain(text)
        return found

    def objects(self, connection: Connection) -> set[tuple[str, str]]:
        found = {(row[0], row[1]) for row in connection.exec_driver_sql(_OBJECTS)}
        for _, text in connection.exec_driver_sql(_TABLE_TEXTS).fetchall():
            found |= {("rule", name) for name in TableText.parse(text).rules}
        return found


@contextmanager
def scratch() -> Generator[Callable[[], SqliteMigrator]]:
    """Makes empty databases that go away at the end."""
    with tempfile.TemporaryDirectory(prefix="sternpost-verify-") as folder:
        yield lambda: SqliteMigrator(f"sqlite:///{Path(folder) / secrets.token_hex(6)}.sqlite")


class TableText:
    """The text of CREATE TABLE, taken apart: columns and named rules keep their own words."""

    def __init__(self, columns: dict[str, str], rules: dict[str, str], options: str) -> None:
        self.columns = columns
        self.rules = rules
        self.options = options

    @classmethod
    def parse(cls, text: str) -> TableText:
        start = text.index("(")
        items, end = _split(text, start + 1)
        columns: dict[str, str] = {}
        rules: dict[str, str] = {}
        for item in items:
            words = item.split(None, 2)
            if words[0].upper() == "CONSTRAINT":
                rules[_unquoted(words[1])] = words[2]
            elif words[0].upper() in ("PRIMARY", "UNIQUE", "CHECK", "FOREIGN"):
                rules[f"unnamed {item}"] = item
            else:
                name = _unquoted(words[0])
                columns[name] = item[len(words[0]) :].strip()
        return cls(columns, rules, text[end + 1 :].strip())

    def create(self, name: str) -> str:
        items = [f"{_quote(column)} {text}" for column, text in self.columns.items()]
        items += [
            text if rule.startswith("unnamed ") else f"CONSTRAINT {_quote(rule)} {text}"
            for rule, text in self.rules.items()
        ]
        return f"CREATE TABLE {_quote(name)} (\n    " + ",\n    ".join(items) + f"\n) {self.options}"


def _split(text: str, position: int) -> tuple[list[str], int]:
    """The parts between commas up to the closing parenthesis, and where that is. Quotes and parentheses nest."""
    items: list[str] = []
    start, depth = position, 0
    quote: str | None = None
    while True:
        character = text[position]
        if quote is not None:
            quote = None if character == quote else quote
        elif character in "'\"`":
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")" and depth == 0:
            items.append(text[start:position].strip())
            return items, position
        elif character == ")":
            depth -= 1
        elif character == "," and depth == 0:
            items.append(text[start:position].strip())
            start = position + 1
        position += 1


def _quote(name: str) -> str:
    return _DIALECT.compiler.identifier_preparer.quote(name)


def _unquoted(name: str) -> str:
    return name.strip('"`[]')


def _plain(text: str) -> str:
    """Without what SQLite adds or leaves out when it rewrites a text: quotes around names, and white space."""
    return re.sub(r"\s*([(),])\s*", r"\1", " ".join(text.replace('"', "").split()))


def _actions(step: Step) -> list[Action]:
    match step:
        case Update():
            return [Action(step.title, "batches", update=step)]
        case Alembic():
            return [Action(step.title, run=lambda connection: step.run(operations_on(connection)))]
        case DropTable():
            return [Action(step.title, run=lambda connection: _drop(connection, step.table))]
        case AddOverlap():
            return [Action(step.title, run=lambda connection: _keep_apart(connection, step))]
        case _:
            statements = _statements(step)
            different = distinct(step, "sqlite", _quote)
            return [Action(step.title, statements=statements, distinct=different)] if statements else []


def _statements(step: Step) -> tuple[str, ...]:
    match step:
        case CreateTable():
            return rendered(_DIALECT.compiler, lambda op: create_table(op, step.table, "sqlite", sqlite_strict=True))
        case RenameTable():
            return rendered(_DIALECT.compiler, lambda op: op.rename_table(step.table, step.to))
        case AddColumn():
            column = f"{_quote(step.column.name)} {step.column.type.sqlite}"
            suffix = "" if step.column.nullable else " NOT NULL"
            return (f"ALTER TABLE {_quote(step.table)} ADD COLUMN {column}{suffix}",)
        case RenameColumn():
            names = f"{_quote(step.column)} TO {_quote(step.to)}"
            return (f"ALTER TABLE {_quote(step.table)} RENAME COLUMN {names}",)
        case AddIndex():
            return rendered(_DIALECT.compiler, lambda op: create_index(op, step.table, step.index, "sqlite"))
        case DropIndex():
            return (f"DROP INDEX IF EXISTS {_quote(step.name)}",)
        case RenameIndex():
            index = type(step.index)(step.to, step.index.columns, step.index.unique, step.index.where)
            made = rendered(_DIALECT.compiler, lambda op: create_index(op, step.table, index, "sqlite"))
            return (f"DROP INDEX IF EXISTS {_quote(step.index.name)}", *made)
        case AddAudit():
            return (
                *_DIALECT.audit.drop_triggers(step.table, step.audit),
                *_DIALECT.audit.triggers(step.table, step.audit),
            )
        case DropAudit():
            return tuple(_DIALECT.audit.drop_triggers(step.table, step.audit)) if step.only != "postgresql" else ()
        case DropOverlap():
            return tuple(_DIALECT.overlaps.drop(step.table, step.name))
        case AddSearch():
            return tuple(_DIALECT.search.create(step.table, step.search))
        case DropSearch():
            return tuple(_DIALECT.search.drop(step.table, step.name))
        case Execute():
            return (step.statement.sqlite,) if step.statement.sqlite else ()
        case ChangeForm() | NeedExtension():
            return ()
        case _:
            raise AssertionError(f"{type(step).__name__} is no list of statements")


def _drop(connection: Any, table: str) -> None:
    with _views_kept(connection):
        connection.exec_driver_sql(f"DROP TABLE {_quote(table)}")


def _keep_apart(connection: Any, step: AddOverlap) -> None:
    """Triggers do not look at rows that are there already."""
    index, *triggers = _DIALECT.overlaps.create(step.table, step.overlap)
    connection.exec_driver_sql(index)
    if lines := overlaps_in(connection, (step.table, step.overlap), "sqlite", _quote):
        raise StartupError("rows overlap already\n" + "\n".join(f"  - {line}" for line in lines))
    for trigger in triggers:
        connection.exec_driver_sql(trigger)


def _rebuilding(table: str, steps: list[_Rebuilding]) -> Action:
    title = "; ".join(step.title for step in steps)
    different = tuple(rule for step in steps for rule in distinct(step, "sqlite", _quote))
    return Action(title, run=lambda connection: rebuild(connection, table, steps), distinct=different)


def rebuild(connection: Any, table: str, steps: Sequence[_Rebuilding]) -> None:
    """Rebuilds a table with changes, keeps its rows, and restores its indexes and triggers.

    The order is that of https://www.sqlite.org/lang_altertable.html, section 7. Views, and triggers of other tables,
    stay as they are: the older way of renaming does not look at them, while what they name is not there.
    """
    found = connection.exec_driver_sql(_ONE_TABLE, (table,)).scalar()
    if found is None:
        raise StartupError(f"There is no table {table}")
    others = [row[0] for row in connection.exec_driver_sql(_BELONGING, (table,)).fetchall()]
    parsed = TableText.parse(str(found))
    values = {column: _quote(column) for column in parsed.columns}
    for step in steps:
        _change(parsed, values, step)
    new = f"_sternpost_new_{table}"
    columns = ", ".join(_quote(column) for column in parsed.columns)
    selected = ", ".join(values[column] for column in parsed.columns)
    with _views_kept(connection):
        connection.exec_driver_sql(parsed.create(new))
        _refuse_misfits(connection, table, steps)
        connection.exec_driver_sql(f"INSERT INTO {_quote(new)} ({columns}) SELECT {selected} FROM {_quote(table)}")
        connection.exec_driver_sql(f"DROP TABLE {_quote(table)}")
        connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")
        connection.exec_driver_sql(f"ALTER TABLE {_quote(new)} RENAME TO {_quote(table)}")
        connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")
        for text in others:
            connection.exec_driver_sql(text)


def _refuse_misfits(connection: Any, table: str, steps: Sequence[_Rebuilding]) -> None:
    """Raises `StartupError` with a value that a planned conversion does not fit, instead of SQLite's words for it."""
    for step in steps:
        if not isinstance(step, ChangeType) or CONVERT not in str(step.using.sqlite):
            continue
        found = connection.exec_driver_sql(
            f"SELECT {_quote(step.column)}, {step.using.sqlite} FROM {_quote(table)} "
            f"WHERE typeof({step.using.sqlite}) = 'blob' LIMIT 1"
        ).first()
        if found is not None:
            shown = repr(found[0]) if isinstance(found[0], str) else found[1].decode()
            raise StartupError(f"{table}.{step.column} cannot become {step.type.form}: a row has {shown}")


@contextmanager
def _views_kept(connection: Any) -> Generator[None]:
    """Raises `StartupError` where a view works no longer afterwards, as PostgreSQL does; SQLite would not notice it."""
    views = _sound_views(connection)
    yield
    if broken := views - _sound_views(connection):
        names = ", ".join(sorted(broken))
        raise StartupError(f"A view needs what would be gone: {names}. Drop it first, and create it again afterwards")


def _sound_views(connection: Any) -> set[str]:
    """The views whose tables and columns exist."""
    return {name for (name,) in connection.exec_driver_sql(_VIEWS).fetchall() if _is_sound(connection, name)}


def _is_sound(connection: Any, view: str) -> bool:
    from sqlalchemy.exc import DBAPIError

    try:
        connection.exec_driver_sql(f"SELECT * FROM {_quote(view)} LIMIT 0").close()
    except DBAPIError:
        return False
    return True


def _change(parsed: TableText, values: dict[str, str], step: _Rebuilding) -> None:
    match step:
        case DropColumn():
            del parsed.columns[step.column]
        case ChangeType():
            tail = " NOT NULL" if "NOT NULL" in parsed.columns[step.column] else ""
            parsed.columns[step.column] = f"{step.type.sqlite}{tail}"
            values[step.column] = str(step.using.sqlite)
        case Nullable():
            kept = parsed.columns[step.column].replace(" NOT NULL", "")
            parsed.columns[step.column] = kept if step.nullable else f"{kept} NOT NULL"
            if not step.nullable and step.fill is not None:
                values[step.column] = f"coalesce({values[step.column]}, {step.fill.sqlite})"
        case AddRule():
            if (text := rule_text(step.rule, "sqlite", _quote)) is not None:
                parsed.rules[step.rule.name] = text
        case DropRule():
            parsed.rules.pop(step.name, None)
        case RenameRule():
            if step.only != "postgresql":
                parsed.rules = {step.to if name == step.name else name: text for name, text in parsed.rules.items()}
        case ChangeCheck():
            parsed.rules.pop(step.name, None)
            if step.condition.sqlite is not None:
                parsed.rules[step.name] = f"CHECK ({step.condition.sqlite})"


def _locked(file: IO[bytes]) -> bool:
    """Takes the lock where it is free."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        lock: Any = msvcrt
        try:
            file.seek(0)
            lock.locking(file.fileno(), lock.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
_TABLE_TEXTS = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
_INDEX_TEXTS = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
_TRIGGER_TEXTS = "SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'"
_OBJECTS = "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger', 'index')"
_VIEWS = "SELECT name FROM sqlite_master WHERE type = 'view'"
_ONE_TABLE = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
_BELONGING = "SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL AND tbl_name = ?"
