"""D01: the models and their relations."""

from __future__ import annotations

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project


def _check(project: Project) -> Answer:
    plan = project.plan
    resources = counted(len(plan.resources), "resource")
    fields = counted(sum(len(resource.fields) for resource in plan.resources), "field")
    relations = counted(sum(len(resource.relations) for resource in plan.resources), "relation")
    looked_at = f"{resources} with {fields} and {relations}"
    return judged(
        looked_at,
        [
            Finding(
                f"resource {resource.name}",
                "nobody can reach its rows: it has no operation, and no resource owns it",
                "declare an operation, or own it by a list of another resource: Owned[…]",
            )
            for resource in plan.resources
            if not resource.operations and resource.owned_by is None
        ],
    )


CRITERION = Criterion(
    "D01",
    "Resources, their fields and their relations are declared",
    "All that is served, stored and documented is derived from them. A model that is changed later is a migration, "
    "and often a breaking change.",
    "Mend what `sternpost contract check` says about resources, fields and relations, and give each resource an "
    "operation.",
    _check,
    diagnostics=("SP0", "SP1", "SP2", "SP3"),
)
