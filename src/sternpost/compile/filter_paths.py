"""Follows the paths that lists are filtered by: over references to a field, and into the object that a field holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sternpost.compile.names import listed
from sternpost.compile.options import shown
from sternpost.compile.policy_paths import Known
from sternpost.contract.operations import RelatedField
from sternpost.kinds import DIGITS_MAX
from sternpost.plan.members import fields_within, is_comparable, members_of, operators_of, shape_of
from sternpost.plan.model import FieldPlan, RelatedFilter

RELATED_DEPTH_MAX = 3
"""References that the filter of a list may follow."""

Problem = tuple[str, str]
"""What is wrong with a path, and what to do."""


def led_to(resource: str, known: Mapping[str, Known], declared: RelatedField) -> RelatedFilter | Problem:
    """What the path of a filter leads to."""
    names = declared.path.split(".") if isinstance(declared.path, str) else [""]  # pyright: ignore[reportUnnecessaryIsInstance]
    at, path = resource, list[str]()
    while len(names) > 1 and names[0] in known[at].references:
        at = known[at].references[names[0]]
        path.append(names.pop(0))
    first, *members = names
    field = known[at].fields.get(first)
    if len(path) > RELATED_DEPTH_MAX or not (path or members):
        return _nowhere(".".join((*path, *names)))
    if members and field is None:
        references = known[at].references
        fix = f"use one of {listed(references)}" if references else "leave it out"
        return f"{at} has no reference {first!r}", fix
    before = "".join(f"{name}." for name in path)
    inside = _inside(at, field, members, before) if members and field is not None else None
    problem = inside if members else _unfiltered(at, first, known[at], before)
    return problem or RelatedFilter(tuple(path), first, declared.all, tuple(members))


def _nowhere(path: str) -> Problem:
    return (
        f"{shown(path)} does not lead over 1 to {RELATED_DEPTH_MAX} references to a field, or into an object",
        'write the name of a reference, a dot and a field, such as "user.name"; or that of an object, a dot and a '
        'member, such as "address.city"; a field of the resource itself has field(filter=True)',
    )


def _unfiltered(at: str, name: str, known: Known, before: str) -> Problem | None:
    fields = known.fields
    possible = [field.name for field in fields.values() if field.filters]
    if name in possible:
        return None
    if name in fields and fields_within(fields[name]):
        return f"{at}.{name} is an object: only a single value has a filter here", _fix(fields[name], before)
    what = "has no filter" if name in fields or name in known.computed else "does not exist"
    fix = f"use one of {listed(possible)}" if possible else "write field(filter=True) there"
    return f"{at}.{name} {what}", fix


def _inside(at: str, field: FieldPlan, members: Sequence[str], before: str) -> Problem | None:
    """Why members lead to none of an object that has a filter; `before` is what leads to the field."""
    way = [field]
    place = f"{at}.{field.name}"
    for name in members:
        within = fields_within(way[-1])
        if not within:
            return (
                f"{place} is {shape_of(way[-1])}: a filter leads into a Payload alone",
                _possible(field, before) or "leave it out; a path leads to single values in objects of one kind",
            )
        if name not in within:
            return f"{place} has no member {name!r}", _possible(field, before) or f"use one of {listed(within)}"
        way.append(within[name])
        place = f"{place}.{name}"
    member = way[-1]
    if member.structure is None and not is_comparable(member) and member.max_digits is not None:
        return f"{place} has more digits than every database compares", f"give it at most {DIGITS_MAX}, and its places"
    if not is_comparable(member):
        return f"{place} is {shape_of(member)}: only a single value has a filter here", _fix(field, before)
    return None if operators_of(way) else (f"{place} has no filter", _fix(field, before))


def _fix(field: FieldPlan, before: str) -> str:
    return _possible(field, before) or "write field(filter=True) at a member"


def _possible(field: FieldPlan, before: str) -> str | None:
    """The paths into an object that can be used."""
    ways = [way for way in members_of(field) if operators_of(way)]
    return f"use one of {listed(before + '.'.join(each.name for each in way) for way in ways)}" if ways else None
