"""D04: the errors that each operation may answer."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from sternpost.errors import CATALOGUE, SternpostError
from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project

Kinds = tuple[type[BaseException], ...]

_UNTOLD = "raises what cannot be told from its source"
_BY_NAME = "raise a class by its name: raise NotEnoughStock(…)"


def _check(project: Project) -> Answer:
    findings: list[Finding] = []
    for operation_id, function in project.compiled.functions.items():
        _, operation = project.plan.operations[operation_id]
        told = {*CATALOGUE, *(error.code for error in operation.errors)}
        raised = _Raised(project.root)
        raised.walk(function, ())
        where = f"operation {operation_id}"
        findings += [
            Finding(
                where,
                f"{function.__name__} raises {code}, which its documentation does not tell",
                f"declare a class of errors with code = {code!r}, and list it in errors=[…] of the operation",
            )
            for code in dict.fromkeys(raised.codes)
            if code not in told
        ]
        findings += [Finding(where, f"{place} {_UNTOLD}", _BY_NAME) for place in dict.fromkeys(raised.unknown)]
    own = sum(len(operation.errors) for _, operation in project.plan.operations.values())
    operations = counted(len(project.plan.operations), "operation")
    functions = counted(len(project.compiled.functions), "function")
    return judged(f"the errors of {operations}, {own} of them their own, and what {functions} raise", findings)


class _Raised:
    """What a function of the project raises, with those that it calls.

    Attributes:
        codes: own codes of errors.
        unknown: the places of raise statements whose error cannot be told.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._seen: set[Any] = set()
        self.codes: list[str] = []
        self.unknown: list[str] = []

    def walk(self, function: Callable[..., Any], caught: Kinds) -> None:
        """A function; what its caller catches is not raised by it."""
        made = inspect.unwrap(function)
        code = getattr(made, "__code__", None)
        if code is None or (code, caught) in self._seen or not self._is_own(code.co_filename):
            return
        self._seen.add((code, caught))
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(made)))
        except (OSError, TypeError, SyntaxError):  # made in memory: there is nothing to read
            return
        names = {
            **vars(builtins),
            **made.__globals__,
            **inspect.getclosurevars(made).nonlocals,
            **_imported(tree, made.__globals__),
        }
        _Body(self, made.__qualname__, names, _assigned(tree)).visit(tree, caught)

    def _is_own(self, file: str) -> bool:
        path = Path(file).resolve()
        return path.is_relative_to(self._root) and "site-packages" not in path.parts


class _Body:
    """The statements of one function.

    Args:
        names: what names mean outside of it, and what it imports.
        assigned: expressions by the local name that they are given to.
    """

    def __init__(self, raised: _Raised, place: str, names: Mapping[str, Any], assigned: Mapping[str, ast.expr]) -> None:
        self._raised = raised
        self._place = place
        self._names = names
        self._assigned = assigned

    def visit(self, node: ast.AST, caught: Kinds) -> None:
        """A statement or an expression, with all that is in it."""
        if isinstance(node, ast.Try | ast.TryStar):
            kinds = tuple(kind for handler in node.handlers for kind in self._kinds(handler.type))
            for part in node.body:
                self.visit(part, (*caught, *kinds))
            for part in (*node.handlers, *node.orelse, *node.finalbody):
                self.visit(part, caught)
            return
        if isinstance(node, ast.Raise) and node.exc is not None:
            self._raise(node.exc, caught)
        elif isinstance(node, ast.Call):
            called = self._value(node.func)
            if inspect.isfunction(called):
                self._raised.walk(called, caught)
        for part in ast.iter_child_nodes(node):
            self.visit(part, caught)

    def _raise(self, raised: ast.expr, caught: Kinds) -> None:
        if isinstance(raised, ast.Name) and raised.id in self._assigned:
            raised = self._assigned[raised.id]
        call = raised if isinstance(raised, ast.Call) else None
        kind = self._value(call.func if call is not None else raised)
        if isinstance(raised, ast.Name) and kind is None:
            return  # what an `except` has caught, raised again
        if not isinstance(kind, type) or not issubclass(kind, BaseException):
            self._raised.unknown.append(self._place)
            return
        if not issubclass(kind, SternpostError) or issubclass(kind, caught):
            return
        code = next((each.value for each in call.keywords if each.arg == "code"), None) if call is not None else None
        if code is None:
            self._raised.codes += [kind.code] if kind.code else []
            return
        value = code.value if isinstance(code, ast.Constant) else self._value(code)
        if isinstance(value, str):
            self._raised.codes.append(value)
        else:
            self._raised.unknown.append(self._place)

    def _kinds(self, handled: ast.expr | None) -> Iterator[type[BaseException]]:
        if handled is None:
            yield BaseException
            return
        for part in handled.elts if isinstance(handled, ast.Tuple) else (handled,):
            kind = self._value(part)
            if isinstance(kind, type) and issubclass(kind, BaseException):
                yield kind

    def _value(self, node: ast.expr) -> Any:
        """What a name means, or an attribute of a module; None where that is not known before it runs."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            return getattr(owner, node.attr, None) if isinstance(owner, ModuleType | type) else None
        return None


def _assigned(tree: ast.AST) -> dict[str, ast.expr]:
    return {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _imported(tree: ast.AST, outer: Mapping[str, Any]) -> dict[str, Any]:
    """What a function imports where it runs, as far as that is there."""
    found: dict[str, Any] = {name: outer.get(name) for name in ("__name__", "__package__")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            with suppress(ImportError):  # it has a reason to import it only then
                exec(compile(ast.Module([node], []), "<import>", "exec"), found)  # noqa: S102  (as it stands)
    return found


CRITERION = Criterion(
    "D04",
    "Every operation documents the errors that it may answer",
    "Clients that do not know the errors of an operation handle none of them. Statuses and codes of the framework are "
    "documented by themselves; own codes of services are known only once they are declared.",
    "Declare own errors as classes with a `code`, a `message` and a `fix`, and list them in `errors=[…]` of the "
    "operations "
    "that raise them. Functions are read, with the functions of the project that they call by name; raise a class "
    "by its "
    "name, so that it can be told.",
    _check,
    diagnostics=("SP426", "SP427"),
    negotiable=False,
)
