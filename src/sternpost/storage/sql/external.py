"""What external databases have in common: values that were written by other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import InvalidOperation
from typing import Any

from sternpost.errors import Detail, StartupError, Unavailable, ValueNotRepresentable
from sternpost.plan.model import FieldPlan, Plan
from sternpost.storage.sql.dialect import Dialect
from sternpost.storage.sql.tables import Place, shown

Columns = dict[Place, dict[str, str]]
"""What a database has: the type of each column by its name."""


def checked(field: FieldPlan, convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Converts a stored value; one that is not of the field's kind becomes a 500 that names the place, and not the
    value."""

    def run(value: Any) -> Any:
        try:
            return convert(value)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, OSError, InvalidOperation) as error:
            reason = f"the column {field.column_name} contains a value that is not a valid {field.kind}"
            raise not_representable(field.public_name, {"reason": reason, "column": field.column_name}) from error

    return run


def not_representable(name: str, log: Mapping[str, Any], id: str | None = None) -> ValueNotRepresentable:
    """The error for a stored value that a field cannot have.

    Args:
        name: of the field, in the client's words.
        id: of the row.
    """
    path, row = (name, "") if id is None else (f"{id}.{name}", f" of {id}")
    message = f"The stored value of {name}{row} cannot be represented"
    return ValueNotRepresentable(details=[Detail(path, "not_representable", message)], log={**log})


def utc(value: datetime) -> datetime:
    """The instant in UTC, without its zone."""
    return value.astimezone(UTC).replace(tzinfo=None)


def named_tables(plan: Plan) -> list[tuple[str | None, str, tuple[str, ...]]]:
    """Each table that a contract names, with its schema and the columns that the contract names."""
    found = [(resource.schema, resource.table, tuple(resource.fields_by_column)) for resource in plan.resources]
    links = {
        (relation.link_schema, relation.link_table): (str(relation.link_local), str(relation.link_remote))
        for resource in plan.resources
        for relation in resource.relations
        if relation.link_table is not None
    }
    return found + [(schema, str(table), columns) for (schema, table), columns in links.items()]


def refuse_misfit(plan: Plan, dialect: Dialect, found: Columns, unfit: Mapping[Place, str]) -> None:
    """Raises `Unavailable` that names every table and column of the contract that the database does not have.

    Args:
        unfit: tables that cannot be served whatever their columns, each with the reason.
    """
    problems = [f"the table {shown(*place)} cannot be served: {reason}" for place, reason in unfit.items()]
    for schema, table, columns in named_tables(plan):
        existing = found.get((schema, table))
        if existing is None:
            problems.append(f"there is no table {shown(schema, table)}")
        else:
            missing = [column for column in columns if column not in existing]
            problems += [f"{shown(schema, table)} has no column {column}" for column in missing]
    for resource in plan.resources:
        existing = found.get((resource.schema, resource.table), {})
        for field in resource.fields:
            fits = existing.get(field.column_name)
            if fits and not dialect.fits(field, fits):
                problems.append(
                    f"{resource.table}.{field.column_name} is {fits}, which does not fit {_described(field)}"
                )
    if problems:
        raise Unavailable(log={"reason": "The database does not match the contract: " + "; ".join(problems)})


def refuse_external(plan: Plan) -> None:
    """Raises `StartupError` where the schema is not Sternpost's to make."""
    if plan.external:
        raise StartupError(
            'The contract says schema="external": Sternpost does not create or change tables of an external database. '
            "Change the schema with the tools of that database."
        )


def _described(field: FieldPlan) -> str:
    kept = f", stored as {field.storage}" if field.storage else ""
    return f"the field {field.name} ({field.kind}{kept})"
