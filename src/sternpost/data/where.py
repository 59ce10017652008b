"""What an author writes as `where`, `order` and `include`, in the query language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sternpost.data.checks import Checks
from sternpost.kinds import KINDS, LIST_FILTERS, SEVERAL, kind_of, kind_within
from sternpost.plan.comparisons import comparison
from sternpost.plan.derived import selecting
from sternpost.plan.members import members_of
from sternpost.plan.model import FieldPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.query import (
    ALL,
    Compare,
    Either,
    Every,
    Matches,
    Nested,
    Node,
    Not,
    Operator,
    Order,
    Path,
    Quantifier,
    Related,
    Select,
    by_rank,
    every,
)
from sternpost.plan.structures import items_of
from sternpost.plan.words import searched_words

SEARCH = "SEARCH"
"""The entry of a `where` that searches the text fields of a resource's list."""

LIST_RELATION = ("some", "every", "none")
ONE_RELATION = ("is", "isNot")
_QUANTIFIERS = {"is": "some", "isNot": "none"}


class Reading:
    """Turns an author's dictionaries into one query; the values go into its slots, in the order in which they
    are met."""

    def __init__(self, plan: Plan, checks: Checks) -> None:
        self.plan = plan
        self.checks = checks
        self.slots: list[Any] = []

    def slot(self, value: Any) -> int:
        """Keeps a value; its slot's number."""
        self.slots.append(value)
        return len(self.slots) - 1

    # -- conditions

    def where(self, resource: ResourcePlan, where: Mapping[str, Any] | None) -> Node:
        """All entries of a mapping together. Raises `TypeError`, `ValueError` or `Invalid` for what does not fit."""
        if where is None:
            return ALL
        if not isinstance(where, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f'A where is a mapping such as {{"id": "…"}}, not {type(where).__name__}')
        return every([self._entry(resource, name, wanted) for name, wanted in where.items()])

    def _entry(self, resource: ResourcePlan, name: str, wanted: Any) -> Node:
        if name == "NOT":
            return Not(self._all(resource, wanted))
        if name == "AND":
            return self._all(resource, wanted)
        if name == "OR":
            return Either(tuple(self.where(resource, part) for part in _parts(name, wanted)))
        if name == SEARCH and resource.searched:
            return self._search(resource, wanted)
        if name in resource.fields_by_name:
            return self._field(resource, resource.fields_by_name[name], wanted)
        if name in resource.relations_by_name:
            return self._relation(resource, resource.relations_by_name[name], wanted)
        _refuse_computed(resource, name)
        if "." in name:
            return self._member(resource, name, wanted)
        raise TypeError(
            f"{resource.name} has no field or relation {name!r}; it has "
            f"{', '.join((*resource.fields_by_name, *resource.relations_by_name))}, and AND, OR, NOT"
            f"{', SEARCH' if resource.searched else ''}"
        )

    def _search(self, resource: ResourcePlan, wanted: Any) -> Matches:
        if not isinstance(wanted, str):
            raise TypeError(f"{SEARCH} takes a text, not {_kind(wanted)}")
        words = searched_words(wanted)
        return Matches(resource.searched, len(words), self.slot(words))

    def _all(self, resource: ResourcePlan, wanted: Any) -> Node:
        parts: list[Any] = [wanted] if isinstance(wanted, Mapping) else _parts("AND and NOT", wanted)
        return every([self.where(resource, part) for part in parts])

    def _relation(self, resource: ResourcePlan, relation: RelationPlan, wanted: Any) -> Node:
        target = self.plan.by_name[relation.target]
        known = ONE_RELATION if relation.kind == "one" else LIST_RELATION
        if relation.kind == "one" and wanted is None:
            return Compare((relation.local_field,), "isNull")
        if not isinstance(wanted, Mapping):
            raise TypeError(f"{resource.name}.{relation.name} takes a mapping, not {type(wanted).__name__}")
        tests = cast("Mapping[str, Any]", wanted)
        if relation.kind == "one" and not any(name in known for name in tests):
            return Related(relation.name, "some", self.where(target, tests))
        parts: list[Node] = []
        for quantifier, where in tests.items():
            if quantifier not in known:
                raise TypeError(
                    f"{resource.name}.{relation.name} takes {', '.join(known)}, not {quantifier!r}: "
                    f'{{"{relation.name}": {{"{known[0]}": {{…}}}}}}'
                )
            if where is None and relation.kind == "one":
                parts.append(Compare((relation.local_field,), "isNull" if quantifier == "is" else "isNotNull"))
            else:
                found = cast("Quantifier", _QUANTIFIERS.get(quantifier, quantifier))
                parts.append(Related(relation.name, found, self.where(target, where)))
        return every(parts)

    def _member(self, resource: ResourcePlan, name: str, wanted: Any) -> Node:
        """A member of an object in JSON: `{"address.city": "York"}`."""
        first, *members = name.split(".")
        field = resource.fields_by_name.get(first)
        known = {".".join(each.name for each in way): way for way in (members_of(field) if field is not None else ())}
        if name not in known:
            what = "has no member in an object" if field is None else "cannot be compared by"
            told = f"; it can by {', '.join(known)}" if known else ""
            raise TypeError(f"{resource.name} {what} {name!r}{told}")
        return self._field(resource, known[name][-1], wanted, (first, *members))

    def _field(self, resource: ResourcePlan, field: FieldPlan, wanted: Any, path: Path = ()) -> Node:
        """The tests of one field; of a member of an object those that are known within JSON."""
        items = items_of(field)
        if items is None and not KINDS[field.kind].ordered and not (isinstance(wanted, Mapping) and "isNull" in wanted):
            raise TypeError(
                f'{resource.name}.{field.name} is JSON: only {{"isNull": True}} compares it; use db.sql for more'
            )
        tests: Mapping[str, Any] = cast("Mapping[str, Any]", wanted) if isinstance(wanted, Mapping) else {"eq": wanted}
        known = kind_within(field) if path else kind_of(field)
        allowed = known.tests if items is None else (*LIST_FILTERS, "isNull")
        unknown = [name for name in tests if name not in allowed]
        if unknown:
            raise TypeError(f"{resource.name}.{field.name} has no operator {unknown[0]!r}; it has {', '.join(allowed)}")
        mode = tests.get("mode", "sensitive")
        if mode not in ("sensitive", "insensitive"):
            raise ValueError(f'mode is "sensitive" or "insensitive", not {mode!r}')
        return every(
            [
                self._test(
                    resource, field, cast("Operator", operator), value, path or (field.name,), mode != "sensitive"
                )
                for operator, value in tests.items()
                if operator != "mode"
            ]
        )

    def _test(
        self, resource: ResourcePlan, field: FieldPlan, operator: Operator, value: Any, path: Path, insensitive: bool
    ) -> Node:
        if operator == "isNull":
            return Compare(path, "isNull" if value else "isNotNull")
        if operator in SEVERAL:
            return self._one_of(resource, field, operator, value, path, insensitive)
        if value is None:
            if operator not in ("eq", "ne"):
                raise TypeError(
                    f'{resource.name}.{field.name}: {operator!r} needs a value; for null use {{"isNull": True}}'
                )
            return Compare(path, "isNull" if operator == "eq" else "isNotNull")
        found: Any = self.checks.checked(resource, items_of(field) or field, value)
        return comparison(field, operator, found, self.slot, path=path, insensitive=insensitive)

    def _one_of(
        self, resource: ResourcePlan, field: FieldPlan, operator: Operator, value: Any, path: Path, insensitive: bool
    ) -> Node:
        items = _parts(operator, value)
        if any(item is None for item in items):
            raise TypeError(
                f"{resource.name}.{field.name}: {operator!r} takes no None; write "
                f'{{"OR": [{{…}}, {{"{field.name}": None}}]}}'
            )
        found = [self.checks.checked(resource, items_of(field) or field, item) for item in items]
        return comparison(field, operator, found, self.slot, path=path, insensitive=insensitive)

    # -- order

    def order(self, resource: ResourcePlan, order: Sequence[Any]) -> tuple[Order, ...]:
        """`"name"`, `"-total"`, `"user.name"`, or `{"by": "-total", "nulls": "last"}`."""
        if isinstance(order, str):
            raise TypeError(f'order is a list: order=["{order}"]')
        found = [self._order(resource, entry) for entry in order]
        return tuple({entry.path: entry for entry in reversed(found)}[path] for path in _unique(found))

    def _order(self, resource: ResourcePlan, entry: Any) -> Order:
        nulls = None
        if isinstance(entry, Mapping):
            given = cast("Mapping[str, Any]", entry)
            entry, nulls = given.get("by"), given.get("nulls")
            if set(given) - {"by", "nulls"} or nulls not in (None, "first", "last"):
                raise TypeError('An order is "name", "-name" or {"by": "-name", "nulls": "first"}')
        if not isinstance(entry, str):
            raise TypeError('An order is "name", "-name" or {"by": "-name", "nulls": "first"}')
        descending, path = entry.startswith("-"), tuple(entry.removeprefix("-").split("."))
        at = resource
        keys: list[str] = []
        for name in path[:-1]:
            relation = at.relations_by_name.get(name)
            if relation is None or relation.kind != "one":
                raise TypeError(f"{at.name} has no reference {name!r} to order by")
            keys.append(relation.local_field)
            at = self.plan.by_name[relation.target]
        field = self.field(at, path[-1])
        if not KINDS[field.kind].ordered:
            raise TypeError(f"{at.name}.{field.name} is JSON, which has no order")
        return Order((*keys, field.name), descending, nulls == "first" if nulls else descending)

    def field(self, resource: ResourcePlan, name: str) -> FieldPlan:
        """A field by its name. Raises `TypeError`."""
        found = resource.fields_by_name.get(name)
        if found is None:
            _refuse_computed(resource, name)
            raise TypeError(f"{resource.name} has no field {name!r}; it has {', '.join(resource.fields_by_name)}")
        return found

    # -- rows with what they include

    def query(
        self,
        resource: ResourcePlan,
        *,
        where: Mapping[str, Any] | None = None,
        order: Sequence[Any] = (),
        include: Mapping[str, Any] | None = None,
        fields: Sequence[str] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        distinct: Sequence[str] = (),
        lock: bool = False,
    ) -> Select:
        """A whole query. Without `fields` every field and every owned list is read. Without an order the rows that a
        search has found come by how well they fit."""
        condition = self.where(resource, where)
        sort = self.order(resource, order) or _ranked(condition)
        wanted = dict(include or {})
        if fields is None:
            for relation in resource.owned_relations:
                wanted.setdefault(relation.name, True)
        includes = tuple(
            self._inclusion(resource, name, options) for name, options in wanted.items() if options is not False
        )
        stored, asked = self._fields(resource, fields, includes)
        return selecting(
            resource,
            stored,
            asked,
            (),
            where=condition,
            relations=includes,
            order=sort,
            distinct=tuple(self.field(resource, name).name for name in _listed("distinct", distinct)),
            limit=self.number("limit", limit),
            offset=self.number("offset", offset or None),
            lock=lock,
        )

    def number(self, what: str, value: int | None) -> int | None:
        """A slot for a limit or an offset."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{what} is a whole number, not {type(value).__name__}")
        if not 0 <= value < 2**62:
            raise ValueError(f"{what} is 0 or more, not {value}")
        return self.slot(value)

    def _fields(
        self, resource: ResourcePlan, fields: Sequence[str] | None, includes: tuple[Nested, ...]
    ) -> tuple[tuple[str, ...], tuple[FieldPlan, ...]]:
        """The stored fields to read, and those to compute: only what is named is."""
        if fields is None:
            return tuple(resource.fields_by_name), ()
        wanted = [_named(resource, name) for name in _listed("fields", fields)]
        asked = [field.name for field in wanted if field.derived is None]
        computed = tuple(dict.fromkeys(field for field in wanted if field.derived is not None))
        keys = [resource.relations_by_name[entry.relation].local_field for entry in includes]
        # SQLite cannot select nothing
        return tuple(dict.fromkeys([*asked, *keys])) or (() if computed else ("id",)), computed

    def _inclusion(self, resource: ResourcePlan, name: str, options: Any) -> Nested:
        relation = resource.relations_by_name.get(name)
        if relation is None:
            raise TypeError(
                f"{resource.name} has no relation {name!r} to include; it has "
                f"{', '.join(resource.relations_by_name) or 'none'}"
            )
        given: dict[str, Any] = {} if options is True else {**options}
        known = (
            ("fields", "include")
            if relation.kind == "one"
            else ("where", "order", "limit", "offset", "fields", "include")
        )
        unknown = [key for key in given if key not in known]
        if unknown:
            raise TypeError(f"include {name!r} takes {', '.join(known)}, not {unknown[0]!r}")
        return Nested(name, self.query(self.plan.by_name[relation.target], **given))


def _ranked(where: Node) -> tuple[Order, ...]:
    """The order of what all rows are searched for."""
    parts = where.parts if isinstance(where, Every) else (where,)
    return tuple(by_rank(part) for part in parts if isinstance(part, Matches))[:1]


def _refuse_computed(resource: ResourcePlan, name: str) -> None:
    """Raises `TypeError` for a field that is computed when its row is read: the database cannot look at it."""
    if name in resource.shown_by_name:
        raise TypeError(
            f"{resource.name}.{name} is computed when a row is read, and is no condition and no order; "
            f"the stored fields are {', '.join(resource.fields_by_name)}"
        )


def _named(resource: ResourcePlan, name: str) -> FieldPlan:
    """A field that can be read, by its name. Raises `TypeError`."""
    found = resource.shown_by_name.get(name)
    if found is None:
        raise TypeError(f"{resource.name} has no field {name!r}; it has {', '.join(resource.shown_by_name)}")
    return found


def _parts(name: str, wanted: Any) -> list[Any]:
    if isinstance(wanted, str | Mapping) or not isinstance(wanted, Sequence | set | frozenset):
        raise TypeError(f"{name} takes a list, not {_kind(wanted)}")
    return [*cast("Sequence[Any]", wanted)]


def _kind(value: Any) -> str:
    return type(value).__name__


def _listed(what: str, names: Sequence[str]) -> Sequence[str]:
    if isinstance(names, str):
        raise TypeError(f'{what} is a list: {what}=["{names}"]')
    return names


def _unique(found: Sequence[Order]) -> list[tuple[str, ...]]:
    return list(dict.fromkeys(entry.path for entry in found))
