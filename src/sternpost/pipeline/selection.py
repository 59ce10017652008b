"""What is asked of a read (page, order, filters, fields, relations), checked against what the contract allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, cast

import orjson

from sternpost.errors import Detail, Invalid
from sternpost.kinds import INSENSITIVE
from sternpost.pipeline.authorize import fold_for
from sternpost.pipeline.inputs import NAME_SHOWN_MAX, Inputs
from sternpost.pipeline.list_query import (
    Count,
    Cursor,
    Fields,
    Filter,
    Include,
    Limit,
    ListQuery,
    Named,
    Page,
    PageSize,
    Part,
    Path,
    Repeated,
    Search,
    Sort,
)
from sternpost.pipeline.views import (
    EMPTY_TREE,
    RELATIONS_MAX,
    IncludeTree,
    Views,
    can_see,
    holds_scope,
)
from sternpost.plan.comparisons import comparison
from sternpost.plan.model import FieldPlan, OperationPlan, RelationPlan, ResourcePlan
from sternpost.plan.query import (
    ALL,
    Compare,
    Either,
    Matches,
    Node,
    Operator,
    Order,
    Related,
    by_rank,
    every,
    ordered,
    total_order,
)
from sternpost.plan.shapes import (
    FIELDS_MAX,
    IN_MAX,
    INCLUDE_DEPTH_MAX,
    INCLUDES_MAX,
    OR_CONDITIONS_MAX,
    PAGE_MAX,
    SORTS_MAX,
    OutputRelation,
    RelatedFilterShape,
    RowsShape,
)
from sternpost.plan.words import searched_words
from sternpost.ports.authenticator import NO_SCOPES, Principal

KEPT_MAX = 1000
KEPT_CHARACTERS_MAX = 300
"""Queries that are kept once they are checked: so many of one operation, and no longer ones."""

ALLOWED_CHARACTERS_MAX = 3000
"""Characters of the names that are allowed where a wrong one was sent; an answer with several lists of them ends with
the one that exceeds it."""

LIMIT, OFFSET, PARENT = 0, 1, 2
"""The slots of every list; those of filters and of limits of relations come behind."""
FIRST_VALUE = 3


@dataclass(slots=True)
class Selection:
    """What is asked for, checked.

    Attributes:
        tree: the fields and relations that are asked for.
        conditions: filters of the list.
        values: what the slots from `FIRST_VALUE` on hold: values of filters, and limits of relations.
        cursor: where the list continues; empty for its beginning, None if pages are requested by number.
        count: whether the total is wanted with a cursor; pages by number always tell it.
        bound_to: what a cursor of this list is bound to: the same text stands for the same rows in the same order.
        paging: the parts given that divide the list, by the names that the client gave them.
    """

    tree: IncludeTree
    page: int = 1
    page_size: int = 0
    order: tuple[Order, ...] = ()
    conditions: tuple[Node, ...] = ()
    values: tuple[Any, ...] = ()
    cursor: str | None = None
    count: bool = False
    bound_to: bytes = b""
    paging: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RelatedRule:
    """A filter over a row that the listed ones refer to, prepared at start."""

    shape: RelatedFilterShape
    field: FieldPlan
    parse: Callable[[str], Any]


class Rules:
    """What the lists of a resource can be filtered and sorted by, prepared at start."""

    def __init__(self, resource: ResourcePlan, rows: RowsShape, inputs: Inputs) -> None:
        self.filters = {each.public_name: resource.fields_by_name[each.name] for each in rows.filters}
        self.parsers: dict[str, Callable[[str], Any]] = {name: inputs.text_value(f) for name, f in self.filters.items()}
        self.sortable = dict(rows.sorts)
        self.or_groups = rows.or_groups
        self.search = tuple(name for name, _ in rows.search)
        self.related = {
            (*each.public_path, each.filter.public_name): RelatedRule(each, field, inputs.text_value(field))
            for each in rows.related
            for field in (inputs.plan.field_at(inputs.plan.by_name[each.target], each.value),)
        }

        self.objects = frozenset(each.public_path[0] for each in rows.related if not each.path)
        """What holds objects of which members are filtered: no relations."""

    def names(self, path: Path, named: Named) -> list[str]:
        """The filters, as the client would name them, on fields that everyone may see."""
        return [
            named(path, name, operator)
            for name, field in self.filters.items()
            if field.read_scope is None
            for operator in field.filters
        ] + [
            named(tuple(to_field), name, operator)
            for (*to_field, name), rule in self.related.items()
            if not rule.shape.read_scopes
            for operator in rule.shape.filter.operators
        ]


@dataclass(slots=True)
class _Asked:
    """What was asked of one relation, as it is put together from several parts."""

    tree: IncludeTree
    resource: ResourcePlan
    relation: RelationPlan | None = None
    rows: RowsShape | None = None
    whole: bool = False
    fields: set[str] | None = None


@dataclass(slots=True)
class _Reading:
    """One reading of a query: who sent it, how they name things, and what came of it by now."""

    selection: Selection
    named: Named
    principal: Principal | None
    conditions: list[Node] = field(default_factory=lambda: [])
    filters: list[tuple[str, str, str]] = field(default_factory=lambda: [])
    values: list[Any] = field(default_factory=lambda: [])
    asked: dict[tuple[str, ...], _Asked] = field(default_factory=lambda: {})
    groups: dict[str, list[Node]] = field(default_factory=lambda: {})
    search: Matches | None = None
    sorted: bool = False

    @property
    def scopes(self) -> frozenset[str]:
        """Those of the caller."""
        return self.principal.scopes if self.principal else NO_SCOPES

    def slot(self, value: Any) -> int:
        """The slot of a value."""
        self.values.append(value)
        return FIRST_VALUE + len(self.values) - 1


class Selector:
    """Checks queries of one operation; everything it needs is prepared at start."""

    def __init__(self, resource: ResourcePlan, operation: OperationPlan, inputs: Inputs, views: Views) -> None:
        self.resource = resource
        self.operation = operation
        self.views = views
        self.inputs = inputs
        query = operation.query
        self.is_list = operation.kind == "browse"
        self.is_paged = self.is_list or operation.is_paged
        self.chooses = query is not None
        self.includes = query is not None and query.includes
        self.rules = Rules(resource, RowsShape() if query is None else query.rows, inputs)
        self.default_order = tuple(
            ordered(name.removeprefix("-"), name.startswith("-")) for name in operation.default_sort
        )
        self._rules_of: dict[tuple[str, str], Rules] = {}

    def select(self, query: ListQuery, principal: Principal | None, kept: dict[ListQuery, Selection]) -> Selection:
        """What is asked for; `kept` holds what callers with the same scopes asked for before.

        Raises:
            Invalid: with every problem; an unknown part names the allowed ones.
        """
        found = kept.get(query)
        if found is None:
            found = self._select(query, principal)
            if query.size <= KEPT_CHARACTERS_MAX:
                if len(kept) >= KEPT_MAX:
                    kept.clear()
                kept[query] = found
        if query.cursor:  # but for it, each page of a list is asked for alike
            found = copy(found)
            found.cursor = query.cursor
        return found

    def rules_of(self, relation: RelationPlan, rows: RowsShape) -> Rules:
        """What a relation's rows can be filtered and sorted by, prepared when it is first asked for."""
        key = (relation.target, relation.remote_field)
        found = self._rules_of.get(key)
        if found is None:
            found = self._rules_of[key] = Rules(self.views.plan.by_name[relation.target], rows, self.inputs)
        return found

    def _select(self, query: ListQuery, principal: Principal | None) -> Selection:
        selection = Selection(EMPTY_TREE, page_size=self.operation.page_size or 0, order=self.default_order)
        reading = _Reading(selection, query.named, principal)
        details: list[Detail] = []
        listed: set[str] = set()
        for part in query.parts:
            try:
                self._apply(part, reading)
            except _Refused as error:
                details.append(Detail(part.shown, error.code, error.told(listed)))
            except ValueError as error:
                details.append(Detail(part.shown, "invalid_parameter", str(error)))
        pages = [part.shown for part in query.parts if isinstance(part, Page)]
        if self.is_list and selection.cursor is not None and pages:
            message = "cursor and page cannot be used together: leave one of them out"
            details.append(Detail(pages[0], "invalid_parameter", message))
        if details:
            raise Invalid("Invalid parameters", details=details)
        if reading.groups:
            reading.conditions.append(Either(tuple(every(group) for group in reading.groups.values())))
        if reading.search is not None and not reading.sorted:
            selection.order = (by_rank(reading.search),)
        selection.conditions = tuple(reading.conditions)
        selection.values = tuple(reading.values)
        if reading.asked:
            selection.tree = _tree(reading)
        if self.is_list:
            selection.bound_to = self._bound_to(reading)
        return selection

    def _apply(self, part: Part, reading: _Reading) -> None:
        match part:
            case Repeated():
                raise _Refused("repeated_parameter", "The parameter is given more than once")
            case Include() if self.includes:
                self._include(part, reading)
            case Fields() if self.chooses:
                self._fields(part, reading)
            case Filter(path=("or", group, *_)) if self.is_list and self.rules.or_groups:
                self._or(group, replace(part, path=part.path[2:]), reading)
            case Filter(path=(_, *_)) if (*part.path, part.name) in self.rules.related:
                reading.conditions.append(self._filter(part, reading))
            case Filter(path=(name, *_)) if name in self.rules.objects:
                raise _unknown(self._allowed(reading.named))
            case Limit() | Sort(path=(_, *_)) | Filter(path=(_, *_)) if self.includes:
                self._of_relation(part, reading)
            case Page() | PageSize() if self.is_paged:
                reading.selection.paging += (part.shown,)
                self._divide(part, reading.selection)
            case Cursor() | Count() if self.is_list:
                reading.selection.paging += (part.shown,)
                self._divide(part, reading.selection)
            case Sort(path=()) if self.is_list:
                reading.selection.order = _order(part, self.rules)
                reading.sorted = True
            case Search() if self.is_list and self.rules.search:
                self._search(part, reading)
            case Search():  # a field may have that name where lists are not searched
                self._apply(Filter(part.shown, (), "search", "eq", part.text), reading)
            case Filter(path=()) if self.is_list:
                reading.conditions.append(self._filter(part, reading))
            case _:
                raise _unknown(self._allowed(reading.named))

    def _or(self, group: str, part: Filter, reading: _Reading) -> None:
        """A filter of a group: the filters of one have to fit together, and one of the groups has to."""
        groups = reading.groups
        if group not in groups and len(groups) >= self.rules.or_groups:
            raise ValueError(f"At most {self.rules.or_groups} groups can be joined by or")
        if sum(map(len, groups.values())) >= OR_CONDITIONS_MAX:
            raise ValueError(f"The groups joined by or can have at most {OR_CONDITIONS_MAX} filters together")
        groups.setdefault(group, []).append(self._filter(part, reading, ("or", group)))

    def _search(self, part: Search, reading: _Reading) -> None:
        """Only rows that are found; where no other order is asked for, the best first."""
        words = searched_words(part.text)
        reading.search = Matches(self.rules.search, len(words), reading.slot(words))
        reading.filters.append(("search", "", " ".join(words)))
        reading.conditions.append(reading.search)

    def _filter(self, part: Filter, reading: _Reading, place: Path = ()) -> Node:
        """A filter of the list's own rows, or of rows that they refer to; cursors are bound to it."""
        if part.path:
            condition, value = self._related(part, reading)
        else:
            condition, value = self._condition(part, self.rules, reading)
        reading.filters.append((".".join((*place, *part.path, part.name)), part.operator, str(value)))
        return condition

    def _related(self, part: Filter, reading: _Reading) -> tuple[Node, Any]:
        """A filter over a row that the listed ones refer to, of those that the caller may read."""
        rule = self.rules.related.get((*part.path, part.name))
        if rule is None or not rule.shape.read_scopes <= reading.scopes:
            raise _unknown(self._allowed(reading.named))
        shape = rule.shape
        condition, value = _compared(part, rule.field, rule.parse, reading, shape.value, shape.filter.operators)
        for relation, target in reversed(rule.shape.path):
            seeing = self.views.plan.by_name[target].seeing
            readable = ALL if rule.shape.all else fold_for(seeing, reading.principal)
            condition = Related(relation, "some", every((readable, condition)))
        return condition, value

    def _divide(self, part: Page | PageSize | Cursor | Count, selection: Selection) -> None:
        """Which part of the list is asked for."""
        match part:
            case Page():
                selection.page = _whole(part.number, PAGE_MAX)
            case PageSize():
                selection.page_size = _whole(part.rows, self.operation.max_page_size or 1)
            case Cursor():
                selection.cursor = ""
            case Count():
                _check(part.problem)
                selection.count = True

    def _include(self, part: Include, reading: _Reading) -> None:
        if len(part.paths) > INCLUDES_MAX:
            raise ValueError(f"At most {INCLUDES_MAX} relations can be included")
        for path in part.paths:
            self._relation(path, reading)

    def _fields(self, part: Fields, reading: _Reading) -> None:
        if len(part.paths) > FIELDS_MAX:
            raise ValueError(f"At most {FIELDS_MAX} fields can be listed")
        for path in part.paths:
            self._field(path, reading)

    def _condition(self, part: Filter, rules: Rules, reading: _Reading) -> tuple[Node, Any]:
        """A filter, and its value for cursors."""
        field = rules.filters.get(part.name)
        if field is None or not can_see(field, reading.scopes):
            raise _unknown(_of_list(part.path, rules, reading.named) if part.path else self._allowed(reading.named))
        return _compared(part, field, rules.parsers[part.name], reading, (field.name,), field.filters)

    # -- relations

    def _relation(self, names: Path, reading: _Reading) -> _Asked:
        """The relation at a path, which is included by being named; without a path, the resource itself."""
        if len(names) > INCLUDE_DEPTH_MAX:
            raise ValueError(f"Relations can be included at most {INCLUDE_DEPTH_MAX} levels deep")
        found = reading.asked.setdefault((), _Asked(IncludeTree(), self.resource))
        at: tuple[str, ...] = ()
        for name in names:
            allowed = {each.public_name: each for each in _followed(found.resource, reading.scopes)}
            if name not in allowed:
                message = f"{found.resource.name} has no relation {_quoted(name)} to include"
                raise _Refused("invalid_parameter", message, allowed)
            relation = found.resource.relations_by_name[allowed[name].name]
            at = (*at, relation.name)
            below = reading.asked.get(at)
            if below is None:
                if len(reading.asked) > RELATIONS_MAX:
                    raise ValueError(f"At most {RELATIONS_MAX} relations can be requested")
                tree = found.tree.children.setdefault(relation.name, IncludeTree(".".join(at)))
                below = reading.asked[at] = _Asked(
                    tree, self.views.plan.by_name[relation.target], relation, allowed[name].rows
                )
            found = below
        return found

    def _field(self, path: Path, reading: _Reading) -> None:
        """One of the wanted fields: a field, or a relation as a whole; behind a path, of a relation."""
        *before, name = path
        above = tuple(before)
        found = self._relation(above, reading)
        visible = {f.public_name: f.name for f in found.resource.shown if can_see(f, reading.scopes)}
        relations = {each.public_name for each in _followed(found.resource, reading.scopes)}
        if name not in visible and name not in relations:
            message = f"{found.resource.name} has no field {_quoted(name)}"
            raise _Refused("invalid_parameter", message, [*visible, *sorted(relations)])
        for length in range(len(above) + 1):  # from here on only what is named comes of the resources along the path
            asked = self._relation(above[:length], reading)
            if asked.fields is None:
                asked.fields = set()
        if name in visible:
            assert found.fields is not None, "it was narrowed just now"
            found.fields.add(visible[name])
        else:
            self._relation(path, reading).whole = True

    def _of_relation(self, part: Limit | Sort | Filter, reading: _Reading) -> None:
        """A part of an included list: the same as that of a list, with the relation's path."""
        asked = self._relation(part.path, reading)
        relation = asked.relation
        assert relation is not None, "the path is not empty"
        if asked.rows is None:
            message = f"{'.'.join(part.path)} is one row, not a list: it takes no parameters"
            raise _Refused("unknown_parameter", message)
        rules = self.rules_of(relation, asked.rows)
        match part:
            case Limit():
                asked.tree.limit = reading.slot(_whole(part.rows, relation.max_items))
            case Sort():
                if not rules.sortable:
                    raise _unknown(_of_list(part.path, rules, reading.named))
                asked.tree.order = _order(part, rules)
            case Filter():
                condition, _ = self._condition(part, rules, reading)
                asked.tree.conditions += (condition,)

    # -- parts

    def _bound_to(self, reading: _Reading) -> bytes:
        order = [
            (entry.path[0], entry.descending, field.kind, *field.ranks)
            for entry in total_order(reading.selection.order)
            for field in (self.views.plan.field_at(self.resource, entry.path),)
        ]
        return orjson.dumps([self.views.plan.base_path, self.operation.id, order, sorted(reading.filters)])

    def _allowed(self, named: Named) -> list[str]:
        """Every part that may be asked for, as the client would name it."""
        names: list[str] = ["page", "pageSize"] if self.is_paged else []
        names += ["sort"] if self.rules.sortable else []
        names += ["include"] if self.includes else []
        names += ["search"] if self.rules.search else []
        names += self.rules.names((), named)
        names += ["cursor", "count"] if self.is_list else []
        names += ["fields"] if self.chooses else []
        return names


