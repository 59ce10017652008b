"""What the server itself puts into a row: ids, times, defaults, computed totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any

from sternpost.clock import Clock
from sternpost.errors import Detail, Unprocessable
from sternpost.kinds import EXACT, INT64_MAX, INT64_MIN, KINDS, has_digits
from sternpost.plan.model import Computed, FieldPlan, Plan, ResourcePlan


def complete(
    resource: ResourcePlan, given: Mapping[str, Any], new_id: Callable[[], str | None], clock: Clock
) -> dict[str, Any]:
    """A whole new row: the given values, and for the rest the id, the present time and the defaults."""
    new, fields = resource.new_row, resource.fields_by_name
    row = {**new.values}
    row.update({name: value for name, value in given.items() if name in fields})
    if new.key is not None and new.key not in given:
        row[new.key] = new_id()
    if new.times:
        now = clock.now()
        for name in new.times:
            if name not in given:
                row[name] = now
    return row


def prospective(plan: Plan, resource: ResourcePlan, given: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    """A new row as it would be: with defaults, times and totals, but without an id of its own, and without totals of
    what the author's function has yet to set."""
    row = complete(resource, given, _no_id, clock)
    for field in resource.fields:
        if field.computed is not None and field.computed.relation in given:
            target = plan.by_name[resource.relations_by_name[field.computed.relation].target]
            items = [complete(target, item, _no_id, clock) for item in given[field.computed.relation]]
            known = all(item[name] is not None for item in items for name in field.computed.factors)
            row[field.name] = total(field, field.computed, items) if known else None
    return row


def _no_id() -> None:
    """What stands for the id of a row that there is not yet."""


def stamp(resource: ResourcePlan, changed: Mapping[str, Any], clock: Clock) -> dict[str, Any]:
    """The changed values and the time of the change."""
    stamped = dict(changed)
    for field in resource.fields:
        if field.generated == "updated" and field.name not in stamped:
            stamped[field.name] = clock.now()
    return stamped


def refuse_counted(resource: ResourcePlan, field: FieldPlan) -> None:
    """Raises `TypeError` for a value that an author may not give: a version, or when the row was deleted."""
    if field.generated == "version":
        raise TypeError(f"{resource.name}.{field.name} is incremented with each change of the row; leave it out")
    if field.generated == "deleted":
        raise TypeError(f"{resource.name}.{field.name} is set by delete and cleared by restore; leave it out")


def total(field: FieldPlan, computed: Computed, items: Sequence[Mapping[str, Any]]) -> int | Decimal:
    """The sum over the items of the product of the factors; exact.

    Raises:
        Unprocessable: it is larger than a column holds.
    """
    result: int | Decimal = KINDS[field.kind].types[0](0)
    with localcontext(EXACT):
        for item in items:
            product: int | Decimal = 1
            for name in computed.factors:
                product = product * item[name]
            result = result + product
    if not _fits(field, result):
        message = f"The sum of {computed.relation} is too large"
        raise Unprocessable(message, details=[Detail(field.public_name, "out_of_range", message)])
    return result


def computed_values(resource: ResourcePlan, lists: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """The computed fields that depend on the owned lists that are being written.

    Raises:
        ValueError: a list is shorter or longer than the contract says; those that clients send were checked before.
        Unprocessable: a sum is too large.
    """
    for relation in resource.owned_relations:
        if relation.name in lists and not relation.min_items <= len(lists[relation.name]) <= relation.max_items:
            raise ValueError(
                f"{resource.name}.{relation.name} takes {relation.min_items} to {relation.max_items} rows, "
                f"not {len(lists[relation.name])}"
            )
    return {
        field.name: total(field, field.computed, lists[field.computed.relation])
        for field in resource.fields
        if field.computed is not None and field.computed.relation in lists
    }


def _fits(field: FieldPlan, value: int | Decimal) -> bool:
    if isinstance(value, int):
        return INT64_MIN <= value <= INT64_MAX
    return has_digits(field, value)
