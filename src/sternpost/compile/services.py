"""Ties the authors' functions to operations, and checks that each fits."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import listed
from sternpost.contract.implements import MARK, Implementation
from sternpost.contract.source import Source, attribute_source
from sternpost.plan.model import OperationPlan, Plan, ResourcePlan

Function = Callable[..., Any]


def find_functions(services: Iterable[ModuleType | Function]) -> list[tuple[Function, Implementation]]:
    """Every function marked with `@implements`, in the given modules or given directly."""
    found: list[tuple[Function, Implementation]] = []
    for service in services:
        candidates = list(vars(service).values()) if isinstance(service, ModuleType) else [service]
        for candidate in candidates:
            mark = getattr(candidate, MARK, None)
            if isinstance(mark, Implementation) and all(candidate is not known for known, _ in found):
                found.append((candidate, mark))
    return found


def bind(
    plan: Plan,
    services: Iterable[ModuleType | Function],
    operation_ids: Mapping[int, str],
    places: Mapping[str, Source],
    report: Report,
) -> tuple[Plan, dict[str, Function]]:
    """The plan with `has_service` set, and the function of each operation id.

    Args:
        operation_ids: the plan's id of each declared operation object, by its identity.
        places: where each resource is declared.
    """
    bound: dict[str, Function] = {}
    for function, mark in find_functions(services):
        for declared in mark.operations:
            operation_id = operation_ids.get(id(declared))
            if operation_id is None:
                report.add(mark.source, "SP415", f"{function.__name__}: @implements names {declared!r}, which no resource of the contract declares",
                           "name an operation such as Order.pay, and list its resource in the contract")
            elif operation_id in bound:
                report.add(mark.source, "SP416", f"{function.__name__}: {operation_id} is implemented by {bound[operation_id].__name__} already",
                           "keep one of the two")
            else:
                bound[operation_id] = function
                _check_function(function, mark.source, plan.operations[operation_id][1], report)
    for resource in plan.resources:
        _check_missing(plan, resource, bound, places[resource.name], report)
    resources = tuple(
        replace(resource, operations=tuple(replace(operation, has_service=operation.id in bound) for operation in resource.operations))
        for resource in plan.resources
    )
    return replace(plan, resources=resources), bound


def parameters(operation: OperationPlan) -> tuple[str, ...]:
    """What an implementation is called with, in order."""
    match operation.kind:
        case "create" | "replace" | "update":
            return ("context", "change")
        case "transition" | "delete":
            return ("context", "row")
        case "custom":
            return ("context", *(("row",) if operation.on_item else ()), *(("input",) if operation.input else ()))
        case _:
            return ()


def _check_function(function: Function, where: Source, operation: OperationPlan, report: Report) -> None:
    expected = parameters(operation)
    if not expected:
        report.add(where, "SP419", f"{function.__name__}: {operation.id} only reads and takes no implementation",
                   "declare a Custom operation with method=\"GET\" for a read of your own")
        return
    if not inspect.iscoroutinefunction(function):
        report.add(where, "SP417", f"{function.__name__} is not a coroutine function", "write async def")
    signature = inspect.signature(function)
    positional = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) != len(expected) or len(positional) != len(signature.parameters):
        report.add(where, "SP418", f"{function.__name__} takes ({listed(signature.parameters)}), but {operation.id} passes ({listed(expected)})",
                   f"write async def {function.__name__}({listed(expected)})")


def _check_missing(plan: Plan, resource: ResourcePlan, bound: Mapping[str, Function], where: Source, report: Report) -> None:
    for operation in resource.operations:
        if operation.kind == "custom" and operation.id not in bound:
            report.add(attribute_source(where, resource.name, operation.name), "SP414", f"{resource.name}.{operation.name}: the custom operation has no implementation",
                       f"write @implements({resource.name}.{operation.name}) over a coroutine function and pass it in Sternpost(services=[…])")
    makers = [resource] if resource.owned_by is None else [plan.by_name[resource.owned_by]]
    creations = [operation for maker in makers for operation in maker.operations if operation.kind == "create"]
    if not creations or any(operation.id in bound for operation in creations):
        return
    for field in resource.fields:
        if field.write == "never" and field.required and field.generated is None and field.computed is None and not field.caller_default:
            report.add(attribute_source(where, resource.name, field.name), "SP211",
                       f"{resource.name}.{field.name}: no client may write it, it has no default, and no service sets it",
                       f"give it a default, allow | None, or write @implements({makers[0].name}.{creations[0].name})")
