"""Resources that refer to each other in a ring: which reference of a ring can be added only after all tables exist."""

from __future__ import annotations

from collections.abc import Mapping, Set

from sternpost.plan.model import Plan


def closing_references(plan: Plan) -> frozenset[tuple[str, str]]:
    """The references, as resource and field, without which each table can be created after those that it refers to."""
    waiting: dict[str, dict[str, str]] = {
        resource.name: {
            field.name: field.references
            for field in resource.fields
            if field.references is not None and field.references != resource.name
        }
        for resource in plan.resources
    }
    closing: set[tuple[str, str]] = set()
    while waiting:
        ready = [name for name, found in waiting.items() if waiting.keys().isdisjoint(found.values())]
        if not ready:
            name = _in_ring(waiting)
            closing |= {(name, field) for field, target in waiting[name].items() if target in waiting}
            ready = [name]
        for name in ready:
            del waiting[name]
    return frozenset(closing)


def _in_ring(waiting: Mapping[str, Mapping[str, str]]) -> str:
    """A resource that reaches itself, where each of them refers to another one."""
    name, seen = next(iter(waiting)), set[str]()
    while name not in seen:
        seen.add(name)
        name = _next(waiting[name], waiting.keys())
    return name


def _next(references: Mapping[str, str], waiting: Set[str]) -> str:
    return next(target for target in references.values() if target in waiting)
