"""The parameters of reads: page, order, filters, includes. Checked against what the contract allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sternpost.errors import Detail, Invalid
from sternpost.pipeline.call import ListParameter
from sternpost.pipeline.inputs import Inputs
from sternpost.pipeline.views import EMPTY_TREE, INCLUDE_DEPTH_MAX, INCLUDES_MAX, IncludeTree, Views
from sternpost.plan.model import FieldPlan, OperationPlan, ResourcePlan
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Condition

PAGE_MAX = 10_000_000
SORTS_MAX = 20
KEPT_MAX = 1000
KEPT_CHARACTERS_MAX = 300
"""Parameters that are kept once they are checked: so many of one operation, and no longer ones."""

IN_MAX = 100
"""Values that one `in` filter may list."""


@dataclass(slots=True)
class Selection:
    """Checked parameters."""

    includes: IncludeTree
    page: int = 1
    page_size: int = 0
    sort: tuple[tuple[str, bool], ...] = ()
    conditions: tuple[Condition, ...] = ()
    values: tuple[Any, ...] = ()


class Selector:
    """Reads the parameters of one operation; everything it needs is prepared at start."""

    def __init__(self, resource: ResourcePlan, operation: OperationPlan, inputs: Inputs, views: Views) -> None:
        self.resource = resource
        self.operation = operation
        self.views = views
        self.is_list = operation.kind == "browse"
        self.includes = operation.kind in ("browse", "read") and bool(views.includable(resource))
        self.filters: dict[str, FieldPlan] = (
            {f.public_name: f for f in resource.fields if f.filters} if self.is_list else {}
        )
        self.parsers: dict[str, Callable[[str], Any]] = {name: inputs.text_value(f) for name, f in self.filters.items()}
        self.sortable = {resource.fields_by_name[name].public_name: name for name in operation.sort}
        self.default_sort = tuple((name.removeprefix("-"), name.startswith("-")) for name in operation.default_sort)
        self.allowed = self._allowed()

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
            found = self._select(parameters, principal)
            if sum(len(parameter.value) for parameter in parameters) <= KEPT_CHARACTERS_MAX:
                if len(kept) >= KEPT_MAX:
                    kept.clear()
                kept[parameters] = found
        return found

    def _select(self, parameters: tuple[ListParameter, ...], principal: Principal | None) -> Selection:
        selection = Selection(EMPTY_TREE, page_size=self.operation.page_size or 0, sort=self.default_sort)
        details: list[Detail] = []
        conditions: list[tuple[Condition, Any]] = []
        seen: set[tuple[str, str]] = set()
        for parameter in parameters:
            shown = parameter.name if parameter.operator is None else f"{parameter.name}[{parameter.operator}]"
            key = (parameter.name, parameter.operator or "eq")
            if key in seen:
                details.append(Detail(shown, "repeated_parameter", "The parameter is given more than once"))
                continue
            seen.add(key)
            try:
                self._apply(parameter, selection, conditions, principal)
            except ValueError as error:
                code = "unknown_parameter" if isinstance(error, _Unknown) else "invalid_parameter"
                details.append(Detail(shown, code, str(error)))
        if details:
            raise Invalid("Invalid parameters", details=details)
        selection.conditions = tuple(condition for condition, _ in conditions)
        selection.values = tuple(value for _, value in conditions)
        return selection

    def _apply(
        self,
        parameter: ListParameter,
        selection: Selection,
        conditions: list[tuple[Condition, Any]],
        principal: Principal | None,
    ) -> None:
        if parameter.operator is None and parameter.name == "include" and self.includes:
            selection.includes = self._includes(parameter.value)
        elif not self.is_list:
            raise self._unknown()
        elif parameter.operator is None and parameter.name == "page":
            selection.page = _whole(parameter.value, 1, PAGE_MAX)
        elif parameter.operator is None and parameter.name == "pageSize":
            selection.page_size = _whole(parameter.value, 1, self.operation.max_page_size or 1)
        elif parameter.operator is None and parameter.name == "sort":
            selection.sort = self._sort(parameter.value)
        else:
            conditions.append(self._condition(parameter, principal))

    def _condition(self, parameter: ListParameter, principal: Principal | None) -> tuple[Condition, Any]:
        field = self.filters.get(parameter.name)
        hidden = (
            field is not None
            and field.read_scope is not None
            and not (principal and field.read_scope in principal.scopes)
        )
        if field is None or hidden:
            raise self._unknown()
        operator = parameter.operator or "eq"
        if operator not in field.filters:
            raise _Unknown(f"{field.public_name} has no filter {operator!r}; allowed are {', '.join(field.filters)}")
        parse = self.parsers[parameter.name]
        if operator == "isNull":
            if parameter.value not in ("true", "false"):
                raise ValueError("Input should be true or false")
            return Condition(field.name, "isNull" if parameter.value == "true" else "isNotNull"), None
        if operator == "in":
            parts = parameter.value.split(",")
            if len(parts) > IN_MAX:
                raise ValueError(f"At most {IN_MAX} values can be listed")
            return Condition(field.name, operator), [parse(part) for part in parts]
        return Condition(field.name, operator), parse(parameter.value)

    def _sort(self, text: str) -> tuple[tuple[str, bool], ...]:
        order: dict[str, bool] = {}
        parts = text.split(",")
        if len(parts) > SORTS_MAX:
            raise ValueError(f"At most {SORTS_MAX} fields can be sorted by")
        for part in parts:
            name = self.sortable.get(part.removeprefix("-"))
            if name is None:
                raise ValueError(
                    f"Cannot sort by {part.removeprefix('-')!r}; allowed are {', '.join(self.sortable) or 'none'}"
                )
            order.setdefault(name, part.startswith("-"))  # a second time changes nothing in the order
        return tuple(order.items())

    def _includes(self, text: str) -> IncludeTree:
        paths = text.split(",")
        if len(paths) > INCLUDES_MAX:
            raise ValueError(f"At most {INCLUDES_MAX} relations can be included")
        root = IncludeTree()
        for path in paths:
            names = path.split(".")
            if len(names) > INCLUDE_DEPTH_MAX:
                raise ValueError(f"Relations can be included {INCLUDE_DEPTH_MAX} levels deep")
            resource, tree = self.resource, root
            for name in names:
                allowed = {relation.public_name: relation for relation in self.views.includable(resource)}
                if name not in allowed:
                    raise ValueError(
                        f"{resource.name} has no relation {name!r} to include; allowed are {', '.join(allowed) or 'none'}"
                    )
                tree = tree.children.setdefault(allowed[name].name, IncludeTree())
                resource = self.views.plan.by_name[allowed[name].target]
        return root

    def _unknown(self) -> _Unknown:
        return _Unknown(f"There is no such parameter; allowed are {', '.join(self.allowed) or 'none'}")

    def _allowed(self) -> tuple[str, ...]:
        names: list[str] = ["page", "pageSize"] if self.is_list else []
        names += ["sort"] if self.sortable else []
        names += ["include"] if self.includes else []
        for name, field in self.filters.items():
            if field.read_scope is None:
                names += [name if operator == "eq" else f"{name}[{operator}]" for operator in field.filters]
        return tuple(names)


class _Unknown(ValueError):
    """A parameter that does not exist here."""


def _whole(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 12 or not low <= int(text) <= high:
        raise ValueError(f"Input should be a whole number from {low} to {high}")
    return int(text)
