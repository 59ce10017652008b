"""The input of a GET operation: parameters of the query, as values of its payload's fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sternpost.errors import Detail, Invalid
from sternpost.kinds import KINDS
from sternpost.pipeline.list_query import ListQuery
from sternpost.plan.model import FieldPlan, OperationPlan
from sternpost.plan.structures import items_of
from sternpost.protocols.rest.query import of_pairs, pairs_of, values_of

_PAGING = ("page", "pageSize")


class Parameters:
    """Reads the query of one operation."""

    def __init__(self, operation: OperationPlan) -> None:
        fields = operation.input.fields if operation.input is not None else ()
        self._fields = {field.public_name: _reader(field) for field in fields}
        self._paging = _PAGING if operation.is_paged else ()
        self._has_input = operation.input is not None

    def read(self, query: bytes) -> tuple[dict[str, Any] | None, ListQuery]:
        """The input, which is still to be validated, and which page is asked for.

        Raises:
            Invalid: the query is malformed, or has a parameter twice.
        """
        body: dict[str, Any] = {}
        paging: list[tuple[str, str]] = []
        for name, text in pairs_of(query):
            if name in self._paging or not self._has_input:
                paging.append((name, text))
            elif name in body:
                detail = Detail(name, "repeated_parameter", "The parameter is given more than once")
                raise Invalid("Invalid parameters", details=[detail])
            else:
                body[name] = self._fields[name](text) if name in self._fields else text
        return body if self._has_input else None, of_pairs(paging)


def _reader(field: FieldPlan) -> Callable[[str], Any]:
    items = items_of(field)
    if items is None:
        return _single(field)
    single = _single(items)
    return lambda text: [single(part) for part in values_of(text)] if text else []


def _single(field: FieldPlan) -> Callable[[str], Any]:
    """Makes what JSON would have of a text; a text that cannot be such a value stays one, which validation tells."""
    kind = KINDS[field.kind]
    if kind.types[0] not in (int, float, bool) or kind.from_text is None:
        return str
    parse = kind.from_text(field)

    def read(text: str) -> Any:
        try:
            return parse(text)
        except ValueError:
            return text

    return read
