"""Compiles what operations of the author's own take and give: inputs, outputs, statuses and headers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.fields import LIST_PARAMETERS
from sternpost.compile.names import listed
from sternpost.compile.options import Add, shown
from sternpost.compile.outputs import is_own, refuse_input
from sternpost.compile.policies import PolicyCompiler
from sternpost.contract.fields import UNSET
from sternpost.contract.operations import (
    Browse,
    Custom,
    Operation,
    Transition,
)
from sternpost.contract.resource import Payload
from sternpost.kinds import ANYTHING
from sternpost.plan.model import OperationKind, PayloadPlan
from sternpost.plan.shapes import WRITABLE
from sternpost.plan.structures import constant, items_of
from sternpost.web import Redirect, check_name


class OwnOperationCompiler:
    """Compiles the operations of one class, as far as their author shapes them."""

    def __init__(
        self,
        draft: ResourceDraft,
        policies: PolicyCompiler,
        payload: Callable[[Any], PayloadPlan | None],
        base_path: str,
        report: Report,
        *,
        misused: bool,
    ) -> None:
        self.draft = draft
        self.resource = draft.name
        self.path = draft.path
        self.fields = draft.fields
        self.policies = policies
        self.payload = payload
        self.base_path = base_path
        self.report = report
        self.misused = misused

    def _page_sizes(self, name: str, operation: Browse | Custom) -> tuple[int, int]:
        if not 1 <= operation.page_size <= operation.max_page_size <= 1000:
            self._add(
                name,
                "SP405",
                f"page_size={operation.page_size} and max_page_size={operation.max_page_size} do not fit together",
                "choose values with 1 ≤ page_size ≤ max_page_size ≤ 1000",
                "max_page_size" if operation.page_size == Browse.page_size else "page_size",
            )
        return operation.page_size, operation.max_page_size

    def _custom(self, name: str, operation: Custom) -> tuple[str, bool, int, bool]:
        if operation.method not in ("POST", "GET"):  # pyright: ignore[reportUnnecessaryContains]
            self._add(
                name,
                "SP410",
                f"method={shown(operation.method)} is neither 'POST' nor 'GET'",
                "use POST for operations that change data, GET for operations that only read",
                "method",
            )
        if operation.on not in ("item", "collection"):  # pyright: ignore[reportUnnecessaryContains]
            self._add(
                name,
                "SP410",
                f"on={shown(operation.on)} is neither 'item' nor 'collection'",
                'use on="item" or on="collection"',
                "on",
            )
        if operation.on == "collection" and operation.output is UNSET:
            self._add(
                name,
                "SP410",
                "an operation on a collection has no row to return",
                "declare output=… (a Payload), or output=None",
                "on",
            )
        nothing = operation.output is None
        return (
            "GET" if operation.method == "GET" else "POST",
            operation.on != "collection",
            204 if nothing else 303 if operation.output is Redirect else 200,
            nothing,
        )

    def _status(self, name: str, operation: Custom, usual: int) -> int:
        if operation.status is None:
            return usual
        if (operation.status == 204 and operation.output is not None) or is_own(operation.output):
            self._add(
                name,
                "SP427",
                f"status={operation.status} does not fit the output",
                "leave status out: 204 is for an empty answer (output=None), and redirects and own media types have "
                "their own",
                "status",
            )
        return operation.status

    def _headers(self, name: str, operation: Transition | Custom) -> tuple[tuple[str, str], ...]:
        for header in operation.headers:
            try:
                check_name(header)
            except ValueError as error:
                self._add(name, "SP428", f"headers={shown(header)}: {error}", "name another header", "headers")
        return tuple(operation.headers.items())

    def _check_paged(self, name: str, operation: Custom) -> None:
        if operation.method != "GET":
            self._add(
                name,
                "SP410",
                "a Page is read by its number, and a POST request has no such parameter",
                'write method="GET", or output=list[…]',
                "output",
            )

    def _check_parameters(self, name: str, payload: PayloadPlan) -> None:
        for field in payload.fields:
            if field.kind == ANYTHING and items_of(field) is None:
                self._add(
                    name,
                    "SP429",
                    f"{payload.name}.{field.name} is an object or a nested list, which no parameter can be",
                    'use single values and lists of them, or method="POST"',
                    "input",
                )
            elif field.public_name in LIST_PARAMETERS | {"pageSize"}:
                self._add(
                    name,
                    "SP429",
                    f"{payload.name}.{field.name}: a parameter named {field.public_name!r} has a meaning of its own",
                    "rename the field",
                    "input",
                )

    def _example(
        self, name: str, operation: Operation, kind: OperationKind, given: PayloadPlan | None
    ) -> tuple[tuple[str, Any], ...]:
        """The example of an input, JSON-ready; members that do not fit are reported."""
        if not operation.example:
            return ()
        fields = {field.name: field for field in given.fields} if given is not None else {}
        if kind in WRITABLE:
            fields = {name: field for name, field in self.fields.items() if field.write in WRITABLE[kind]}
        found: list[tuple[str, Any]] = []
        for member, value in operation.example.items():
            field = fields.get(member)
            converted = None if field is None or value is None else constant(field, value)
            if field is not None and (converted is not None or (value is None and field.nullable)):
                found.append((field.public_name, converted))
            else:
                self._add(
                    name,
                    "SP431",
                    f"the example has {shown(member)}, which is no member of the input"
                    if field is None
                    else f"the example of {member}, {shown(value)}, does not fit the field",
                    f"use some of {listed(fields)}" if fields else "leave example out: the operation takes no input",
                    "example",
                )
        return tuple(found)

    def _input(self, name: str, operation: Transition | Custom) -> PayloadPlan | None:
        if is_own(operation.input):
            refuse_input(operation.input, self._adder(name))
            return None
        return self._payload(name, "input", operation.input)

    def _payload(self, name: str, keyword: str, declared: Any) -> PayloadPlan | None:
        if declared is None:
            return None
        text = shown(declared)
        if not (isinstance(declared, type) and issubclass(declared, Payload)):
            self._add(
                name,
                "SP411",
                f"{keyword}={text} is not a Payload"
                + (", and no resource of the contract" if keyword == "output" else ""),
                f"declare class {name.title().replace('_', '')}(Payload) and write "
                f"{keyword}={name.title().replace('_', '')}",
                keyword,
            )
            return None
        return self.payload(declared)

    def _adder(self, name: str) -> Add:
        return lambda option, code, message, fix: self._add(name, code, message, fix, option)

    def _add(self, name: str, code: str, message: str, fix: str, keyword: str | None = None) -> None:
        self.report.add(self.draft.where(name, keyword), code, f"{self.resource}.{name}: {message}", fix)
