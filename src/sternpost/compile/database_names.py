"""Names of tables, columns and indexes that a database would refuse, cut, or take for another one."""

from __future__ import annotations

from collections.abc import Mapping

from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.names import SNAKE, matches
from sternpost.compile.options import is_database_name
from sternpost.plan.indexes import indexes
from sternpost.plan.model import ResourcePlan
from sternpost.plan.names import NAME_MAX, NEW_ROW, OWN_PREFIXES, SYSTEM_COLUMNS, key_rule

TOO_LONG = f"is longer than {NAME_MAX} characters, where PostgreSQL cuts names"
_MALFORMED = ("is malformed", 'use lower case and underscores, such as table="order_items"')


def table_problem(name: object, *, external: bool) -> tuple[str, str] | None:
    """What is wrong with the name of a table, and a fix; a table of one's own is named as everything is."""
    if external:
        return None if is_database_name(name) else _MALFORMED
    if not matches(SNAKE, name):
        return _MALFORMED
    if name == NEW_ROW:
        return "is what databases call the row that an upsert would add", 'choose another table="…"'
    if len(str(name)) > NAME_MAX:
        return TOO_LONG, 'choose a shorter table="…"'
    reserved = next((prefix for prefix in OWN_PREFIXES if str(name).startswith(prefix)), None)
    if reserved is not None:
        return (
            f"begins with {reserved}, as tables of the database itself or of Sternpost do",
            'choose another table="…"',
        )
    return None


def column_problem(name: str) -> tuple[str, str] | None:
    """The same for a column of one's own table."""
    if not SNAKE.fullmatch(name):
        return "is malformed", "use lower case and underscores"
    if len(name) > NAME_MAX:
        return TOO_LONG, "rename the field, or give it a shorter column=…"
    if name in SYSTEM_COLUMNS:
        return "is a column that PostgreSQL has in every table", f'rename the field, or write column="{name}_value"'
    return None


def check_shared_names(
    resources: tuple[ResourcePlan, ...], drafts: Mapping[str, ResourceDraft], report: Report
) -> None:
    """Tables and indexes have their names in common: `users_group` and `users` may make one name of their parts."""
    tables = {resource.table: f"the table of {resource.name}" for resource in resources}
    tables |= {
        str(relation.link_table): f"the table of pairs of {resource.name}.{relation.name}"
        for resource in resources
        for relation in resource.relations
        if relation.link_table is not None
    }
    taken = {table: (table, what) for table, what in tables.items()}
    for resource in resources:
        names = [key_rule(resource.table), *resource.unique_rules, *(index.name for index in indexes(resource))]
        for name in names:
            table, what = taken.setdefault(name, (resource.table, f"an index of {resource.name}"))
            if table != resource.table or name == table:
                report.add(
                    drafts[resource.name].where_keyword("table"),
                    "SP006",
                    f"{resource.name}: the name of its index {name!r} is already used by {what}",
                    'choose another table="…"',
                )
