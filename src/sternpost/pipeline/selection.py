"""The parameters of reads: page, order, filters, fields, includes. Checked against what the contract allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

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
from sternpost.ports.storage import Condition, IncludeValues, whole_order

_BEGIN = ListParameter("cursor", None, "")
_PARTS = ("page", "pageSize", "cursor", "count")
KEPT_MAX = 1000
KEPT_CHARACTERS_MAX = 300
"""Parameters that are kept once they are checked: so many of one operation, and no longer ones."""


@dataclass(slots=True)
class Selection:
    """Checked parameters.

    Attributes:
        tree: the fields and relations that are asked for.
        included: values for the relations of `tree`, by their path.
        cursor: where the list goes on; empty for its beginning, None where pages are asked for by number.
        count: whether the total is wanted with a cursor; pages by number always tell it.
        bound_to: what a cursor of this list is bound to: the same text stands for the same rows in the same order.
        paging: the parameters given that divide the list into parts.
    """

    tree: IncludeTree
    page: int = 1
    page_size: int = 0
    sort: tuple[tuple[str, bool], ...] = ()
    conditions: tuple[Condition, ...] = ()
    values: tuple[Any, ...] = ()
    included: dict[str, IncludeValues] = field(default_factory=dict[str, IncludeValues])
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
    values: list[Any] = field(default_factory=list[Any])
    limit: int | None = None


@dataclass(slots=True)
class _Reading:
    """One reading of parameters: who sent them, and what came of them by now."""

    selection: Selection
    scopes: frozenset[str]
    conditions: list[tuple[Condition, Any]] = field(default_factory=list[tuple[Condition, Any]])
    asked: dict[tuple[str, ...], _Asked] = field(default_factory=dict[tuple[str, ...], _Asked])


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
        self.default_sort = tuple((name.removeprefix("-"), name.startswith("-")) for name in operation.default_sort)
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
        selection = Selection(EMPTY_TREE, page_size=self.operation.page_size or 0, sort=self.default_sort)
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
        selection.conditions = tuple(condition for condition, _ in reading.conditions)
        selection.values = tuple(value for _, value in reading.conditions)
        if reading.asked:
            selection.tree = _tree(reading)
        if self.is_list:
            selection.bound_to = self._bound_to(selection)
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
            selection.sort = _sort(parameter.value, self.rules)
        else:
            reading.conditions.append(
                self._condition(name, parameter, self.rules, reading.scopes, lambda: self.allowed)
            )

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
        scopes: frozenset[str],
        allowed: Callable[[], Sequence[str]],
    ) -> tuple[Condition, Any]:
        field = rules.filters.get(name)
        if field is None or not can_see(field, scopes):
            raise self._unknown(allowed())
        operator = parameter.operator or "eq"
        if operator not in field.filters:
            raise _Unknown(f"{field.public_name} has no filter {operator!r}; allowed are {', '.join(field.filters)}")
        parse = rules.parsers[name]
        if operator == "isNull":
            return Condition(field.name, "isNull" if _flag(parameter.value) else "isNotNull"), None
        if operator == "in":
            parts = parameter.value.split(",")
            if len(parts) > IN_MAX:
                raise ValueError(f"At most {IN_MAX} values can be listed")
            return Condition(field.name, operator), [parse(part) for part in parts]
        return Condition(field.name, operator), parse(parameter.value)

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
            asked.limit = _whole(parameter.value, 1, relation.max_items)
            asked.tree.limited = True
        elif parameter.operator is None and name == "sort" and rules.sortable:
            asked.tree.sort = _sort(parameter.value, rules)
        else:

            def allowed() -> list[str]:
                sort = [f"{path}.sort"] if rules.sortable else []
                return [f"{path}.limit", *sort, *rules.names(f"{path}.")]

            condition, value = self._condition(name, parameter, rules, reading.scopes, allowed)
            asked.tree.conditions += (condition,)
            asked.values.append(value)

    # -- parts

    def _bound_to(self, selection: Selection) -> bytes:
        order = [
            (name, descending, self.resource.fields_by_name[name].kind)
            for name, descending in whole_order(selection.sort)
        ]
        filters = sorted(
            (condition.field, condition.operator, str(value))
            for condition, value in zip(selection.conditions, selection.values, strict=True)
        )
        return orjson.dumps([self.views.plan.base_path, self.operation.id, order, filters])

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


def _sort(text: str, rules: Rules) -> tuple[tuple[str, bool], ...]:
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
    return tuple(order.items())


def _tree(reading: _Reading) -> IncludeTree:
    """What was asked for, as a tree; values go apart from it."""
    for asked in reading.asked.values():
        tree = asked.tree
        tree.fields = None if asked.whole or asked.fields is None else frozenset(asked.fields)
        if tree.conditions or tree.limited:
            reading.selection.included[tree.path] = IncludeValues(tuple(asked.values), asked.limit)
    return reading.asked[()].tree
