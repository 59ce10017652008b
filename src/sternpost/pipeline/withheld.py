"""What of a row a caller may set: what they may not read they may not write either, unless it is declared so."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import orjson
from pydantic import BaseModel

from sternpost import exact_json
from sternpost.errors import Detail, Forbidden, Invalid
from sternpost.kinds import INT64_MAX, INT64_MIN
from sternpost.pipeline.attributes import attribute
from sternpost.pipeline.views import holds
from sternpost.plan.model import Plan, ResourcePlan
from sternpost.plan.shapes import InputShape, ListMember, Member
from sternpost.plan.values import from_plan


@dataclass(frozen=True, slots=True)
class Guards:
    """The scopes that an input's members ask for.

    Attributes:
        members: those of the row that ask for one.
        lists: those that ask for one, and those whose items have members that do, or unknown ones.
        keeps: whether there may be a value that stays where none is sent; else the default is the value.
        unknown: the fields of an item that no client of this version of the API can set, and what they are in a new
            one: those that it does not know, and those that only the service sets.
    """

    members: tuple[Member, ...]
    lists: tuple[tuple[ListMember, Guards | None], ...]
    keeps: bool
    unknown: Mapping[str, Any] = field(default_factory=lambda: {})

    def check(self, sent: BaseModel, values: dict[str, Any], scopes: frozenset[str]) -> frozenset[str]:
        """Takes what was left out, and is not the caller's to say, out of the values: it stays as it is.

        Returns:
            The names of what was taken out.

        Raises:
            Forbidden: the input has a member that the caller may not set.
            Invalid: it does not have one that this caller must send.
        """
        problems = _Problems()
        withheld = self._check(sent, values, scopes, "", problems)
        problems.report()
        return withheld

    def _check(
        self, sent: BaseModel, values: dict[str, Any], scopes: frozenset[str], path: str, problems: _Problems
    ) -> frozenset[str]:
        withheld: set[str] = set()
        for member in self.members:
            if attribute(member.name) in sent.model_fields_set:
                if not holds(member.write_scope, scopes):
                    problems.refuse(path + member.public_name)
            elif _is_withheld(member, scopes):
                if self.keeps:
                    values.pop(member.name, None)
                    withheld.add(member.name)
            elif member.expected:
                problems.missing.append(Detail(path + member.public_name, "missing", "Field required"))
        for each, items in self.lists:
            if attribute(each.name) not in sent.model_fields_set:
                if not holds(each.write_scope, scopes):
                    values.pop(each.name, None)
                    withheld.add(each.name)
            elif not holds(each.write_scope, scopes):
                problems.refuse(path + each.public_name)
            elif items is not None:
                rows = zip(getattr(sent, attribute(each.name)), values[each.name], strict=True)
                for number, (item, row) in enumerate(rows):
                    items._check(item, row, scopes, f"{path}{each.public_name}.{number}.", problems)
        return frozenset(withheld)

    def keep(
        self,
        values: Mapping[str, Any],
        scopes: frozenset[str],
        present: Callable[[ListMember], Sequence[dict[str, Any]]],
    ) -> None:
        """Completes the items of an input's lists with what the caller may not see, set, or know of those that are
        there.

        An item that the caller left as it is keeps its values; the others take those of the items that they stand for,
        in order.

        Args:
            present: the items of a list as they are, in the form in which they are written.

        Raises:
            Forbidden: an item is new, and needs a value that the caller may not set.
        """
        problems = _Problems()
        for each, items in self.lists:
            if items is None or each.name not in values:
                continue
            withheld = [member for member in items.members if _is_withheld(member, scopes)]
            if withheld or items.unknown:
                _complete(each, values[each.name], present(each), withheld, items.unknown, scopes, problems)
        problems.report()


@dataclass(slots=True)
class _Problems:
    """What is wrong with an input, found so far."""

    refused: list[Detail] = field(default_factory=lambda: [])
    missing: list[Detail] = field(default_factory=lambda: [])

    def refuse(self, path: str) -> None:
        self.refused.append(
            Detail(path, "scope_required", "Your token does not have the scope that setting this needs")
        )

    def report(self) -> None:
        if self.refused:
            raise Forbidden(details=self.refused)
        if self.missing:
            raise Invalid(details=self.missing)


def guards_of(plan: Plan, shape: InputShape, items_of: str | None = None) -> Guards | None:
    """What the members of an input ask for; None where nothing does.

    Args:
        plan: of a version of the API.
        items_of: the resource whose items have this shape.
    """
    members = tuple(member for member in shape.members if member.read_scope or member.write_scope)
    lists = tuple(
        (each, None if each.items is None else guards_of(plan, each.items, each.target)) for each in shape.lists
    )
    lists = tuple((each, items) for each, items in lists if items is not None or each.write_scope)
    unknown = {} if items_of is None else unknown_in(plan, plan.by_name[items_of])
    return Guards(members, lists, shape.keeps, unknown) if members or lists or unknown else None


def unknown_in(plan: Plan, resource: ResourcePlan) -> dict[str, Any]:
    """The fields of a resource that no client of a version of the API can set, and their values in a row that is made
    through it, None where it has none."""
    owner = plan.owning_key(resource)
    fields = [
        field
        for field in resource.fields
        if (field.hidden or field.write == "never") and field.name not in ("id", owner)
    ]
    return {field.name: from_plan(field, field.default) for field in fields if not (field.generated or field.computed)}


def _complete(
    each: ListMember,
    rows: Sequence[dict[str, Any]],
    present: Sequence[dict[str, Any]],
    withheld: Sequence[Member],
    unknown: Mapping[str, Any],
    scopes: frozenset[str],
    problems: _Problems,
) -> None:
    unseen = {member.name for member in withheld if not holds(member.read_scope, scopes)}
    partners = _partners(rows, present, unseen)
    for number, (row, partner) in enumerate(zip(rows, partners, strict=True)):
        for member in withheld:
            if member.name in row:
                continue
            if partner is not None:
                row[member.name] = partner[member.name]
            elif member.expected:
                problems.refuse(f"{each.public_name}.{number}.{member.public_name}")
        for name, default in unknown.items():
            if partner is not None:
                row[name] = partner[name]
            elif default is not None:
                row[name] = default


def _partners(
    rows: Sequence[dict[str, Any]], present: Sequence[dict[str, Any]], unseen: set[str]
) -> list[dict[str, Any] | None]:
    """For each new item the one that it stands for: the first that is left with the same values, as far as the caller
    sees them; for one without such the first that is left when these are taken; None where none is."""
    names = sorted(rows[0].keys() - unseen) if rows else []  # all of them have the same: those of the caller's input
    places: defaultdict[bytes, deque[int]] = defaultdict(deque)
    for place, item in enumerate(present):
        places[_likeness(item, names)].append(place)
    alike = [found.popleft() if (found := places.get(_likeness(row, names))) else None for row in rows]
    taken = set(alike)
    others = (item for place, item in enumerate(present) if place not in taken)
    return [next(others, None) if place is None else present[place] for place in alike]


def _likeness(row: Mapping[str, Any], names: Sequence[str]) -> bytes:
    """The same for two rows whose values of these names are the same for a client, such as 1 and 1.0, but not true.
    Bytes, because they have a hash that nobody can provoke collisions of."""
    return exact_json.dumps([_plain(row.get(name)) for name in names], orjson.OPT_SORT_KEYS)


def _plain(value: Any) -> Any:
    """A value in the one form that JSON has for all that are equal to it."""
    match value:
        case float() if value.is_integer() and INT64_MIN <= value <= INT64_MAX:
            return int(value)
        case Decimal():
            return value.as_integer_ratio()
        case datetime():
            return value.astimezone(UTC)
        case list():
            return [_plain(item) for item in cast("list[Any]", value)]
        case dict():
            return {name: _plain(item) for name, item in cast("dict[str, Any]", value).items()}
        case _:
            return value


def _is_withheld(member: Member, scopes: frozenset[str]) -> bool:
    """Whether a caller with these scopes may not see it, or not set it."""
    return not (holds(member.read_scope, scopes) and holds(member.write_scope, scopes))
