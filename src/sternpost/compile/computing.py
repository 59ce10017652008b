"""Binds the authors' functions to the fields that they compute, and checks that each one fits."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import listed
from sternpost.compile.options import shown
from sternpost.compile.parameters import asks_for_request, classes_in, resolved
from sternpost.compile.providers import ProviderCompiler
from sternpost.compile.services import Function, Where, marked
from sternpost.contract.computes import COMPUTES, Computing
from sternpost.contract.resource import Declared
from sternpost.data.computing import ComputedKey
from sternpost.data.providers import Injected
from sternpost.plan.model import InPython, Plan


def bind_computing(
    plan: Plan,
    services: Iterable[ModuleType | Function],
    places: Mapping[str, Where],
    classes: Mapping[str, type],
    providers: ProviderCompiler,
    report: Report,
) -> dict[ComputedKey, Injected]:
    """The function of each field in Python.

    Args:
        places: for each resource, what gives the line of an attribute.
        classes: the authors' classes, by the names that the plan has for them.
    """
    possible = {
        (resource.name, field.name): classes[resource.name]
        for resource in plan.resources
        for field in resource.computed
        if isinstance(field.derived, InPython)
    }
    bound: dict[ComputedKey, Injected] = {}
    for function, mark in marked(services, COMPUTES, Computing):
        name, at = shown(function), mark.source
        injected = Injected(function, providers.needs_of(function, at, per_call=False))
        given = mark.resource if isinstance(mark.resource, type) else None
        keys = [key for key, cls in possible.items() if given and issubclass(cls, given) and key[1] == mark.field]
        if not keys:
            known = [f"@computes({resource}, {shown(field)})" for resource, field in possible]
            report.add(
                at,
                "SP084",
                f"{name}: @computes({shown(mark.resource)}, {shown(mark.field)}) names no field with in_python(…)",
                f"write {listed(known)}" if known else 'declare it, such as age: int = computed(in_python("born_on"))',
            )
        for key in keys:
            other = bound.setdefault(key, injected)
            if other is not injected:
                twice = f"{name}: {'.'.join(key)} is already computed by {shown(other.function)}"
                report.add(at, "SP083", twice, "keep one of the two")
        if keys:
            _check_function(function, mark, classes[keys[0][0]], classes, report)
    for resource, field in possible.keys() - bound.keys():
        report.add(
            places[resource](field),
            "SP083",
            f"{resource}.{field}: no function computes the field",
            f"write @computes({resource}, {shown(field)}) on an async function and pass it in Sternpost(services=[…])",
        )
    return bound


def _check_function(
    function: Function, mark: Computing, row: type, classes: Mapping[str, type], report: Report
) -> None:
    name = shown(function)
    fix = f"write async def {name}(ctx: Context, rows: Sequence[{row.__name__}])"
    if not inspect.iscoroutinefunction(function):
        report.add(mark.source, "SP417", f"{name} is not an async function", fix)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # not written in Python, so not an async function either
        return
    parameters = list(signature.parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    provided = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    if len(positional) != 2 or len(positional) + len(provided) != len(parameters):
        message = f"{name} takes ({listed(signature.parameters)}), but is called with the context and the rows"
        report.add(mark.source, "SP418", message, fix)
    elif asks_for_request(function):
        message = f"{name} asks for an HttpContext, but rows are also read where there is no request"
        report.add(mark.source, "SP418", message, fix)
    elif _is_for_others(function, positional[1], row, classes):
        message = f"{name}: {positional[1].name} is declared for something else than all rows of {row.__name__}"
        report.add(mark.source, "SP418", message, fix)


def _is_for_others(function: Function, rows: inspect.Parameter, row: type, classes: Mapping[str, Any]) -> bool:
    """Whether a parameter says that it takes one row, or rows of another class."""
    if rows.annotation is rows.empty:
        return False
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    for cls, arguments in classes_in(resolved(rows.annotation, scope, classes)):
        if isinstance(cls, type) and issubclass(cls, Declared):
            return True
        named = [each for each in arguments if isinstance(each, type) and issubclass(each, Declared)]
        if named and not any(issubclass(row, each) for each in named):
            return True
    return False
