"""Which indexes a resource's table has: those that its lists need, and those that its author declared.

Every list ends its order with the id, so every index does: a filtered list in the order of creation, a sorted one, and
the part of either behind a cursor are then each one range of an index.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, OperationPlan, ResourcePlan
from sternpost.plan.names import database_name, key_rule
from sternpost.plan.policy import AllOf, AnyOf, Not, Owner, PolicyNode
from sternpost.plan.query import EQUALITY

RANGE_OPERATORS = frozenset({"eq", "in", "gt", "gte", "lt", "lte", "startsWith", "isNull"})
"""Filters that an index serves. `ne` and `contains` look at every row."""


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """One index.

    Attributes:
        columns: field names, each with whether it descends; the id comes last. `lower(name)` holds the field's text
            without the case of ASCII letters, `rank(name)` the place of its value in the order of an enum.
        serves: what it is for, in words.
    """

    name: str
    columns: tuple[tuple[str, bool], ...]
    serves: tuple[str, ...]


def lowered_field(column: str) -> str | None:
    """The field of a column of an index that holds its text without the case of letters; None for another column."""
    return column.removeprefix("lower(").removesuffix(")") if column.startswith("lower(") else None


def ranked_field(column: str) -> str | None:
    """The field of a column of an index that holds the places of its values in their order; None for another column."""
    return column.removeprefix("rank(").removesuffix(")") if column.startswith("rank(") else None


def _sorted_column(field: FieldPlan) -> str:
    """The column of an index that a list is sorted by."""
    return f"rank({field.name})" if field.ranks else field.name


def _equality_column(field: FieldPlan) -> str:
    """The column of an index that finds rows with an equal value."""
    return f"lower({field.name})" if field.ignore_case else field.name


def indexes(resource: ResourcePlan) -> tuple[IndexPlan, ...]:
    """The indexes beside those of the key and of unique values; none whose columns another one starts with."""
    wanted: dict[tuple[tuple[str, bool], ...], list[str]] = {}
    for declared in resource.indexes:
        columns = tuple((name.removeprefix("-"), name.startswith("-")) for name in declared)
        wanted.setdefault(_ended(_in_tenant(resource, columns)), []).append("declared")
    for name, reason in _needed(resource):
        folded, ranked = lowered_field(name), ranked_field(name)
        field = resource.fields_by_name[folded or ranked or name]
        if name == "id" or (field.unique and not field.nullable and field.ignore_case == bool(folded) and not ranked):
            continue  # unique values already have an index, and need no id to order rows with equal values
        columns = ((name, False),)
        if field.references is None:  # the database follows references without knowing of tenants
            columns = _in_tenant(resource, columns)
        wanted.setdefault(_ended(columns), []).append(reason)
    found: list[IndexPlan] = []
    for columns, serves in wanted.items():
        longer = next((other for other in wanted if other != columns and _starts(other, columns)), None)
        if longer is not None:
            wanted[longer].extend(serves)
            continue
        found.append(IndexPlan(index_name(resource.table, columns), columns, tuple(dict.fromkeys(serves))))
    return tuple(IndexPlan(i.name, i.columns, tuple(dict.fromkeys(wanted[i.columns]))) for i in found)


def index_name(table: str, columns: tuple[tuple[str, bool], ...]) -> str:
    """`ix_<table>_<columns>`, without the id at the end; a long one ends in a digest."""
    return database_name("ix", table, *(_word(column) for column, _ in columns[:-1]))


def _word(column: str) -> str:
    if (folded := lowered_field(column)) is not None:
        return f"{folded}_nocase"
    ranked = ranked_field(column)
    return column if ranked is None else f"{ranked}_rank"


@dataclass(frozen=True, slots=True)
class Served:
    """What lists allow with one field, and what serves it.

    Attributes:
        by_index: filters and sorts that the index serves.
        by_scan: those for which every row that fits the rest has to be looked at.
        index: the index's name, or None; names, where different uses have different ones.
    """

    field: str
    by_index: tuple[str, ...]
    by_scan: tuple[str, ...]
    index: str | None


def served(resource: ResourcePlan) -> tuple[Served, ...]:
    """Each field that the resource's list filters or sorts by, with the index that serves it."""
    browse = _browse(resource)
    if browse is None:
        return ()
    leading = {_first(resource, index): index.name for index in reversed(indexes(resource))}
    for field in resource.fields:
        if field.unique:
            rules = resource.unique_rules.values()
            leading[_equality_column(field)] = next(rule.name for rule in rules if rule.declared == (field.name,))
    leading["id"] = key_rule(resource.table)
    sorts = _sorts(browse)
    found: list[Served] = []
    for field in resource.fields:
        uses = [*field.filters, *(("sort",) if field.name in sorts else ())]
        serving = {use: index for use in uses if (index := _serving(field, use, leading))}
        if uses:
            by_scan = tuple(use for use in uses if use not in serving)
            names = ", ".join(dict.fromkeys(serving.values()))
            found.append(Served(field.public_name, tuple(serving), by_scan, names or None))
    return tuple(found)