def _compared(
    part: Filter,
    field: FieldPlan,
    parse: Callable[[str], Any],
    reading: _Reading,
    path: Path,
    operators: Sequence[str],
) -> tuple[Node, Any]:
    """What a filter asks of a field, and its value for cursors.

    Args:
        path: the field, or what leads to it in an object.
        operators: those that the list offers on it.
    """
    operator, operand = part.operator, part.operand
    if operator not in operators:
        raise _unknown_operator(field, operator, operators)
    _check(part.problem)
    if isinstance(operand, bool):
        return Compare(path, "isNull" if operand else "isNotNull"), operand
    value: Any
    if isinstance(operand, str):
        value = parse(operand)
    else:
        if len(operand) > IN_MAX:
            raise ValueError(f"At most {IN_MAX} values can be listed")
        value = [parse(item) for item in operand]
    plain = cast("Operator", INSENSITIVE.get(operator, operator))
    return comparison(field, plain, value, reading.slot, path=path, insensitive=operator in INSENSITIVE), value


class _Refused(ValueError):
    """A part that is refused for another reason than its value, or for a name in it.

    Args:
        allowed: the names that would be right, where one is wrong.
    """

    def __init__(self, code: str, message: str, allowed: Iterable[str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.allowed = None if allowed is None else _shortened(list(allowed))

    def told(self, listed: set[str]) -> str:
        """The sentence for the client. The same names stand in an answer once, and no more of others when there are
        many already: a short query would otherwise make a long answer of them."""
        enough = sum(map(len, listed)) > ALLOWED_CHARACTERS_MAX
        if self.allowed is None or self.allowed in listed or enough:
            return str(self)
        listed.add(self.allowed)
        return f"{self}; allowed are {self.allowed}"


def _shortened(names: list[str]) -> str:
    """Names as a text of at most `ALLOWED_CHARACTERS_MAX` characters, and how many more there are."""
    text = ", ".join(names) or "none"
    if len(text) <= ALLOWED_CHARACTERS_MAX:
        return text
    whole = text[: text.rindex(", ", 0, ALLOWED_CHARACTERS_MAX)]
    return f"{whole} and {len(names) - whole.count(', ') - 1} more"


def _quoted(name: str) -> str:
    """A name that the client chose."""
    return repr(name[:NAME_SHOWN_MAX])


def _unknown(allowed: Sequence[str]) -> _Refused:
    return _Refused("unknown_parameter", "There is no such parameter", allowed)


def _unknown_operator(field: FieldPlan, operator: str, operators: Sequence[str]) -> _Refused:
    return _Refused("unknown_parameter", f"{field.public_name} has no filter {operator!r}", operators)


def _of_list(path: Path, rules: Rules, named: Named) -> list[str]:
    """Every part that may be asked of an included list, as the client would name it."""
    names = ("limit", "sort") if rules.sortable else ("limit",)
    return [*(named(path, name, "eq") for name in names), *rules.names(path, named)]


def _followed(resource: ResourcePlan, scopes: frozenset[str]) -> list[OutputRelation]:
    """The relations that a caller with these scopes may follow."""
    return [relation for relation in resource.shape.output.relations if holds_scope(relation, scopes)]


def _check(problem: str | None) -> None:
    if problem is not None:
        raise ValueError(problem)


def _whole(number: int | None, most: int) -> int:
    if number is None or not 1 <= number <= most:
        raise ValueError(f"Input should be a whole number from 1 to {most}")
    return number


def _order(part: Sort, rules: Rules) -> tuple[Order, ...]:
    order: dict[str, bool] = {}
    if len(part.fields) > SORTS_MAX:
        raise ValueError(f"The list can be sorted by at most {SORTS_MAX} fields")
    for public_name, descending in part.fields:
        name = rules.sortable.get(public_name)
        if name is None:
            raise _Refused("invalid_parameter", f"Cannot sort by {_quoted(public_name)}", rules.sortable)
        order.setdefault(name, descending)  # a second time changes nothing in the order
    return tuple(ordered(name, descending) for name, descending in order.items())


def _tree(reading: _Reading) -> IncludeTree:
    """What was asked for, as a tree."""
    for asked in reading.asked.values():
        asked.tree.fields = None if asked.whole or asked.fields is None else frozenset(asked.fields)
    return reading.asked[()].tree
