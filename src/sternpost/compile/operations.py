"""Checks the operations of a resource and turns them into `OperationPlan`s with their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields, replace
from typing import Any

from sternpost.compile.features import FEATURES, OPERATION_OPTIONS, additions
from sternpost.compile.filter_paths import led_to
from sternpost.compile.names import SNAKE, camel, kebab, listed, snake
from sternpost.compile.options import OPERATION, hidden_by, is_names, shown, well_typed
from sternpost.compile.outputs import form_of, is_own, media_of, own_errors, redirects, row_of
from sternpost.compile.own_operations import OwnOperationCompiler
from sternpost.compile.policies import is_value, wrong_policy
from sternpost.contract.fields import UNSET
from sternpost.contract.operations import (
    Browse,
    Create,
    Custom,
    Delete,
    Operation,
    Read,
    Replace,
    Restore,
    Transition,
    Update,
    related,
)
from sternpost.contract.policy import Policy
from sternpost.kinds import KINDS
from sternpost.plan.model import MediaPlan, OperationKind, OperationPlan, OutputForm, RelatedFilter
from sternpost.plan.policy import Not, Public

OPERATIONS: dict[type[Operation], tuple[OperationKind, str, bool, int]] = {
    Browse: ("browse", "GET", False, 200),
    Read: ("read", "GET", True, 200),
    Create: ("create", "POST", False, 201),
    Replace: ("replace", "PUT", True, 200),
    Update: ("update", "PATCH", True, 200),
    Delete: ("delete", "DELETE", True, 204),
    Restore: ("restore", "POST", True, 200),
    Transition: ("transition", "POST", True, 200),
    Custom: ("custom", "POST", True, 200),
}
_SUMMARY: dict[str, str] = {
    "browse": "List {many}",
    "read": "Read {one}",
    "create": "Create {one}",
    "replace": "Replace {one}",
    "update": "Change {one}",
    "delete": "Delete {one}",
    "restore": "Restore {one}",
    "transition": "Move {one} to {target}",
    "custom": "{name}",
}
_SUCCESS: dict[str, str] = {
    "browse": "{Many} listed",
    "read": "{One} read",
    "create": "{One} created",
    "replace": "{One} replaced",
    "update": "{One} updated",
    "delete": "{One} deleted",
    "restore": "{One} restored",
    "transition": "{One} is now {target}",
    "custom": "{One}: {name} done",
}
_OPTIONS = {**OPERATION, **OPERATION_OPTIONS}


class OperationCompiler(OwnOperationCompiler):
    """Compiles the operations of one class."""

    def compile_all(self) -> tuple[OperationPlan, ...]:
        """All operations of the class, in the order of their declaration."""
        seen: dict[tuple[str, str], str] = {}
        ids: dict[str, str] = {}
        plans: list[OperationPlan] = []
        for name, operation in self.draft.operations.items():
            plan = self._operation(name, operation)
            previous = seen.setdefault((plan.method, plan.path), name)
            same_id = ids.setdefault(plan.id, name)
            if previous != name:
                code, fix = (
                    ("SP413", "rename one of the two")
                    if plan.kind in ("restore", "transition", "custom")
                    else ("SP403", "remove one of the two")
                )
                self._add(name, code, f"{plan.method} {plan.path} is already the address of {previous}", fix)
            elif same_id != name:
                self._add(name, "SP413", f"its id {plan.id} is already used by {same_id}", "rename one of the two")
            plans.append(plan)
        return tuple(plans)

    def _typed(self, name: str, operation: Operation) -> Operation:
        """The operation with the defaults where an option has a wrong type, which is reported."""
        options = {option: getattr(operation, option) for option in _OPTIONS if hasattr(operation, option)}
        kept = well_typed(options, _OPTIONS, self._adder(name))
        defaults = {
            field.name: field.default if field.default_factory is MISSING else field.default_factory()
            for field in fields(operation)
        }
        return replace(operation, **{option: defaults[option] for option in options if option not in kept})

    def _operation(self, name: str, declared: Operation) -> OperationPlan:
        kind, method, on_item, status = next(OPERATIONS[base] for base in type(declared).__mro__ if base in OPERATIONS)
        operation = self._typed(name, declared)
        if not SNAKE.fullmatch(name):
            self._add(
                name,
                "SP420",
                f"the name {name!r} is not in lower case with underscores",
                f"rename it, for example to {snake(name) if name.isascii() else 'mark_read'}",
            )
        page_size = max_page_size = target = state_field = None
        sort: tuple[str, ...] = ()
        default_sort: tuple[str, ...] = ()
        sources: tuple[str, ...] = ()
        input_plan = output_plan = None
        media: MediaPlan | None = None
        is_redirect = False
        form: OutputForm = "one"
        output_rows: str | None = None
        returns_nothing = kind == "delete"
        if isinstance(operation, Browse):
            page_size, max_page_size = self._page_sizes(name, operation)
            sort = self._sortable(name, operation.sort, "sort")
            default_sort = self._sortable(name, operation.default_sort, "default_sort", signed=True)
        elif isinstance(operation, Transition):
            state_field, sources, target = self._states(name, operation)
            input_plan = self._input(name, operation)
        elif isinstance(operation, Custom):
            method, on_item, status, returns_nothing = self._custom(name, operation)
            input_plan = self._input(name, operation)
            media = media_of(operation.output, self._adder(name))
            is_redirect = redirects(operation.output, self._adder(name))
            if operation.output is not UNSET and not is_own(operation.output):
                form, declared_output = form_of(operation.output)
                output_rows = row_of(declared_output, self.policies.known)
                if output_rows is None:
                    output_plan = self._payload(name, "output", declared_output)
            status = self._status(name, operation, status)
            if form == "page":
                page_size, max_page_size = self._page_sizes(name, operation)
                self._check_paged(name, operation)
            if method == "GET" and input_plan is not None:
                self._check_parameters(name, input_plan)
        words = self._words(name, target or "")
        suffix = "" if kind not in ("restore", "transition", "custom") else f"/{kebab(name)}"
        return OperationPlan(
            id=f"{camel(self.path.replace('-', '_'))}.{camel(name)}",
            name=name,
            kind=kind,
            resource=self.resource,
            method=method,
            path=f"{self.base_path}/{self.path}" + ("/{id}" if on_item else "") + suffix,
            on_item=on_item,
            policy=self._policy(name, operation, kind),
            summary=operation.summary or _SUMMARY[kind].format(**words),
            success_message=_SUCCESS[kind].format(**words),
            status=status,
            page_size=page_size,
            max_page_size=max_page_size,
            sort=sort,
            default_sort=default_sort,
            state_field=state_field,
            sources=sources,
            target=target,
            input=input_plan,
            output=output_plan,
            returns_nothing=returns_nothing,
            timeout_seconds=operation.timeout,
            has_service=False,
            export=isinstance(operation, Browse) and operation.export,
            related=self._related(name, operation) if isinstance(operation, Browse) else (),
            or_groups=operation.or_groups if isinstance(operation, Browse) else 0,
            redirects=is_redirect,
            media=media,
            output_form=form,
            output_rows=output_rows,
            max_items=operation.max_items if isinstance(operation, Custom) and form == "list" else None,
            headers=self._headers(name, operation) if isinstance(operation, Transition | Custom) else (),
            errors=own_errors(operation.errors, self._adder(name)),
            example=self._example(name, operation, kind, input_plan),
            **additions([feature.operation(self.draft, name, operation, self._adder(name)) for feature in FEATURES]),
        )

    def _words(self, name: str, target: str) -> dict[str, str]:
        spaced = self.path.replace("-", " ")
        one = "".join(f" {c.lower()}" if c.isupper() else c for c in self.resource).strip()
        return {
            "many": spaced,
            "Many": spaced.capitalize(),
            "one": one,
            "One": one.capitalize(),
            "name": name.replace("_", " "),
            "target": target,
        }

    def _policy(self, name: str, operation: Operation, kind: OperationKind) -> Any:
        where = self.draft.where(name, "allow")
        if operation.allow is UNSET:  # pyright: ignore[reportUnnecessaryComparison]
            self._add(
                name,
                "SP401",
                "the operation has no policy: it must declare who may call it",
                "add allow=…, for example allow=authenticated, or allow=public for everyone",
            )
            return Not(Public())
        if self.misused and isinstance(operation.allow, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            return Not(Public())  # the result of `not` on a policy; that is reported instead
        if hidden_by(operation.allow) or is_value(operation.allow):
            self._add(name, *wrong_policy(operation.allow), "allow")
            return Not(Public())
        if not isinstance(operation.allow, Policy):  # pyright: ignore[reportUnnecessaryIsInstance]
            self._add(
                name,
                "SP402",
                f"allow={shown(operation.allow)} is not a policy",
                'use public, authenticated, scope("…"), this.is_owner or a comparison such as this.status.eq("draft"), '
                "joined by &, | and ~",
                "allow",
            )
            return Not(Public())
        if isinstance(operation, Custom) and operation.on == "collection":
            return self.policies.compile_without_row(operation.allow, name, where)
        return self.policies.compile(operation.allow, name, where, creates=kind == "create")

    def _sortable(self, name: str, wanted: Sequence[str], keyword: str, *, signed: bool = False) -> tuple[str, ...]:
        possible = [
            field.name for field in self.fields.values() if KINDS[field.kind].sortable and field.read_scope is None
        ]
        names = [item.removeprefix("-") if signed else item for item in wanted]
        unknown = [item for item in names if item not in possible]
        if unknown:
            self._add(
                name,
                "SP404",
                f"{self.resource} cannot be sorted by {listed(unknown)}{self._why_not(unknown)}",
                f"use some of {listed(possible)}",
                keyword,
            )
        return tuple(wanted)

    def _why_not(self, names: Sequence[str]) -> str:
        computed = [name for name in names if name in self.draft.computed]
        return f", because {listed(computed)} is computed when a row is read" if computed else ""

    def _related(self, name: str, operation: Browse) -> tuple[RelatedFilter, ...]:
        found: dict[str, RelatedFilter] = {}
        for each in operation.filter:
            declared = related(each) if isinstance(each, str) else each
            led = led_to(self.resource, self.policies.known, declared)
            if isinstance(led, RelatedFilter) and declared.path not in found:
                found[declared.path] = led
                continue
            message, fix = (
                (f"{declared.path} is listed twice", "list it once") if isinstance(led, RelatedFilter) else led
            )
            self._add(name, "SP424", message, fix, "filter")
        return tuple(found.values())

    def _states(self, name: str, operation: Transition) -> tuple[str, tuple[str, ...], str]:
        given = (operation.source,) if isinstance(operation.source, str) else operation.source
        sources = tuple(given) if is_names(given) else ()
        possible = [field.name for field in self.fields.values() if field.choices and not field.nullable]
        field = self.fields.get(operation.field) if operation.field in possible else None
        if field is None:
            self._add(
                name,
                "SP406",
                f"field={shown(operation.field)} is not a required enum field, which a transition needs",
                f"name one of {listed(possible)}"
                if possible
                else 'declare one, such as status: Literal["draft", "paid"] = field(write="never")',
                "field",
            )
            return str(operation.field), sources, str(operation.target)
        if not sources:
            self._add(
                name,
                "SP407",
                f"source={shown(operation.source)} is neither a state nor a list of states",
                f"use some of {listed(field.choices)}",
                "source",
            )
        for keyword, states in (("source", sources), ("target", (operation.target,))):
            unknown = [state for state in states if state not in field.choices]
            if unknown:
                self._add(
                    name,
                    "SP407",
                    f"{field.name} has no state {listed(map(shown, unknown))}",
                    f"use one of {listed(field.choices)}",
                    keyword,
                )
        if field.write != "never":
            self._add(
                field.name,
                "SP408",
                f"the transition {name} controls this field, but clients can also write it directly",
                'add write="never" to the field',
                "write",
            )
        if operation.target in sources:
            self._add(
                name,
                "SP409",
                f"{operation.target!r} is both a source and the target",
                "remove that state from source, or choose another target",
                "target",
            )
        return field.name, sources, operation.target
