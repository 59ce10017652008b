"""Database objects of one's own: `Contract(…, database_objects=[DatabaseObject("view", "active_users")])`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast, get_args

from sternpost.compile.features.feature import Feature
from sternpost.compile.names import a, listed
from sternpost.compile.options import Add, Shape, is_database_name, shown
from sternpost.contract.contract import Contract
from sternpost.contract.database_objects import DatabaseObject, ObjectKind
from sternpost.plan.indexes import indexes
from sternpost.plan.model import DatabaseObjectPlan, Plan, ResourcePlan
from sternpost.plan.names import OWN_PREFIXES, check_rule, key_rule, reference_rule

_OPTION = "database_objects"
_EXAMPLE = '[DatabaseObject("view", "active_users")]'
_OF_TABLES = ("trigger", "index", "rule")
_DATABASES = ("sqlite", "postgresql")


def _are_objects(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(each, DatabaseObject) for each in cast("tuple[Any, ...]", value))


class OwnObjects(Feature):
    """Views, triggers, functions, indexes and rules that Sternpost leaves alone."""

    contract_options = {  # noqa: RUF012  (a ClassVar of the base)
        _OPTION: Shape("SP066", "a list of DatabaseObject(…)", _EXAMPLE, _are_objects)
    }

    def check_contract(self, contract: Contract, add: Add) -> None:
        objects = contract.database_objects
        if not _are_objects(objects):
            return  # which the shape of the option reports
        if objects and contract.schema == "external":
            message = "database objects are declared for an external database, of which Sternpost makes nothing anyway"
            add(_OPTION, "SP066", message, f"remove {_OPTION}")
        for each in objects:
            for problem, fix in _problems(each):
                add(_OPTION, "SP066", f"DatabaseObject({shown(each.kind)}, {shown(each.name)}): {problem}", fix)
        names = [(each.kind, each.name) for each in objects]
        for kind, name in dict.fromkeys(pair for pair in names if names.count(pair) > 1):
            add(_OPTION, "SP066", f"the {kind} {shown(name)} is declared twice", "declare it once")

    def plan(self, contract: Contract, options: Mapping[str, Any]) -> Mapping[str, Any]:
        found = (DatabaseObjectPlan(o.kind, o.name, o.on, o.only) for o in options.get(_OPTION, ()))
        return {_OPTION: tuple(found)}


def _problems(declared: DatabaseObject) -> Iterable[tuple[str, str]]:
    kinds = get_args(ObjectKind)
    if declared.kind not in kinds:
        yield f"the kind {shown(declared.kind)} is unknown", f"use one of {listed(kinds)}"
    if not is_database_name(declared.name):
        yield f"{shown(declared.name)} is no name in a database", "give the name that it has in the database"
    if declared.only is not None and declared.only not in _DATABASES:
        yield f"only={shown(declared.only)} is no database", f"use one of {listed(_DATABASES)}, or leave it out"
    if declared.kind in _OF_TABLES and not is_database_name(declared.on):
        yield f"{a(declared.kind)} belongs to a table", 'name it, such as on="users"'
    elif declared.kind in kinds and declared.kind not in _OF_TABLES and declared.on is not None:
        yield f"{a(declared.kind)} belongs to no table", "leave on= out"


def check_own_objects(plan: Plan, add: Add) -> None:
    """Reports what is on a table that is not there, and what Sternpost makes itself."""
    tables = {resource.table: resource for resource in plan.resources}
    links = {str(link.link_table) for resource in plan.resources for link in resource.relations if link.link_table}
    made = {name for resource in plan.resources for name in _made(resource)}
    for each in plan.database_objects:
        if each.on is not None and each.on not in tables and each.on not in links:
            fix = f"name one of {listed(sorted({*tables, *links}))}"
            add(
                _OPTION, "SP066", f"the {each.kind} {each.name} is on {each.on}, which is no table of the contract", fix
            )
        if each.name in made or each.name.startswith(OWN_PREFIXES):
            message = f"the {each.kind} {each.name} has a name that Sternpost, or the database itself, gives"
            add(_OPTION, "SP067", message, "remove it; declare what you make yourself, under a name of its own")


def _made(resource: ResourcePlan) -> Iterable[str]:
    """The names that Sternpost gives in a table."""
    table = resource.table
    yield key_rule(table)
    yield from resource.unique_rules
    yield from (index.name for index in indexes(resource))
    yield from (check.rule(table) for check in resource.checks)
    for overlap in resource.no_overlap:
        name = overlap.rule(table)
        yield from (name, f"{name}_insert", f"{name}_update")
    for field in resource.fields:
        yield from (check_rule(table, field.name), reference_rule(table, field.name))
