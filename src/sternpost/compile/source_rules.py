"""Two rules about the source of services: no exception is swallowed, and nothing is kept between calls."""

from __future__ import annotations

import ast
import inspect
import io
import re
import site
import sys
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sternpost.compile.diagnostics import Diagnostic
from sternpost.compile.source_state import kept_between_calls
from sternpost.contract.source import Source

RULES = {"swallowed": "SP635", "state": "SP636"}
"""The rules by the names that a comment allows them with."""

WITHOUT_REASON = "SP637"
REASON_CHARACTERS = 8

_ALLOWED = re.compile(r"#\s*sternpost:\s*allow\[([^\]]*)\]\s*(.*)")
_BROAD = ("Exception", "BaseException")
_LOGS = ("exception", "error", "critical", "warning", "warn")


@dataclass(frozen=True, slots=True)
class _Allowance:
    rule: str
    reason: str
    alone: bool
    """Whether the comment has a line of its own: then it is about the next one."""


def check_sources(functions: Iterable[Any]) -> list[Diagnostic]:
    """What breaks a rule in the files that these functions (or classes) are written in, in the order of the lines."""
    found: list[Diagnostic] = []
    for file in sorted({file for function in functions for file in _files_of(function)}):
        found += check_file(file)
    return sorted(set(found))


def check_file(file: str) -> list[Diagnostic]:
    """The same for one file; nothing for one that cannot be read as Python."""
    try:
        text = Path(file).read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (OSError, SyntaxError, ValueError):  # typed into a console, or made in memory
        return []
    allowances = dict(_allowances(text))
    broken = [("swallowed", *each) for each in _swallowed(tree)]
    broken += [("state", *each) for each in kept_between_calls(tree)]
    found = [
        Diagnostic(Source(file, node.lineno), RULES[rule], what, f"{fix}; or say why: # sternpost: allow[{rule}] …")
        for rule, node, what, fix in broken
        if not _is_allowed(rule, node, allowances)
    ]
    return found + [_misused(file, line, each) for line, each in allowances.items() if _problem(each)]


def _files_of(function: Any) -> Iterator[str]:
    """The author's own file that something is written in."""
    made = inspect.unwrap(getattr(function, "func", function))
    code = getattr(made, "__code__", None)
    module = sys.modules.get(getattr(made, "__module__", None) or "")
    file = code.co_filename if code is not None else getattr(module, "__file__", None)
    if file and not any(Path(file).is_relative_to(folder) for folder in _INSTALLED):
        yield str(file)


_INSTALLED = tuple(
    {
        *map(Path, site.getsitepackages()),
        *(Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")),
        Path(__file__).parents[1],
    }
)


# -- exceptions that are caught, and nobody is told of


def _swallowed(tree: ast.Module) -> Iterator[tuple[Any, str, str]]:
    """The statement, what is wrong with it, and the fix."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            yield from _handler(node)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if _suppresses_all(item.context_expr):
                    yield (
                        item.context_expr,
                        "suppress(Exception) swallows every error",
                        "suppress only the types that are expected",
                    )
        elif isinstance(node, ast.Try | ast.TryStar):
            for statement in node.finalbody:
                if isinstance(statement, ast.Return | ast.Break | ast.Continue):
                    yield (
                        statement,
                        "leaving a finally block swallows the error that came there",
                        "leave it behind the block",
                    )
        elif isinstance(node, ast.Expr) and _gathers_errors(node.value):
            yield (
                node,
                "gather(…, return_exceptions=True) returns errors, and nobody looks at them",
                "look at what it returns, or use asyncio.TaskGroup",
            )


def _handler(node: ast.ExceptHandler) -> Iterator[tuple[Any, str, str]]:
    said = "except" if node.type is None else f"except {ast.unparse(node.type)}"
    if all(_does_nothing(statement) for statement in node.body):
        yield node, f"{said} does nothing about the error", "handle it, or raise an error of Sternpost from it"
    elif _is_broad(node.type) and not _tells(node):
        yield (
            node,
            f"{said} catches every error, and neither raises nor logs one",
            "catch the type that is expected, or log it with ctx.log.error(…, exc_info=True) or raise",
        )


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass | ast.Continue | ast.Break)


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(_last(part) in _BROAD for part in parts)


def _tells(node: ast.ExceptHandler) -> bool:
    """Whether a handler raises, looks at the error, or logs."""
    for inner in (each for statement in node.body for each in ast.walk(statement)):
        if isinstance(inner, ast.Raise):
            return True
        if isinstance(inner, ast.Name) and node.name is not None and inner.id == node.name:
            return True
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and inner.func.attr in _LOGS:
            return True
    return False


def _suppresses_all(value: ast.expr) -> bool:
    return isinstance(value, ast.Call) and _last(value.func) == "suppress" and any(map(_is_broad, value.args))


def _gathers_errors(value: ast.expr) -> bool:
    call = value.value if isinstance(value, ast.Await) else value
    return (
        isinstance(call, ast.Call)
        and _last(call.func) == "gather"
        and any(
            keyword.arg == "return_exceptions" and getattr(keyword.value, "value", None) is True
            for keyword in call.keywords
        )
    )


def _last(value: ast.expr) -> str:
    """The last name of a dotted one."""
    return value.attr if isinstance(value, ast.Attribute) else value.id if isinstance(value, ast.Name) else ""


# -- comments that allow something


def _allowances(text: str) -> Iterator[tuple[int, _Allowance]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        found = _ALLOWED.match(token.string) if token.type == tokenize.COMMENT else None
        if found is not None:
            alone = not token.line[: token.start[1]].strip()
            yield token.start[0], _Allowance(found[1].strip(), found[2].strip(), alone)


def _is_allowed(rule: str, node: Any, allowances: dict[int, _Allowance]) -> bool:
    """Whether a comment stands in the statement, or on the line before it; its reason is judged by itself."""
    before = allowances.get(node.lineno - 1)
    within = [
        allowances[line] for line in range(node.lineno, (node.end_lineno or node.lineno) + 1) if line in allowances
    ]
    return any(each.rule == rule for each in (*within, *([before] if before and before.alone else [])))


def _problem(allowance: _Allowance) -> tuple[str, str] | None:
    if allowance.rule not in RULES:
        return f"allow[{allowance.rule}] names no rule", f"write one of {', '.join(RULES)}"
    if len(allowance.reason) < REASON_CHARACTERS:
        return f"allow[{allowance.rule}] gives no reason", "write behind it why it is right here"
    return None


def _misused(file: str, line: int, allowance: _Allowance) -> Diagnostic:
    what, fix = _problem(allowance) or ("", "")
    return Diagnostic(Source(file, line), WITHOUT_REASON, what, fix)
