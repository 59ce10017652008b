"""The parameters of reads: page, order, filters, fields, includes. Checked against what the contract allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from sternpost.errors import Detail, Invalid
from sternpost.pipeline.call import ListParameter
from sternpost.pipeline.inputs import Inputs
from sternpost.pipeline.views import (
    EMPTY_TREE,
    RELATIONS_MAX,
    IncludeTree,
    Views,
    can_see,
)
from sternpost.plan.model import OperationPlan, RelationPlan, ResourcePlan
from sternpost.plan.query import Compare, Node, Not, Operator, Order, ordered, total_order
from sternpost.plan.shapes import (
    FIELDS_MAX,
    IN_MAX,
    INCLUDE_DEPTH_MAX,
    INCLUDES_MAX,
    PAGE_MAX,
    SORTS_MAX,
    RowsShape,
)
from sternpost.ports.authenticator import Principal

_BEGIN = ListParameter("cursor", None, "")
_PARTS = ("page", "pageSize", "cursor", "count")
KEPT_MAX = 1000
KEPT_CHARACTERS_MAX = 300
"""Parameters that are kept once they are checked: so many of one operation, and no longer ones."""

LIMIT, OFFSET, PARENT = 0, 1, 2
"""The slots of every list; those of filters and of limits of relations come behind."""
FIRST_VALUE = 3


@dataclass(slots=True)
class Selection:
    """Checked parameters.

    Attributes:
        tree: the fields and relations that are asked for.
        conditions: filters of the list.
        values: what the slots from `FIRST_VALUE` on hold: values of filters, and limits of relations.
        cursor: where the list goes on; empty for its beginning, None where pages are asked for by number.
        count: whether the total is wanted with a cursor; pages by number always tell it.
        bound_to: what a cursor of this list is bound to: the same text stands for the same rows in the same order.
        paging: the parameters given that divide the list into parts.
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


class Rules:
    """What the lists of a resource can be filtered and sorted by, prepared at start."""

    def __init__(self, resource: ResourcePlan, rows: RowsShape, inputs: Inputs) -> None:
        self.filters = {each.public_name: resource.fields_by_name[each.name] for each in rows.filters}
        self.parsers: dict[str, Callable[[str], Any]] = {name: inputs.text_value(f) for name, f in self.filters.items()}
        self.sortable = dict(rows.sorts)

    def names(self, prefix: str = "") -> list[str]:
        """The parameters that filter, of fields that everyone may see."""
        return [
            prefix + (name if operator == "eq" else f"{name}[{operator}]")
            for name, field in self.filters.items()
            if field.read_scope is None
            for operator in field.filters
        ]


@dataclass(slots=True)
class _Asked:
    """What was asked of one relation, as it is put together from several parameters."""

    tree: IncludeTree
    resource: ResourcePlan
    relation: RelationPlan | None = None
    rows: RowsShape | None = None
    whole: bool = False
    fields: set[str] | None = None


@dataclass(slots=True)
class _Reading:
    """One reading of parameters: who sent them, and what came of them by now."""

    selection: Selection
    scopes: frozenset[str]
    conditions: list[Node] = field(default_factory=list[Node])
    filters: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    values: list[Any] = field(default_factory=list[Any])
    asked: dict[tuple[str, ...], _Asked] = field(default_factory=dict[tuple[str, ...], _Asked])

    def slot(self, value: Any) -> int:
        """The slot of a value."""
        self.values.append(value)
        return FIRST_VALUE + len(self.values) - 1


