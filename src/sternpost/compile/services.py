"""Binds the authors' functions to operations, and checks that each one fits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, TypeVar

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import listed
from sternpost.compile.options import shown
from sternpost.compile.parameters import Passed, asks_for_request, part_of_request
from sternpost.compile.providers import ProviderCompiler
from sternpost.contract.computes import COMPUTES, Computing
from sternpost.contract.implements import MARK, Implementation
from sternpost.contract.source import Source
from sternpost.data.change import Change
from sternpost.data.context import Context
from sternpost.data.pages import PageRequest
from sternpost.data.providers import Needs
from sternpost.plan.model import OperationPlan, Plan, ResourcePlan

Function = Callable[..., Any]
Mark = TypeVar("Mark")

Where = Callable[[str], Source]
"""Gives the line of an attribute of a resource."""


def find_functions(
    services: Iterable[ModuleType | Function], where: Source, report: Report
) -> list[tuple[Function, Implementation]]:
    """Every function marked with `@implements`, in the given modules or given directly."""
    if not is_services(services):
        report.add(
            where, "SP422", f"services={shown(services)} is not a list", "write Sternpost(contract, services=[module])"
        )
        return []
    for service in services:
        known = (_mark(service, MARK, Implementation), _mark(service, COMPUTES, Computing))
        if not isinstance(service, ModuleType) and not any(known):
            report.add(
                where,
                "SP422",
                f"{shown(service)} in services is neither a module nor a function with @implements",
                "pass the module with the functions, or put @implements(…) on this one",
            )
    return marked(services, MARK, Implementation)


def is_services(services: object) -> bool:
    """Whether it is a list, of whatever."""
    return isinstance(services, Iterable) and not isinstance(services, str)


def marked(services: Iterable[ModuleType | Function], name: str, kind: type[Mark]) -> list[tuple[Function, Mark]]:
    """Every function with a mark, in the given modules or given directly."""
    found: list[tuple[Function, Mark]] = []
    for service in services if is_services(services) else ():
        candidates = list(vars(service).values()) if isinstance(service, ModuleType) else [service]
        for candidate in candidates:
            mark = _mark(candidate, name, kind)
            if mark is not None and all(candidate is not known for known, _ in found):
                found.append((candidate, mark))
    return found


def _mark(candidate: object, name: str, kind: type[Mark]) -> Mark | None:
    # Not getattr: a module may contain lazy objects that run code, or fail, when an attribute is read.
    mark = inspect.getattr_static(candidate, name, None)
    return mark if isinstance(mark, kind) else None


def bind(
    plan: Plan,
    services: Iterable[ModuleType | Function],
    operation_ids: Mapping[int, Sequence[str]],
    places: Mapping[str, Where],
    classes: Mapping[str, type],
    where: Source,
    providers: ProviderCompiler,
    report: Report,
) -> tuple[Plan, dict[str, Function], dict[str, Needs]]:
    """The plan with `has_service` set, the function of each operation id, and what of its parameters is provided.

    Args:
        operation_ids: the plan's ids of each declared operation object, by its identity.
        places: for each resource, what gives the line of an attribute.
        classes: the authors' classes, by the names that the plan has for them.
        where: the contract's line.
    """
    bound: dict[str, Function] = {}
    retry_safe: set[str] = set()
    injected: dict[str, Needs] = {}
    for function, mark in find_functions(services, where, report):
        name, needs = shown(function), providers.needs_of(function, mark.source, per_call=True)
        if wrong := part_of_request(function):
            report.add(
                mark.source,
                "SP604",
                f"{name}: the parameter {wrong[0]} asks for a {wrong[1]} by itself",
                f"write async def {name}(ctx: HttpContext, …), and use ctx.{wrong[1].lower()}",
            )
        if not mark.operations:
            report.add(mark.source, "SP415", f"{name}: @implements names no operation", "write @implements(Order.pay)")
        for declared in mark.operations:
            ids = operation_ids.get(id(declared), ())
            if not ids:
                report.add(
                    mark.source,
                    "SP415",
                    f"{name}: @implements names {shown(declared)}, which no resource of the contract declares",
                    "name an operation such as Order.pay, and list its resource in the contract",
                )
            for operation_id in ids:
                other = bound.setdefault(operation_id, function)
                if other is function:
                    retry_safe |= {operation_id} if mark.retry_safe else set()
                    injected.update({operation_id: needs} if needs else {})
                    resource, operation = plan.operations[operation_id]
                    _check_function(function, mark.source, operation, _passed(resource, operation, classes), report)
                else:
                    report.add(
                        mark.source,
                        "SP416",
                        f"{name}: {operation_id} is already implemented by {shown(other)}",
                        "keep one of the two",
                    )
    for resource in plan.resources:
        _check_missing(plan, resource, bound, places[resource.name], report)
    resources = tuple(
        replace(
            resource,
            operations=tuple(
                replace(
                    operation,
                    has_service=operation.id in bound,
                    retry_safe=operation.id in retry_safe,
                    uses_request=operation.id in bound and asks_for_request(bound[operation.id]),
                )
                for operation in resource.operations
            ),
        )
        for resource in plan.resources
    )
    return replace(plan, resources=resources), bound, injected


def parameters(operation: OperationPlan) -> tuple[str, ...]:
    """The arguments of an implementation, in order."""
    match operation.kind:
        case "create" | "replace" | "update":
            return ("context", "change")
        case "transition":
            return ("context", "row", *(("input",) if operation.input else ()))
        case "delete" | "restore":
            return ("context", "row")
        case "custom":
            row, given = ("row",) if operation.on_item else (), ("input",) if operation.input else ()
            return ("context", *row, *given, *(("page",) if operation.is_paged else ()))
        case _:
            return ()


def _passed(resource: ResourcePlan, operation: OperationPlan, classes: Mapping[str, type]) -> Passed:
    row = classes[resource.name]
    of_parts: dict[str, type] = {"context": Context, "change": Change, "row": row, "page": PageRequest}
    if operation.input is not None:
        of_parts["input"] = classes[operation.input.name]
    return Passed({part: of_parts[part] for part in parameters(operation)}, row, classes)


def _check_function(
    function: Function, where: Source, operation: OperationPlan, passed: Passed, report: Report
) -> None:
    expected, name = parameters(operation), shown(function)
    if not expected:
        report.add(
            where,
            "SP419",
            f"{name}: {operation.id} only reads, and cannot have an implementation",
            'for a read with custom code declare a Custom operation with method="GET"',
        )
        return
    if not inspect.iscoroutinefunction(function):
        report.add(where, "SP417", f"{name} is not an async function", f"write async def {name}({listed(expected)})")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # not written in Python, so not an async function either
        return
    positional = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    provided = [p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    if len(positional) != len(expected) or len(positional) + len(provided) != len(signature.parameters):
        report.add(
            where,
            "SP418",
            f"{name} takes ({listed(signature.parameters)}), but {operation.id} calls it with ({listed(expected)})",
            f"write async def {name}({listed(expected)}){_KEYWORD_FIX if len(positional) > len(expected) else ''}",
        )
        return
    wrong = passed.misplaced(function, positional)
    if wrong is not None:
        report.add(
            where,
            "SP418",
            f"{name}: {operation.id} passes ({listed(expected)}) in this order, which does not fit ({wrong})",
            f"write async def {name}({passed.signature()})",
        )


_KEYWORD_FIX = "; a parameter for what is provided stands behind a *, such as *, mailer: Mailer"


def _check_missing(
    plan: Plan, resource: ResourcePlan, bound: Mapping[str, Function], where: Where, report: Report
) -> None:
    for operation in resource.operations:
        if operation.kind == "custom" and operation.id not in bound:
            report.add(
                where(operation.name),
                "SP414",
                f"{resource.name}.{operation.name}: the custom operation has no implementation",
                f"write @implements({resource.name}.{operation.name}) on an async function "
                "and pass it in Sternpost(services=[…])",
            )
        if operation.kind == "transition" and operation.input is not None and operation.id not in bound:
            report.add(
                where(operation.name),
                "SP430",
                f"{resource.name}.{operation.name}: nothing uses the input of the transition",
                f"write @implements({resource.name}.{operation.name}) on an async function, or leave input out",
            )
    makers = [resource] if resource.owned_by is None else [plan.by_name[resource.owned_by]]
    creations = [operation for maker in makers for operation in maker.operations if operation.kind == "create"]
    if not creations or any(operation.id in bound for operation in creations):
        return
    for field in resource.fields:
        if (
            field.write == "never"
            and field.required
            and field.generated is None
            and field.computed is None
            and not field.caller_default
        ):
            report.add(
                where(field.name),
                "SP211",
                f"{resource.name}.{field.name}: the required field never gets a value, because "
                "clients cannot write it, it has no default, and no service sets it",
                f"give it a default, allow | None, or write @implements({makers[0].name}.{creations[0].name})",
            )
