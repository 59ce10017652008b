"""A contract as source text, in the form that formatters leave alone."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from sternpost.infer.model import Inferred, InferredField, InferredTable
from sternpost.plan.model import Kind

WIDTH = 88
"""Characters of a line; what is longer has one argument a line, with a comma behind the last."""

_INDENT = "    "
_TYPES: dict[Kind, str] = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "decimal": "Decimal",
    "datetime": "datetime",
    "date": "date",
    "uuid": "UUID",
    "json": "Json",
}
_ORDER = (
    "default", "unique", "on_delete", "min_length", "max_length", "ge", "le", "decimal_places", "max_digits", "write",
    "filter", "auto", "by", "through", "columns", "column", "storage", "description",
)  # fmt: skip


def write_contract(inferred: Inferred, name: str, *, write: bool) -> str:
    """The module that declares the contract.

    Args:
        name: the contract's name.
        write: whether rows may be created, changed and deleted.
    """
    module = _Module(inferred, write=write)
    classes = [module.resource(table) for table in inferred.tables]
    listed = call("resources=[", [table.name for table in inferred.tables], "]", 1)
    contract = f'contract = Contract(\n{_INDENT}{quoted(name)},\n{_INDENT}{listed},\n{_INDENT}schema="external",\n)'
    parts = [
        f'"""What the database {_plain(name)} holds. Written by `sternpost contract infer`, for you to change."""',
        *_left_out(inferred.left_out),
        "from __future__ import annotations",
        *module.imports(),
    ]
    return "\n\n".join(parts) + "\n\n\n" + "\n\n\n".join(classes) + f"\n\n\n{contract}\napp = Sternpost(contract)\n"


class _Module:
    """What the text needs to import follows from what is in it."""

    def __init__(self, inferred: Inferred, *, write: bool) -> None:
        self.write = write
        names = {found.name for table in inferred.tables for found in table.fields}
        # A field that is called like a type would hide it from the annotations that follow.
        self.by_module = bool(names & {"date", "datetime"})
        self.sternpost = {"Browse", "Contract", "Read", "Resource", "Sternpost", "field", "scope"}
        self.other: set[tuple[str, str]] = set()
        if write:
            self.sternpost |= {"Delete", "Update"}

    def imports(self) -> list[str]:
        """Those of the standard library, then those of Sternpost."""
        lines: list[str] = []
        if any(module == "datetime" for module, _ in self.other) and self.by_module:
            lines.append("import datetime as dt")
            self.other = {pair for pair in self.other if pair[0] != "datetime"}
        for module in sorted({module for module, _ in self.other}):
            names = sorted(name for found, name in self.other if found == module)
            lines.append(f"from {module} import {', '.join(names)}")
        names = sorted(self.sternpost, key=lambda name: (name[0].islower(), name))
        ours = call("from sternpost import (", names, ")", 0)
        one_line = f"from sternpost import {', '.join(names)}"
        ours = one_line if len(one_line) <= WIDTH else ours if "\n" in ours else _exploded(ours, names)
        return ["\n".join(lines), ours] if lines else [ours]

    def resource(self, table: InferredTable) -> str:
        """One class."""
        keywords = ["Resource", f"prefix={quoted(table.prefix)}", f"table={quoted(table.table.name)}"]
        if table.table.schema is not None:
            keywords.append(f"schema={quoted(table.table.schema)}")
        if table.plural is not None:
            keywords.append(f"plural={quoted(table.plural)}")
        if table.groups:
            groups = ", ".join(f"({', '.join(map(quoted, group))})" for group in table.groups)
            keywords.append(f"unique=[{groups}]")
        lines = [call(f"class {table.name}(", keywords, "):", 0), *_docstring(table), ""]
        for note in table.notes:
            lines += _comment(note, 1)
        key = table.key
        options: dict[str, Any] = {} if key.name == "id" else {"column": key.name}
        if table.key_storage != "integer":
            options["storage"] = table.key_storage
        if options:
            lines.append(self._declaration("id", "str", "field", options))
        for found in table.fields:
            if found.note:
                lines += _comment(found.note, 1)
            lines.append(self._field(found))
        for found in table.lists:
            self.sternpost.add("Many")
            if found.options:
                self.sternpost.add("many")
            lines.append(self._declaration(found.name, f"Many[{found.target.name}]", "many", found.options))
        return "\n".join([*lines, "", *self._operations(table)])

    def _operations(self, table: InferredTable) -> list[str]:
        allowed = [f"allow=scope({quoted(f'{table.path}:read')})"]
        sortable = [
            quoted(found.name)
            for found in table.fields
            if found.target is None
            and found.kind not in ("json", "boolean")
            and found.column.name in table.table.indexed
        ]
        browse = [f"sort=[{', '.join(sortable)}]", *allowed] if sortable else allowed
        lines = [call(f"{_INDENT}browse = Browse(", browse, ")", 1), call(f"{_INDENT}read = Read(", allowed, ")", 1)]
        if not self.write:
            return lines
        changing = [f"allow=scope({quoted(f'{table.path}:write')})"]
        if table.no_create:
            lines += _comment(f"No create: {table.no_create}.", 1)
        else:
            self.sternpost.add("Create")
            lines.append(call(f"{_INDENT}create = Create(", changing, ")", 1))
        lines.append(call(f"{_INDENT}update = Update(", changing, ")", 1))
        lines.append(call(f"{_INDENT}delete = Delete(", changing, ")", 1))
        return lines

    def _field(self, found: InferredField) -> str:
        nullable = " | None" if found.column.nullable and found.kind != "json" else ""
        if found.target is not None:
            self.sternpost |= {"One", "one"} if found.options else {"One"}
            return self._declaration(found.name, f"One[{found.target.name}]{nullable}", "one", found.options)
        if found.element is not None:
            nullable = " | None" if found.column.nullable else ""
        return self._declaration(found.name, self._type(found) + nullable, "field", found.options)

    def _type(self, found: InferredField) -> str:
        if found.element is not None:
            return f"list[{found.element}]"
        if found.kind == "enum":
            self.other.add(("typing", "Literal"))
            return f"Literal[{', '.join(map(quoted, found.choices))}]"
        name = _TYPES[found.kind]
        module = {"Decimal": "decimal", "UUID": "uuid", "datetime": "datetime", "date": "datetime"}.get(name)
        if module is not None:
            self.other.add((module, name))
        if found.kind == "json":
            self.sternpost.add("Json")
        return f"dt.{name}" if module == "datetime" and self.by_module else name

    def _declaration(self, name: str, annotation: str, function: str, options: dict[str, Any]) -> str:
        if not options:
            return f"{_INDENT}{name}: {annotation}"
        arguments = [f"{option}={self._value(options[option])}" for option in _ORDER if option in options]
        head = f"{_INDENT}{name}: {annotation} = {function}("
        if annotation.startswith("Literal[") and len(head) > WIDTH:
            choices = annotation.removeprefix("Literal[").partition("]")
            inner = call(f"{_INDENT}{name}: Literal[", _split(annotation), f"]{choices[2]} = {function}(", 1)
            return call(inner, arguments, ")", 1)
        return call(head, arguments, ")", 1)

    def _value(self, value: Any) -> str:
        if isinstance(value, str):
            return quoted(value)
        if isinstance(value, Decimal):
            if value == value.to_integral_value():
                return str(int(value))
            self.other.add(("decimal", "Decimal"))
            return f"Decimal({quoted(format(value, 'f'))})"
        if isinstance(value, list):
            return f"[{', '.join(map(self._value, value))}]"  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
        return repr(value)


def call(head: str, arguments: Sequence[str], tail: str, depth: int) -> str:
    """`head` with its arguments: on one line where it fits, else one argument a line."""
    line = f"{head}{', '.join(arguments)}{tail}"
    last = line.rpartition("\n")[2]
    reserved = len(_INDENT) if not head.startswith((_INDENT, "class", "from")) else 0
    if len(last) + reserved <= WIDTH or not arguments:
        return line
    inner = "".join(f"{_INDENT * (depth + 1)}{argument},\n" for argument in arguments)
    return f"{head}\n{inner}{_INDENT * depth}{tail}"


def _exploded(text: str, names: Iterable[str]) -> str:
    inner = "".join(f"{_INDENT}{name},\n" for name in names)
    return f"from sternpost import (\n{inner})"


def _split(annotation: str) -> list[str]:
    """The values of `Literal[…]`, each as it is written there."""
    inner = annotation.removeprefix("Literal[").removesuffix(" | None").removesuffix("]")
    values: list[str] = []
    at = 0
    while at < len(inner):
        quote, end = inner[at], at + 1
        while inner[end] != quote:
            end += 2 if inner[end] == "\\" else 1
        values.append(inner[at : end + 1])
        at = end + 3
    return values


def quoted(text: str) -> str:
    """A string literal, in the quotes that need fewer escapes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    body = "".join(_escaped(character, quote) for character in text)
    return f"{quote}{body}{quote}"


