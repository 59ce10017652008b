"""PostgreSQL's errors as those of the storage port."""

from __future__ import annotations

import re
from collections.abc import Mapping

import asyncpg

from sternpost.errors import Forbidden, LockTimeout, OutcomeUnknown, Timeout, Unavailable, WriteConflict
from sternpost.plan.model import Plan
from sternpost.storage.sql.failures import SCHEMA_MISSING, ConstraintFailed

_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection that was cut while idle may raise when it is used
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
_OF_OTHERS = (
    asyncpg.DataError,
    asyncpg.NameTooLongError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.IndeterminateCollationError,
    asyncpg.CollationMismatchError,
)
"""What a column of another program's does not take, or is not compared with."""
_OUT_OF = (asyncpg.InsufficientResourcesError, asyncpg.PostgresIOError)
"""The server has no room on its disk, no memory, or a disk that fails: it has rolled back, and may be able to later."""
_KEY = re.compile(r"\((.*?)\)=\(")
_COLUMN = re.compile(r'\w+|"[^"]+"')
ROLLED_BACK = (
    "A database error was caught in this transaction, so PostgreSQL rolls all of it back: put what may fail and "
    "can be recovered from into a block of its own, async with db.transaction()"
)


class ConnectionLost(Unavailable):
    """The server is unavailable, or has closed a connection."""


class CommitLost(OutcomeUnknown):
    """A connection was lost while the server was committing."""


class Failures:
    """What the errors of a database mean.

    Args:
        plan: of the contract that it serves; None before that is known.
        constraints: the columns of each, by its name.
    """

    def __init__(self, plan: Plan | None, constraints: Mapping[str, tuple[str, ...]]) -> None:
        self.resources = () if plan is None else plan.resources
        self.external = plan is not None and plan.external
        self.constraints = constraints

    def translated(self, error: Exception) -> Exception:
        """PostgreSQL's error as one of the storage port; what is none of PostgreSQL's stays as it is."""
        match error:
            case TimeoutError():
                return Unavailable(log={"reason": "no database connection within the time limit"})
            case asyncpg.UndefinedTableError() | asyncpg.UndefinedColumnError():
                return Unavailable(log={"reason": SCHEMA_MISSING, "database": str(error)})
            case asyncpg.IntegrityConstraintViolationError():
                return self._constraint(error)
            case _ if isinstance(error, _OF_OTHERS) and self.external:
                return ConstraintFailed("check", (), type(error).__name__)
            case asyncpg.PLPGSQLError() | asyncpg.UnknownPostgresError() | asyncpg.TriggeredActionError():
                return ConstraintFailed(
                    "check", (), f"{getattr(error, 'sqlstate', None)}: {error}"
                )  # the words of a trigger's author
            case asyncpg.WithCheckOptionViolationError():
                return ConstraintFailed("check", (), type(error).__name__)
            case asyncpg.InsufficientPrivilegeError():  # row security, too; the text names the object
                return Forbidden(log={"database": str(error)})
            case asyncpg.ProgramLimitExceededError():  # a text that is too long for an index over it
                return ConstraintFailed("check", (), type(error).__name__)
            case asyncpg.NumericValueOutOfRangeError():  # what arithmetic in the database came to
                return ConstraintFailed("check", (), type(error).__name__)
            case asyncpg.InFailedSQLTransactionError():
                return RuntimeError(ROLLED_BACK)
            case asyncpg.SerializationError() | asyncpg.DeadlockDetectedError():
                return WriteConflict(log={"database": str(error)})
            case asyncpg.LockNotAvailableError():  # one of the next ones, to the driver
                return LockTimeout(log={"database": str(error)})
            case asyncpg.ReadOnlySQLTransactionError() | asyncpg.ObjectNotInPrerequisiteStateError():
                return ConnectionLost(log={"reason": "the server is not a primary: it is in recovery, or read-only"})
            case asyncpg.QueryCanceledError():
                return Timeout(log={"database": str(error)})
            case asyncpg.InterfaceError() if "another operation" in str(error):
                return RuntimeError("A transaction runs one statement at a time: await its calls one after the other")
            case _ if isinstance(error, _AWAY):
                return ConnectionLost(log={"reason": f"the database is unavailable: {type(error).__name__}"})
            case _ if isinstance(error, _OUT_OF):
                return Unavailable(log={"reason": f"the database server has run out of something: {error}"})
            case _:
                return error

    def _constraint(self, error: asyncpg.IntegrityConstraintViolationError) -> ConstraintFailed:
        name = getattr(error, "constraint_name", None) or ""
        text = f"{type(error).__name__} {name}"  # its own text would quote values of the row
        columns = self.constraints.get(name, ()) or _columns_named(error)
        table = getattr(error, "table_name", None)
        if isinstance(error, asyncpg.ExclusionViolationError) and name in self.constraints:
            return ConstraintFailed("overlap", columns, text, table=table)
        if isinstance(error, asyncpg.UniqueViolationError | asyncpg.ExclusionViolationError):
            return ConstraintFailed("unique", columns, text, table=table)
        if isinstance(error, asyncpg.ForeignKeyViolationError | asyncpg.RestrictViolationError):
            return ConstraintFailed("foreign key", columns, text, table=table, referenced=self._is_referenced(error))
        if isinstance(error, asyncpg.NotNullViolationError):
            return ConstraintFailed("not null", (str(getattr(error, "column_name", "")),), text, table=table)
        return ConstraintFailed("check", columns, text, table=table)

    def _is_referenced(self, error: asyncpg.IntegrityConstraintViolationError) -> bool:
        """Whether others still refer to a row, and not the row to what is not there. PostgreSQL says so in words of
        the language that it is set to, but names the key in both: that of the row that is referred to, or the columns
        that refer."""
        table = getattr(error, "table_name", None)
        named = set(_columns_named(error))
        for resource in self.resources:
            if resource.table == table:
                return not any(
                    field.references and field.name != "id" and field.column_name in named for field in resource.fields
                )
        return False


def may_have_committed(error: Exception) -> bool:
    """Whether a commit may have succeeded all the same: the server has not said that it failed, and it may have got
    it."""
    match error:
        case asyncpg.ConnectionDoesNotExistError() | asyncpg.ConnectionFailureError() | asyncpg.CrashShutdownError():
            return True
        case asyncpg.InterfaceError():
            return "is closed" not in str(error)  # which the driver says before it sends anything
        case _:
            return isinstance(error, OSError | asyncpg.InternalClientError)


def _columns_named(error: asyncpg.IntegrityConstraintViolationError) -> tuple[str, ...]:
    """The columns of a key, as PostgreSQL names them in any language: `Key (artist_id)=(7) is not present…`. A key of
    expressions has none."""
    found = _KEY.search(str(getattr(error, "detail", None) or ""))
    names = found[1].split(", ") if found else []
    return tuple(name.strip('"') for name in names) if all(map(_COLUMN.fullmatch, names)) else ()
