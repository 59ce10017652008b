"""Where something was declared: file and line, down to a single keyword of a call."""

from __future__ import annotations

import ast
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """A place in an author's code."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def place(self) -> str:
        """File and line, with the path relative to the current folder where it is below it: shorter, and clickable."""
        return f"{relative_path(self.file)}:{self.line}"


def relative_path(file: str) -> str:
    """A file by its path from the current folder where it is below it, else as it is given."""
    try:
        relative = os.path.relpath(file)
    except (OSError, ValueError):  # the current folder is gone; the file is on another drive
        return file
    return file if relative.startswith("..") else relative


def caller_source(depth: int) -> Source:
    """The line that is being executed `depth` frames above the caller of this function."""
    frame = sys._getframe(depth + 1)  # pyright: ignore[reportPrivateUsage]  (inspect.stack reads every file)
    return Source(frame.f_code.co_filename, frame.f_lineno)


def attribute_source(owner: Source, class_name: str, attribute: str, keyword: str | None = None) -> Source:
    """The line of a class attribute, or of one keyword of the call that makes it; `owner` is the class's line.

    Found in the file's syntax tree, which is read only when a diagnostic or an explanation needs it.
    """
    statement = _class_body(owner, class_name).get(attribute)
    if statement is None:
        return owner
    value = statement.value
    if keyword is not None and isinstance(value, ast.Call):
        for argument in value.keywords:
            if argument.arg == keyword:
                return Source(owner.file, argument.value.lineno)
    return Source(owner.file, statement.lineno)


def is_given(owner: Source, class_name: str, attribute: str, keyword: str) -> bool:
    """Whether the call that makes a class attribute says the keyword, or leaves it to its default."""
    statement = _class_body(owner, class_name).get(attribute)
    value = statement.value if statement else None
    if not isinstance(value, ast.Call):
        return False
    positional = ("field", "source", "target")[: len(value.args)]
    return keyword in positional or any(argument.arg == keyword for argument in value.keywords)


def class_keyword_source(owner: Source, class_name: str, keyword: str, item: int | None = None) -> Source:
    """The line of a keyword in `class Name(Base, keyword=…)`, or of an item of the list that it is given."""
    node = _class_node(owner, class_name)
    for argument in node.keywords if node else ():
        if argument.arg == keyword:
            value = argument.value
            items = value.elts if isinstance(value, ast.List | ast.Tuple) else []
            place = items[item] if item is not None and item < len(items) else value
            return Source(owner.file, place.lineno)
    return owner


def call_keyword_source(call: Source, keyword: str, position: int | None = None) -> Source:
    """The line of an argument of the call that stands at `call`, given by its keyword or at its position."""
    for node in (node for node in _nodes(call.file) if isinstance(node, ast.Call) and node.lineno == call.line):
        for argument in node.keywords:
            if argument.arg == keyword:
                return Source(call.file, argument.value.lineno)
        if position is not None and position < len(node.args):
            return Source(call.file, node.args[position].lineno)
    return call


def _class_body(owner: Source, class_name: str) -> dict[str, ast.Assign | ast.AnnAssign]:
    node = _class_node(owner, class_name)
    if node is None:
        return {}
    found: dict[str, ast.Assign | ast.AnnAssign] = {}
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            found[statement.target.id] = statement
        elif isinstance(statement, ast.Assign):
            found.update({target.id: statement for target in statement.targets if isinstance(target, ast.Name)})
    return found


def _class_node(owner: Source, class_name: str) -> ast.ClassDef | None:
    candidates = [node for node in _nodes(owner.file) if isinstance(node, ast.ClassDef) and node.name == class_name]
    return min(candidates, key=lambda node: abs(node.lineno - owner.line), default=None)


@lru_cache(maxsize=64)
def _nodes_of(file: str, modified_ns: int) -> tuple[ast.ClassDef | ast.Call, ...]:
    tree = ast.parse(Path(file).read_bytes())
    return tuple(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.Call))


def _nodes(file: str) -> tuple[ast.ClassDef | ast.Call, ...]:
    path = Path(file)
    try:
        return _nodes_of(file, path.stat().st_mtime_ns)
    except (OSError, SyntaxError, ValueError):  # a class typed into a console has no file: its own line must do
        return ()
