"""I02: operations that only an author's function can carry out."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project

_FIX = "write the function that does the work, with @implements(…)"


def _check(project: Project) -> Answer:
    functions = project.compiled.functions
    needed = [operation.id for _, operation in project.plan.operations.values() if operation.kind == "custom"]
    findings = [
        Finding(f"operation {operation}", "nothing implements it", _FIX)
        for operation in needed
        if operation not in functions
    ]
    findings += [
        Finding(f"operation {operation}", f"{function.__name__} does nothing yet", _FIX)
        for operation, function in functions.items()
        if _is_stub(function)
    ]
    operations = counted(len(project.plan.operations), "operation")
    return judged(f"{operations}, {len(functions)} of them with a function of the project", findings)


def _is_stub(function: Callable[..., Any]) -> bool:
    """Whether a function holds its docstring alone, `pass`, `…`, or says that it is not implemented."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    except (OSError, TypeError, SyntaxError):  # made in memory: there is nothing to read
        return False
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return all(_is_empty(statement) for statement in definition.body)


def _is_empty(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(ast.Constant()):
            return True
        case ast.Raise(ast.Name("NotImplementedError") | ast.Call(ast.Name("NotImplementedError"))):
            return True
        case _:
            return False


CRITERION = Criterion(
    "I02",
    "Every operation is implemented",
    "An operation that is documented and does nothing is worse for clients than none.",
    "Write the function of each operation that is listed. An operation that is not wanted yet is removed "
    "from the contract.",
    _check,
    diagnostics=("SP414", "SP415", "SP416", "SP417", "SP418", "SP419", "SP422"),
)