def _escaped(character: str, quote: str) -> str:
    if character in ("\\", quote):
        return f"\\{character}"
    return character if character.isprintable() else repr(character)[1:-1]


def _docstring(table: InferredTable) -> list[str]:
    text = _plain(table.table.comment) or f"A row of {_plain(table.table.shown)}."
    if text[-1] not in ".!?":
        text += "."
    lines = textwrap.wrap(text, WIDTH - len(_INDENT) - 6)
    if len(lines) == 1:
        return [f'{_INDENT}"""{lines[0]}"""']
    return [f'{_INDENT}"""{lines[0]}', *(f"{_INDENT}{line}" for line in lines[1:]), f'{_INDENT}"""']


def _comment(text: str, depth: int) -> list[str]:
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    width = WIDTH - len(_INDENT) * depth - 2
    lines = textwrap.wrap(shown, width, break_long_words=False, break_on_hyphens=False)
    return [f"{_INDENT * depth}# {line}" for line in lines]


def _left_out(left_out: Sequence[tuple[str, str]]) -> list[str]:
    if not left_out:
        return []
    lines = ["# What the database holds and a contract cannot say:"]
    for what, why in left_out:
        first, *more = _comment(f"{what}: {why}.", 0)
        lines += [f"# - {first[2:]}", *(f"#   {line[2:]}" for line in more)]
    return ["\n".join(lines)]


def _plain(text: str) -> str:
    """A text of the database on one line of a docstring: nothing in it ends the string."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return shown.replace("\\", "/").replace('"', "'")
