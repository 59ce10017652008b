"""The values that an operation takes, by the names that authors call them."""

from __future__ import annotations

from sternpost.plan.model import FieldPlan, OperationPlan, RelationPlan, ResourcePlan
from sternpost.plan.shapes import WRITABLE


def taken(resource: ResourcePlan, operation: OperationPlan) -> dict[str, FieldPlan | RelationPlan]:
    """What the input of an operation may hold: fields and lists, by name; a reference by the name of its relation,
    too."""
    if operation.input is not None:
        return {field.name: field for field in operation.input.fields}
    if operation.kind not in WRITABLE:
        return {}
    found: dict[str, FieldPlan | RelationPlan] = {
        field.name: field for field in resource.fields if field.write in WRITABLE[operation.kind] and not field.hidden
    }
    for relation in resource.relations:
        if relation.kind == "one" and relation.local_field in found:
            found[relation.name] = found[relation.local_field]
        elif relation.input_name is not None:
            found[relation.name] = relation
    return found
