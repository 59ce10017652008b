"""D04: the errors that each operation may answer."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from sternpost.errors import CATALOGUE, SternpostError
from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project


def _check(project: Project) -> Answer:
    findings: list[Finding] = []
    for operation_id, function in project.compiled.functions.items():
        _, operation = project.plan.operations[operation_id]
        told = {*CATALOGUE, *(error.code for error in operation.errors)}
        findings += [
            Finding(
                f"operation {operation_id}",
                f"{function.__name__} raises {code}, which its documentation does not tell",
                f"declare a class of errors with code = {code!r}, and list it in errors=[…] of the operation",
            )
            for code in dict.fromkeys(_raised(function, set()))
            if code not in told
        ]
    own = sum(len(operation.errors) for _, operation in project.plan.operations.values())
    operations = counted(len(project.plan.operations), "operation")
    functions = counted(len(project.compiled.functions), "function")
    return judged(f"the errors of {operations}, {own} of them their own, and what {functions} raise", findings)


def _raised(function: Callable[..., Any], seen: set[str]) -> Iterator[str]:
    """The codes of errors that a function raises, or one that it calls by its name."""
    made = inspect.unwrap(function)
    names: dict[str, Any] = getattr(made, "__globals__", {})
    for node in ast.walk(_tree(made)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            yield from _code(node.exc, names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in seen:
            called = names.get(node.func.id)
            if inspect.isfunction(called) and called.__module__ == made.__module__:
                seen.add(node.func.id)
                yield from _raised(called, seen)


def _tree(function: Callable[..., Any]) -> ast.AST:
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):  # made in memory: there is nothing to read
        return ast.Module([], [])


def _code(raised: ast.expr, names: dict[str, Any]) -> Iterator[str]:
    call = raised if isinstance(raised, ast.Call) else None
    for keyword in call.keywords if call is not None else ():
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
            yield str(keyword.value.value)
            return
    kind = call.func if call is not None else raised
    found = names.get(kind.id) if isinstance(kind, ast.Name) else None
    if isinstance(found, type) and issubclass(found, SternpostError) and found.code:
        yield found.code


CRITERION = Criterion(
    "D04",
    "Every operation documents the errors that it may answer",
    "Clients that do not know the errors of an operation handle none of them. Statuses and codes of the framework are "
    "documented by themselves; own codes of services are known only once they are declared.",
    "Declare own errors as classes with a `code`, a `message` and a `fix`, and list them in `errors=[…]` of the "
    "operations "
    "that raise them.",
    _check,
    diagnostics=("SP426", "SP427"),
    negotiable=False,
)
