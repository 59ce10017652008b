"""Checks the operations of a resource and turns them into `OperationPlan`s with their addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import SNAKE, camel, kebab, listed
from sternpost.compile.policies import PolicyCompiler
from sternpost.contract.fields import UNSET
from sternpost.contract.operations import Browse, Create, Custom, Delete, Operation, Read, Replace, Transition, Update
from sternpost.contract.policy import Policy
from sternpost.contract.resource import Declaration, Payload
from sternpost.contract.source import Source, attribute_source
from sternpost.plan.model import FieldPlan, OperationKind, OperationPlan, PayloadPlan
from sternpost.plan.policy import Not, Public

_KINDS: dict[type[Operation], tuple[OperationKind, str, bool, int]] = {
    Browse: ("browse", "GET", False, 200),
    Read: ("read", "GET", True, 200),
    Create: ("create", "POST", False, 201),
    Replace: ("replace", "PUT", True, 200),
    Update: ("update", "PATCH", True, 200),
    Delete: ("delete", "DELETE", True, 204),
    Transition: ("transition", "POST", True, 200),
    Custom: ("custom", "POST", True, 200),
}
_SUMMARY: dict[str, str] = {
    "browse": "List {many}", "read": "Read {one}", "create": "Create {one}", "replace": "Replace {one}",
    "update": "Change {one}", "delete": "Delete {one}", "transition": "Take {one} to {target}", "custom": "{name}",
}
_SUCCESS: dict[str, str] = {
    "browse": "{Many} listed", "read": "{One} read", "create": "{One} created", "replace": "{One} replaced",
    "update": "{One} updated", "delete": "{One} deleted", "transition": "{One} is now {target}", "custom": "{One}: {name} done",
}


class OperationCompiler:
    """Compiles the operations of one class."""

    def __init__(
        self,
        declaration: Declaration,
        path: str,
        fields: dict[str, FieldPlan],
        policies: PolicyCompiler,
        payload: Callable[[Any], PayloadPlan | None],
        base_path: str,
        report: Report,
    ) -> None:
        self.declaration = declaration
        self.path = path
        self.fields = fields
        self.policies = policies
        self.payload = payload
        self.base_path = base_path
        self.report = report

    def compile_all(self, operations: dict[str, Operation]) -> tuple[OperationPlan, ...]:
        """All operations of the class, in the order of their declaration."""
        seen: dict[tuple[str, str], str] = {}
        plans: list[OperationPlan] = []
        for name, operation in operations.items():
            plan = self._operation(name, operation)
            previous = seen.setdefault((plan.method, plan.path), name)
            if previous != name:
                code = "SP403" if plan.kind not in ("transition", "custom") else "SP413"
                self._add(name, code, f"{plan.method} {plan.path} is {previous} already", "remove or rename one of the two")
            plans.append(plan)
        return tuple(plans)

    def _operation(self, name: str, operation: Operation) -> OperationPlan:
        kind, method, on_item, status = _KINDS[type(operation)]
        if not SNAKE.fullmatch(name):
            self._add(name, "SP420", f"the name {name!r} is not in lower case with underscores", "rename it, for example to mark_read")
        if operation.timeout is not None and operation.timeout <= 0:
            self._add(name, "SP412", f"timeout={operation.timeout} is not positive", "give it in seconds, such as timeout=5", "timeout")
        page_size = max_page_size = target = state_field = None
        sort: tuple[str, ...] = ()
        default_sort: tuple[str, ...] = ()
        sources: tuple[str, ...] = ()
        input_plan = output_plan = None
        returns_nothing = kind == "delete"
        if isinstance(operation, Browse):
            page_size, max_page_size = self._page_sizes(name, operation)
            sort = self._sortable(name, operation.sort, "sort")
            default_sort = self._sortable(name, operation.default_sort, "default_sort", signed=True)
        elif isinstance(operation, Transition):
            state_field, sources, target = self._states(name, operation)
        elif isinstance(operation, Custom):
            method, on_item, status, returns_nothing = self._custom(name, operation)
            input_plan = self._payload(name, "input", operation.input)
            output_plan = None if operation.output in (UNSET, None) else self._payload(name, "output", operation.output)
        words = self._words(name, target or "")
        suffix = "" if kind not in ("transition", "custom") else f"/{kebab(name)}"
        return OperationPlan(
            id=f"{camel(self.path.replace('-', '_'))}.{camel(name)}",
            name=name, kind=kind, resource=self.declaration.name, method=method,
            path=f"{self.base_path}/{self.path}" + ("/{id}" if on_item else "") + suffix,
            on_item=on_item, policy=self._policy(name, operation, kind),
            summary=operation.summary or _SUMMARY[kind].format(**words), success_message=_SUCCESS[kind].format(**words),
            status=status, page_size=page_size, max_page_size=max_page_size, sort=sort, default_sort=default_sort,
            state_field=state_field, sources=sources, target=target, input=input_plan, output=output_plan,
            returns_nothing=returns_nothing, timeout_seconds=operation.timeout, has_service=False,
        )

    def _words(self, name: str, target: str) -> dict[str, str]:
        spaced = self.path.replace("-", " ")
        one = "".join(f" {c.lower()}" if c.isupper() else c for c in self.declaration.name).strip()
        article = "an" if one[0] in "aeiou" else "a"
        return {"many": spaced, "Many": spaced.capitalize(), "one": f"{article} {one}", "One": one.capitalize(),
                "name": name.replace("_", " "), "target": target}

    def _policy(self, name: str, operation: Operation, kind: OperationKind) -> Any:
        where = self._where(name, "allow")
        if operation.allow is UNSET:
            self._add(name, "SP401", "the operation does not say who may", "add allow=…, for example allow=authenticated, or allow=public to open it")
            return Not(Public())
        if not isinstance(operation.allow, Policy):  # pyright: ignore[reportUnnecessaryIsInstance]
            self._add(name, "SP402", f"allow={operation.allow!r} is not a policy",
                      'use public, authenticated, scope("…"), this.is_owner, or these joined by & and |', "allow")
            return Not(Public())
        creates = kind == "create" or (isinstance(operation, Custom) and operation.on == "collection")
        return self.policies.compile(operation.allow, name, where, creates=creates)

    def _page_sizes(self, name: str, operation: Browse) -> tuple[int, int]:
        if not 1 <= operation.page_size <= operation.max_page_size <= 1000:
            self._add(name, "SP405", f"page_size={operation.page_size} and max_page_size={operation.max_page_size} do not fit",
                      "keep 1 ≤ page_size ≤ max_page_size ≤ 1000", "page_size")
        return operation.page_size, operation.max_page_size

    def _sortable(self, name: str, wanted: Sequence[str], keyword: str, *, signed: bool = False) -> tuple[str, ...]:
        possible = [field.name for field in self.fields.values() if field.kind not in ("json", "id") and field.read_scope is None]
        names = [item.removeprefix("-") if signed else item for item in wanted]
        unknown = [item for item in names if item not in possible]
        if unknown:
            self._add(name, "SP404", f"{self.declaration.name} cannot be sorted by {listed(unknown)}", f"use some of {listed(possible)}", keyword)
        return tuple(wanted)

    def _states(self, name: str, operation: Transition) -> tuple[str, tuple[str, ...], str]:
        sources = (operation.source,) if isinstance(operation.source, str) else tuple(operation.source)
        field = self.fields.get(operation.field)
        if field is None or field.kind != "enum" or field.nullable:
            self._add(name, "SP406", f"{operation.field!r} is not an enum field that always has a value",
                      f"name one of {listed(f.name for f in self.fields.values() if f.kind == 'enum')}")
            return operation.field, sources, operation.target
        unknown = [state for state in (*sources, operation.target) if state not in field.choices]
        if unknown:
            self._add(name, "SP407", f"{field.name} has no state {listed(unknown)}", f"use some of {listed(field.choices)}")
        if field.write != "never":
            self._add(field.name, "SP408", f"the transition {name} guards this state, but clients can also write it directly",
                      'add write="never" to the field', "write")
        if operation.target in sources:
            self._add(name, "SP409", f"it starts from {operation.target!r} and ends there", "leave the target out of the sources")
        return field.name, sources, operation.target

    def _custom(self, name: str, operation: Custom) -> tuple[str, bool, int, bool]:
        if operation.method not in ("POST", "GET"):  # pyright: ignore[reportUnnecessaryContains]
            self._add(name, "SP410", f"method={operation.method!r} is neither POST nor GET", "use POST for what changes something, GET for what only reads", "method")
        if operation.on not in ("item", "collection"):  # pyright: ignore[reportUnnecessaryContains]
            self._add(name, "SP410", f"on={operation.on!r} is neither item nor collection", 'use on="item" or on="collection"', "on")
        if operation.method == "GET" and operation.input is not None:
            self._add(name, "SP410", "a GET has no body, but an input is declared", "use POST, or leave the input out", "input")
        if operation.on == "collection" and operation.output is UNSET:
            self._add(name, "SP410", "on a collection there is no row to answer with", "declare output=… (a Payload), or output=None", "on")
        nothing = operation.output is None
        return cast("str", operation.method), operation.on == "item", 204 if nothing else 200, nothing

    def _payload(self, name: str, keyword: str, declared: Any) -> PayloadPlan | None:
        if declared is None:
            return None
        if not (isinstance(declared, type) and issubclass(declared, Payload)):
            self._add(name, "SP411", f"{keyword}={declared!r} is not a Payload", f"declare class {name.title().replace('_', '')}(Payload) and name it", keyword)
            return None
        return self.payload(declared)

    def _where(self, name: str, keyword: str | None = None) -> Source:
        return attribute_source(self.declaration.source, self.declaration.name, name, keyword)

    def _add(self, name: str, code: str, message: str, fix: str, keyword: str | None = None) -> None:
        self.report.add(self._where(name, keyword), code, f"{self.declaration.name}.{name}: {message}", fix)
