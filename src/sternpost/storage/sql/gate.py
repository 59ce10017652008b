"""What every statement on a resource keeps, whoever sends it and whatever for: tenants, deleted rows, versions of rows.

Each statement of the builders comes through here, so that no way to the rows can forget one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, FromClause, literal_column

from sternpost.plan.model import FieldPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.query import ALL, TENANT, Compare, Node, OwnedBy, every
from sternpost.ports.storage import Visibility
from sternpost.storage.sql.schema import DELETED


class Gate:
    """The rules of a plan's rows for one visibility.

    Args:
        visibility: whose rows there are; the tenant itself travels with each statement.
    """

    def __init__(self, plan: Plan, visibility: Visibility) -> None:
        self.plan = plan
        self._visibility = visibility
        self._filters: dict[str, Node] = {}

    def row_filters(self, resource: ResourcePlan) -> Node:
        """The conditions that every statement on the resource adds to its own."""
        found = self._filters.get(resource.name)
        if found is None:
            found = self._filters[resource.name] = every(self._parts(resource))
        return found

    def list_filters(self, relation: RelationPlan) -> Node:
        """The same for the rows of a list of a row that is there: what it owns is there, too."""
        target = self.plan.by_name[relation.target]
        if relation.kind != "owned":
            return self.row_filters(target)
        return every(part for part in self._parts(target) if not isinstance(part, OwnedBy))

    def guards(self, resource: ResourcePlan) -> bool:
        """Whether some rows of the resource do not exist for this visibility."""
        return self.row_filters(resource) != ALL

    def bump_version(self, resource: ResourcePlan, table: FromClause, changes: dict[str, Any]) -> dict[str, Any]:
        """The changes of an update, with the row's version one higher where it has one."""
        field = resource.version_field
        if field is None:
            return changes
        one: ColumnElement[Any] = literal_column("1")
        return {**changes, field.name: table.c[field.name] + one}

    @cached_property
    def alive(self) -> Gate:
        """The same without deleted rows."""
        visibility = self._visibility
        return Gate(self.plan, replace(visibility, deleted=False)) if visibility.deleted else self

    @cached_property
    def tenant_kinds(self) -> tuple[str, ...]:
        """The forms in which statements ask for the tenant; a parameter each."""
        tenants = [resource.fields_by_name[resource.tenant] for resource in self.plan.resources if resource.tenant]
        return tuple(sorted({identity_kind(field) for field in tenants}))

    def _parts(self, resource: ResourcePlan) -> list[Node]:
        parts: list[Node] = []
        if resource.tenant is not None and not self._visibility.every:
            parts.append(Compare((resource.tenant,), "eq", TENANT))
        if resource.soft_delete and not self._visibility.deleted:
            parts.append(Compare((DELETED,), "isNull"))
        if resource.owned_by is not None:  # an item exists as long as its owner does
            owner = self.row_filters(self.plan.by_name[resource.owned_by])
            parts += [OwnedBy(owner)] if owner != ALL else []
        return parts


def identity_kind(field: FieldPlan) -> str:
    """How a caller or a tenant is compared with the field: as an id of a resource, or as a kind of value."""
    return str(field.references) if field.kind == "id" else field.kind