def _serving(field: FieldPlan, use: str, leading: Mapping[str, str]) -> str | None:
    """The name of the index that serves a filter or a sort, by the column that an index begins with."""
    if not KINDS[field.kind].ordered or not (use == "sort" or use in RANGE_OPERATORS):
        return None
    if use == "sort":
        return leading.get(_sorted_column(field))
    return leading.get(_equality_column(field) if use in EQUALITY else field.name)


def _sorts(browse: OperationPlan) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*browse.sort, *(sort.removeprefix("-") for sort in browse.default_sort))))


def _needed(resource: ResourcePlan) -> list[tuple[str, str]]:
    """Fields that lists start from, each with the reason."""
    needed: list[tuple[str, str]] = [(resource.tenant, "rows of a tenant")] if resource.tenant else []
    for field in resource.fields:
        if field.references is not None and field.name != "id":
            needed.append((field.name, f"rows of one {field.references}"))
        if KINDS[field.kind].ordered:
            filters = RANGE_OPERATORS.intersection(field.filters)
            names = [_equality_column(field)] if filters & EQUALITY else []
            names += [field.name] if filters - EQUALITY else []
            needed += [(name, f"filter {field.public_name}") for name in names]
    browse = _browse(resource)
    if browse is not None:
        sorts = (resource.fields_by_name[name] for name in _sorts(browse))
        needed += [(_sorted_column(field), f"sort {field.public_name}") for field in sorts]
        owners = (resource.fields_by_name[name] for name in _owners(browse.policy))
        needed += [(_equality_column(field), "rows of their owner") for field in owners]
    return needed


def _browse(resource: ResourcePlan) -> OperationPlan | None:
    return next((operation for operation in resource.operations if operation.kind == "browse"), None)


def _owners(node: PolicyNode) -> tuple[str, ...]:
    match node:
        case Owner((name,)):
            return (name,)
        case AllOf(parts) | AnyOf(parts):
            return tuple(name for part in parts for name in _owners(part))
        case Not(part):
            return _owners(part)
        case _:
            return ()


def _in_tenant(resource: ResourcePlan, columns: tuple[tuple[str, bool], ...]) -> tuple[tuple[str, bool], ...]:
    """Behind the tenant, which every list is of."""
    return (
        columns if resource.tenant in (None, "id", columns[0][0]) else ((str(resource.tenant), columns[0][1]), *columns)
    )


def _first(resource: ResourcePlan, index: IndexPlan) -> str:
    """What the index orders the rows of a tenant by."""
    names = [name for name, _ in index.columns]
    return names[1] if names[0] == resource.tenant and names[1] != "id" else names[0]


def _ended(columns: tuple[tuple[str, bool], ...]) -> tuple[tuple[str, bool], ...]:
    """With the id at the end, in the direction of what is before it, as lists have it."""
    return columns if columns[-1][0] == "id" else (*columns, ("id", columns[-1][1]))


def _starts(longer: tuple[tuple[str, bool], ...], shorter: tuple[tuple[str, bool], ...]) -> bool:
    return len(longer) > len(shorter) and longer[: len(shorter)] == shorter
