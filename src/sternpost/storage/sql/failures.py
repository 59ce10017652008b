"""Errors of constraints, in one form for all drivers, and what the client is told about them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sternpost.errors import (
    ConstraintViolated,
    Detail,
    Duplicate,
    Invalid,
    Overlapping,
    ReferenceNotFound,
    SternpostError,
    StillReferenced,
)
from sternpost.plan.model import Plan, ResourcePlan
from sternpost.plan.names import check_rule
from sternpost.plan.row_errors import check_error, overlap_error

BEHIND = "The database{place} has the schema for {found}; the contract needs {needed}. See: sternpost migrate status"

SCHEMA_MISSING = "The schema of the database is missing or does not match the contract. Run: sternpost migrate apply"

ENDED = "The transaction has ended: nothing more can be done in it"

OTHER_SCHEMA = (
    "{where} has the schema of another contract, or of an earlier version of this one. "
    "Create a migration (sternpost migrate plan), or use a new database."
)


class ConstraintFailed(ConstraintViolated):
    """A constraint refused a statement, or the end of a transaction. Whoever knows what it was about raises a clearer
    error in its place.

    Attributes:
        kind: which sort of constraint; a trigger that refuses a row counts as a check.
        columns: the columns it is about, as far as the database says; for a rule over rows its own name.
        text: the database's own words, for the log alone.
        table: the table it belongs to, as far as the database says.
        referenced: whether a row would be missed that others refer to; None where the database does not say.
    """

    def __init__(
        self,
        kind: Literal["unique", "foreign key", "check", "not null", "overlap"],
        columns: tuple[str, ...],
        text: str = "",
        *,
        table: str | None = None,
        referenced: bool | None = None,
    ) -> None:
        super().__init__(log={"database": text})
        self.kind = kind
        self.columns = columns
        self.text = text
        self.table = table
        self.referenced = referenced


class OnlyReads(RuntimeError):
    """A statement wanted to write where only reading is allowed; the database refused it."""

    def __init__(self) -> None:
        super().__init__(
            "This statement writes, but only reads are allowed here: in a script use db.execute(…) or a transaction, "
            'in an operation declare method="POST"'
        )


def unnamed_error(failure: ConstraintFailed, plan: Plan) -> SternpostError:
    """The error of a statement of which only the author knows what it is about; a rule over rows tells it by its
    name."""
    log = {"database": failure.text}
    for resource in plan.resources:
        if (error := _rule_error(failure, resource, log)) is not None:
            return error
    if failure.kind == "overlap":
        return Overlapping(log=log)
    if failure.kind == "unique":
        return Duplicate(log=log)
    if failure.kind == "foreign key":
        return ReferenceNotFound(log=log)
    return ConstraintViolated(log=log)


def error_at_end(failure: ConstraintFailed, plan: Plan) -> SternpostError:
    """The error of a transaction whose end a deferred constraint has refused: nobody knows which change it was."""
    resource = next((each for each in plan.resources if each.table == failure.table), None)
    if resource is None:
        return unnamed_error(failure, plan)
    return client_error(failure, resource, deleting=bool(failure.referenced))


def refused_comparison(failure: ConstraintFailed) -> SternpostError:
    """The error of a statement that reads: a value of the request is one that the database cannot compare with."""
    message = "The database cannot compare a stored value with a value of this request: send another one"
    detail = Detail("", "not_comparable", message)
    return Invalid("Invalid parameters", details=[detail], log={"database": failure.text})


def client_error(failure: ConstraintFailed, resource: ResourcePlan, *, deleting: bool = False) -> SternpostError:
    """The error for the client: which field, in the client's words, and never the database's."""
    log = {"database": failure.text}
    if (broken := _rule_error(failure, resource, log)) is not None:
        return broken
    # SQLite names a check and an index of expressions by their own names
    rules = resource.unique_rules
    named = [column for name in failure.columns for column in (rules[name].fields if name in rules else (name,))]
    checks = {check_rule(resource.table, field.name): field.name for field in resource.fields}
    columns = [checks.get(column, column) for column in named]
    fields = [resource.fields_by_name.get(column) or resource.fields_by_column.get(column) for column in columns]
    own = [field for field in fields if field is not None and field.generated != "tenant"]  # others may have the same
    names = [field.public_name for field in own or fields if field is not None]
    if deleting and failure.kind == "foreign key":
        return StillReferenced(log=log)
    if failure.kind == "unique":
        message = f"This {' and '.join(names)} is already taken" if names else "The value is already taken"
        return Duplicate(details=[Detail(name, "duplicate", message) for name in names], log=log)
    if failure.kind == "foreign key":
        return ReferenceNotFound.at(names, log)
    code = "required" if failure.kind == "not null" else "constraint_violated"
    return ConstraintViolated(
        details=[Detail(name, code, "The value violates a rule of the data") for name in names], log=log
    )


def _rule_error(failure: ConstraintFailed, resource: ResourcePlan, log: dict[str, str]) -> SternpostError | None:
    """The error of a rule over the rows of a resource; None where it is about something else."""
    if failure.kind == "check":
        checks = [check for check in resource.checks if check.rule(resource.table) in failure.columns]
        return check_error(resource, checks, log) if checks else None
    if failure.kind == "overlap":
        rules = (each for each in resource.no_overlap if each.rule(resource.table) in failure.columns)
        return next((overlap_error(resource, each, log) for each in rules), None)
    return None


def behind(found: Sequence[str], needed: str, revision: str | None) -> str:
    """Why a database with these fingerprints, after that migration, does not do for a contract with another one."""
    names = ", ".join(fingerprint[:16] for fingerprint in found) or "nothing"
    place = f" is at the migration {revision} and" if revision is not None else ""
    return BEHIND.format(place=place, found=names, needed=needed[:16])
