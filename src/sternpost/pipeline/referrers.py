"""What keeps a row from being deleted, as far as the caller may see the rows that refer to it.

It is found out once the deletion has been undone, by lists that the caller could ask for: nobody learns of a row, or of
a reference, that their own lists would not show.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from sternpost.errors import Detail
from sternpost.pipeline.authorize import DENY, fold_for
from sternpost.pipeline.views import can_see
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.plan.query import Compare, Node, Path, Related, Select, every
from sternpost.ports.authenticator import NO_SCOPES, Principal
from sternpost.ports.storage import Arguments, Asking, Reader

ASKED_MAX = 20
"""References that are looked at; a resource with more of them is told of these alone."""

_KEY, _LIMIT = 0, 1
"""The slots of a query: the row that was to be deleted, and how many rows are wanted."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """A reference that keeps rows from being deleted.

    Attributes:
        path: from its resource to the row that was to be deleted.
    """

    resource: ResourcePlan
    field: FieldPlan
    path: Path


async def referrers(
    plan: Plan, name: str, digits: str, reader: Reader, principal: Principal | None, asking: Asking
) -> list[Detail]:
    """A detail for each resource and field that refer to a row, or to what is deleted with it, in a row that the caller
    may see."""
    found: list[Detail] = []
    for holder in list(_holders(plan, name))[:ASKED_MAX]:
        asked = _asked(plan, holder, principal)
        if asked is None:
            continue
        resource, condition, where = asked
        query = Select(resource.name, ("id",), where=condition, limit=_LIMIT)
        rows = await reader.select(query, Arguments((digits, 1), asking))
        if rows.documents:
            message = f"{resource.name} refers to it by {where}"
            found.append(Detail("", "still_referenced", message))
    return found


def _holders(plan: Plan, name: str) -> Iterator[_Holder]:
    """Those of a resource, and of what goes along with its rows."""
    going: deque[tuple[ResourcePlan, Path]] = deque([(plan.by_name[name], ())])
    met = {name}
    while going:
        at, path = going.popleft()
        along = [(plan.by_name[each.target], each.remote_field) for each in at.owned_relations]
        for other, field in plan.referrers[at.name]:
            if field.on_delete == "restrict":
                yield _Holder(other, field, (field.name, *path))
            elif field.on_delete == "cascade":
                along.append((other, field.name))
        for other, reference in along:
            if other.name not in met:
                met.add(other.name)
                going.append((other, (reference, *path)))


def _asked(plan: Plan, holder: _Holder, principal: Principal | None) -> tuple[ResourcePlan, Node, str] | None:
    """The resource whose list shows the rows that refer, which rows, and the reference as clients know it. None where
    the caller may not see them, or which row they refer to."""
    if not can_see(holder.field, principal.scopes if principal else NO_SCOPES):
        return None
    resource, where = holder.resource, holder.field.public_name
    condition: Node = Compare(holder.path, "eq", _KEY)
    while resource.owned_by is not None:  # an item is seen in the row that owns it
        owner = plan.by_name[resource.owned_by]
        relation = next(each for each in owner.owned_relations if each.target == resource.name)
        resource, where = owner, f"{relation.public_name}.{where}"
        condition = Related(relation.name, "some", condition)
    if resource.reading is None:
        return None
    policy = fold_for(resource.reading.policy, principal)
    return None if policy is DENY else (resource, every((policy, condition)), where)