class Selector:
    """Reads the parameters of one operation; everything it needs is prepared at start."""

    def __init__(self, resource: ResourcePlan, operation: OperationPlan, inputs: Inputs, views: Views) -> None:
        self.resource = resource
        self.operation = operation
        self.views = views
        self.inputs = inputs
        query = operation.query
        self.is_list = operation.kind == "browse"
        self.chooses = query is not None
        self.includes = query is not None and query.includes
        self.rules = Rules(resource, RowsShape() if query is None else query.rows, inputs)
        self.default_order = tuple(
            ordered(name.removeprefix("-"), name.startswith("-")) for name in operation.default_sort
        )
        self.allowed = self._allowed()
        self._rules_of: dict[tuple[str, str], Rules] = {}

    def select(
        self,
        parameters: tuple[ListParameter, ...],
        principal: Principal | None,
        kept: dict[tuple[ListParameter, ...], Selection],
    ) -> Selection:
        """The checked parameters; `kept` holds those that callers with the same scopes sent before.

        Raises:
            Invalid: with every problem; an unknown parameter names the allowed ones.
        """
        found = kept.get(parameters)
        if found is None:
            cursor = next((p for p in parameters if p.name == "cursor" and p.operator is None and p.value), None)
            if cursor is not None:
                return self._going_on(cursor, parameters, principal, kept)
            found = self._select(parameters, principal)
            if sum(len(parameter.value) for parameter in parameters) <= KEPT_CHARACTERS_MAX:
                if len(kept) >= KEPT_MAX:
                    kept.clear()
                kept[parameters] = found
        return found

    def _going_on(
        self,
        cursor: ListParameter,
        parameters: tuple[ListParameter, ...],
        principal: Principal | None,
        kept: dict[tuple[ListParameter, ...], Selection],
    ) -> Selection:
        """The parameters with a cursor: but for it they are the same on each page of a list."""
        begun = tuple([_BEGIN if parameter is cursor else parameter for parameter in parameters])
        found = copy(self.select(begun, principal, kept))
        found.cursor = cursor.value
        return found

    def rules_of(self, relation: RelationPlan, rows: RowsShape) -> Rules:
        """What a relation's rows can be filtered and sorted by, prepared when it is first asked for."""
        key = (relation.target, relation.remote_field)
        found = self._rules_of.get(key)
        if found is None:
            found = self._rules_of[key] = Rules(self.views.plan.by_name[relation.target], rows, self.inputs)
        return found

    def _select(self, parameters: tuple[ListParameter, ...], principal: Principal | None) -> Selection:
        selection = Selection(EMPTY_TREE, page_size=self.operation.page_size or 0, order=self.default_order)
        reading = _Reading(selection, principal.scopes if principal else frozenset[str]())
        details: list[Detail] = []
        seen: set[tuple[str, str]] = set()
        for parameter in parameters:
            shown = parameter.name if parameter.operator is None else f"{parameter.name}[{parameter.operator}]"
            key = (parameter.name, parameter.operator or "eq")
            if key in seen:
                details.append(Detail(shown, "repeated_parameter", "The parameter is given more than once"))
                continue
            seen.add(key)
            try:
                self._apply(parameter, reading)
            except ValueError as error:
                code = "unknown_parameter" if isinstance(error, _Unknown) else "invalid_parameter"
                details.append(Detail(shown, code, str(error)))
        if selection.cursor is not None and "page" in selection.paging:
            message = "A list goes on by cursor or by page: leave one of the two out"
            details.append(Detail("page", "invalid_parameter", message))
        if details:
            raise Invalid("Invalid parameters", details=details)
        selection.conditions = tuple(reading.conditions)
        selection.values = tuple(reading.values)
        if reading.asked:
            selection.tree = _tree(reading)
        if self.is_list:
            selection.bound_to = self._bound_to(reading)
        return selection

    def _apply(self, parameter: ListParameter, reading: _Reading) -> None:
        selection, name = reading.selection, parameter.name
        if parameter.operator is None and self._choose(parameter, reading):
            return
        if self.includes and "." in name:
            self._of_relation(parameter, reading)
            return
        if not self.is_list:
            raise self._unknown()
        if parameter.operator is None and name in _PARTS:
            selection.paging += (name,)
            if name == "page":
                selection.page = _whole(parameter.value, 1, PAGE_MAX)
            elif name == "pageSize":
                selection.page_size = _whole(parameter.value, 1, self.operation.max_page_size or 1)
            elif name == "cursor":
                selection.cursor = parameter.value
            else:
                if parameter.value != "true":
                    raise ValueError("Input should be true; leave count out where the total is not wanted")
                selection.count = True
        elif parameter.operator is None and name == "sort":
            selection.order = _sort(parameter.value, self.rules)
        else:
            condition, value = self._condition(name, parameter, self.rules, reading, lambda: self.allowed)
            reading.conditions.append(condition)
            reading.filters.append((name, parameter.operator or "eq", str(value)))

    def _choose(self, parameter: ListParameter, reading: _Reading) -> bool:
        """What of the rows is asked for: `include` and `fields`."""
        if parameter.name == "include" and self.includes:
            paths = parameter.value.split(",")
            if len(paths) > INCLUDES_MAX:
                raise ValueError(f"At most {INCLUDES_MAX} relations can be included")
            for path in paths:
                self._relation(path, reading)
        elif parameter.name == "fields" and self.chooses:
            paths = parameter.value.split(",")
            if len(paths) > FIELDS_MAX:
                raise ValueError(f"At most {FIELDS_MAX} fields can be listed")
            for path in paths:
                self._field(path, reading)
        else:
            return False
        return True

    def _condition(
        self,
        name: str,
        parameter: ListParameter,
        rules: Rules,
        reading: _Reading,
        allowed: Callable[[], Sequence[str]],
    ) -> tuple[Node, Any]:
        """A filter, and its value for cursors."""
        field = rules.filters.get(name)
        if field is None or not can_see(field, reading.scopes):
            raise self._unknown(allowed())
        operator = parameter.operator or "eq"
        if operator not in field.filters:
            raise _Unknown(f"{field.public_name} has no filter {operator!r}; allowed are {', '.join(field.filters)}")
        parse, path = rules.parsers[name], (field.name,)
        if operator == "isNull":
            wanted = _flag(parameter.value)
            return Compare(path, "isNull" if wanted else "isNotNull"), wanted
        value: Any
        if operator == "in":
            parts = parameter.value.split(",")
            if len(parts) > IN_MAX:
                raise ValueError(f"At most {IN_MAX} values can be listed")
            value = [parse(part) for part in parts]
        else:
            value = parse(parameter.value)
        if operator == "ne":  # the exact complement of "eq"
            return Not(Compare(path, "eq", reading.slot(value))), value
        return Compare(path, cast("Operator", operator), reading.slot(value)), value

    # -- relations

    def _root(self, reading: _Reading) -> _Asked:
        return reading.asked.setdefault((), _Asked(IncludeTree(), self.resource))

    def _relation(self, path: str, reading: _Reading) -> _Asked:
        """The relation at a path, which is included by being named."""
        names = path.split(".")
        if len(names) > INCLUDE_DEPTH_MAX:
            raise ValueError(f"Relations can be included {INCLUDE_DEPTH_MAX} levels deep")
        found = self._root(reading)
        at: tuple[str, ...] = ()
        for name in names:
            allowed = {each.public_name: each for each in found.resource.shape.output.relations}
            if name not in allowed:
                raise ValueError(
                    f"{found.resource.name} has no relation {name!r} to include; allowed are {', '.join(allowed) or 'none'}"
                )
            relation = found.resource.relations_by_name[allowed[name].name]
            at = (*at, relation.name)
            below = reading.asked.get(at)
            if below is None:
                if len(reading.asked) > RELATIONS_MAX:
                    raise ValueError(f"At most {RELATIONS_MAX} relations can be asked for")
                tree = found.tree.children.setdefault(relation.name, IncludeTree(".".join(at)))
                below = reading.asked[at] = _Asked(
                    tree, self.views.plan.by_name[relation.target], relation, allowed[name].rows
                )
            found = below
        return found

    def _field(self, path: str, reading: _Reading) -> None:
        """One name of `fields`: a field, or a relation as a whole; with dots, of a relation."""
        before, dot, name = path.rpartition(".")
        found = self._relation(before, reading) if dot else self._root(reading)
        visible = {f.public_name: f.name for f in found.resource.fields if can_see(f, reading.scopes)}
        relations = {each.public_name for each in found.resource.shape.output.relations}
        if name not in visible and name not in relations:
            allowed = ", ".join([*visible, *sorted(relations)])
            raise ValueError(f"{found.resource.name} has no field {name!r}; allowed are {allowed}")
        self._narrow(before, reading)
        if name in visible:
            assert found.fields is not None, "it was narrowed just now"
            found.fields.add(visible[name])
        else:
            self._relation(path, reading).whole = True

    def _narrow(self, path: str, reading: _Reading) -> None:
        """From now on, only what is named comes of the resources along a path."""
        parts = path.split(".") if path else []
        for length in range(len(parts) + 1):
            asked = self._relation(".".join(parts[:length]), reading) if length else self._root(reading)
            if asked.fields is None:
                asked.fields = set()

    def _of_relation(self, parameter: ListParameter, reading: _Reading) -> None:
        """A parameter of an included list: the same as that of a list, with the relation's path before it."""
        path, _, name = parameter.name.rpartition(".")
        asked = self._relation(path, reading)
        relation = asked.relation
        assert relation is not None, "the path is not empty"
        if asked.rows is None:
            raise _Unknown(f"{path} is one row, not a list: it takes no parameters")
        rules = self.rules_of(relation, asked.rows)
        if parameter.operator is None and name == "limit":
            asked.tree.limit = reading.slot(_whole(parameter.value, 1, relation.max_items))
        elif parameter.operator is None and name == "sort" and rules.sortable:
            asked.tree.order = _sort(parameter.value, rules)
        else:

            def allowed() -> list[str]:
                sort = [f"{path}.sort"] if rules.sortable else []
                return [f"{path}.limit", *sort, *rules.names(f"{path}.")]

            condition, _ = self._condition(name, parameter, rules, reading, allowed)
            asked.tree.conditions += (condition,)

    # -- parts

    def _bound_to(self, reading: _Reading) -> bytes:
        order = [
            (entry.path[0], entry.descending, self.resource.fields_by_name[entry.path[0]].kind)
            for entry in total_order(reading.selection.order)
        ]
        return orjson.dumps([self.views.plan.base_path, self.operation.id, order, sorted(reading.filters)])

    def _unknown(self, allowed: Sequence[str] | None = None) -> _Unknown:
        names = self.allowed if allowed is None else allowed
        return _Unknown(f"There is no such parameter; allowed are {', '.join(names) or 'none'}")

    def _allowed(self) -> tuple[str, ...]:
        names: list[str] = ["page", "pageSize"] if self.is_list else []
        names += ["sort"] if self.rules.sortable else []
        names += ["include"] if self.includes else []
        names += self.rules.names()
        names += ["cursor", "count"] if self.is_list else []
        names += ["fields"] if self.chooses else []
        return tuple(names)


class _Unknown(ValueError):
    """A parameter that does not exist here."""


def _whole(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 12 or not low <= int(text) <= high:
        raise ValueError(f"Input should be a whole number from {low} to {high}")
    return int(text)


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("Input should be true or false")
    return text == "true"


def _sort(text: str, rules: Rules) -> tuple[Order, ...]:
    order: dict[str, bool] = {}
    parts = text.split(",")
    if len(parts) > SORTS_MAX:
        raise ValueError(f"At most {SORTS_MAX} fields can be sorted by")
    for part in parts:
        name = rules.sortable.get(part.removeprefix("-"))
        if name is None:
            raise ValueError(
                f"Cannot sort by {part.removeprefix('-')!r}; allowed are {', '.join(rules.sortable) or 'none'}"
            )
        order.setdefault(name, part.startswith("-"))  # a second time changes nothing in the order
    return tuple(ordered(name, descending) for name, descending in order.items())


def _tree(reading: _Reading) -> IncludeTree:
    """What was asked for, as a tree."""
    for asked in reading.asked.values():
        asked.tree.fields = None if asked.whole or asked.fields is None else frozenset(asked.fields)
    return reading.asked[()].tree
