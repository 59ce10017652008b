"""Whether the parameters of an author's function stand where its operation passes their values."""

from __future__ import annotations

import builtins
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sternpost.compile.names import listed, snake
from sternpost.contract.resource import Declared
from sternpost.data.change import Change
from sternpost.data.context import Context, HttpContext
from sternpost.data.pages import PageRequest
from sternpost.web import Request, Response

_NAMES = {
    "context": {"context", "ctx"},
    "change": {"change"},
    "row": {"row"},
    "input": {"input", "payload"},
    "page": {"page"},
}
"""How parameters without a type are called, by what is passed."""

_OWN: dict[str, Any] = {"Context": Context, "HttpContext": HttpContext, "Change": Change}

_PARTS: dict[str, Any] = {"Request": Request, "Response": Response}

_TEXT = re.compile(r"(?:\w+\.)*(\w+)(?:\[(?:\w+\.)*(\w+)\])?")


@dataclass(frozen=True, slots=True)
class Passed:
    """What an operation passes to its function: for each part its class, and for a change the class of its row."""

    types: Mapping[str, type]
    row: type
    known: Mapping[str, type]
    """Classes of the contract by their names, for annotations that cannot be resolved at run time."""

    def signature(self) -> str:
        """The parameters as an author would write them."""
        return listed(f"{part}: {self._shown(part)}" for part in self.types)

    def misplaced(self, function: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> str | None:
        """The first parameter that is declared for another value, or None."""
        scope = getattr(inspect.unwrap(function), "__globals__", {})
        for part, parameter in zip(self.types, parameters, strict=True):
            said = parameter.annotation
            if said is inspect.Parameter.empty:
                if self._is_called_otherwise(part, parameter.name):
                    return parameter.name
            elif not self._fits(part, resolved(said, scope, {**_OWN, **self.known})):
                return f"{parameter.name}: {said if isinstance(said, str) else _text(said)}"
        return None

    def _is_called_otherwise(self, part: str, name: str) -> bool:
        names = {**_NAMES, "row": _NAMES["row"] | {snake(self.row.__name__)}}
        return name not in names[part] and any(name in names[other] for other in self.types if other != part)

    def _fits(self, part: str, annotation: Any) -> bool:
        said = list(classes_in(annotation))
        return not said or any(self._takes(part, cls, arguments) for cls, arguments in said)

    def _takes(self, part: str, cls: Any, arguments: tuple[Any, ...]) -> bool:
        """Whether a value can be what a class says; what says nothing of it can be anything."""
        said: type[Any] | None = cls if inspect.isclass(cls) else None
        if said is None or not (issubclass(said, Declared | Context | Change | PageRequest) or _is_plain(said)):
            return True
        if not issubclass(self.types[part], said) and not issubclass(said, self.types[part]):
            return False
        rows = [row for row in arguments if isinstance(row, type) and issubclass(row, Declared)]
        return not rows or issubclass(self.row, tuple(rows))

    def _shown(self, part: str) -> str:
        return f"Change[{self.row.__name__}]" if part == "change" else self.types[part].__name__


def resolved(annotation: Any, scope: dict[str, Any], known: Mapping[str, Any]) -> Any:
    """What an annotation says; `known` are classes by their names, for one that cannot be resolved at run time."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, scope)  # noqa: S307  (the author's own source text)
    except Exception:  # noqa: BLE001 - a name that is imported for type checkers alone: its text has to do
        found = _TEXT.fullmatch(annotation.strip())
        cls, row = (known.get(name or "") for name in found.groups()) if found else (None, None)
        return Change[row] if cls is Change and row is not None else cls or Any


def asks_for_request(function: Callable[..., Any]) -> bool:
    """Whether the first parameter of a function is declared as the context of a call over HTTP."""
    try:
        first = next(iter(inspect.signature(function).parameters.values()), None)
    except (TypeError, ValueError):
        return False
    if first is None or first.annotation is first.empty:
        return False
    said = resolved(first.annotation, getattr(inspect.unwrap(function), "__globals__", {}), _OWN)
    return any(cls is HttpContext for cls, _ in classes_in(said))


def part_of_request(function: Callable[..., Any]) -> tuple[str, str] | None:
    """The first parameter that is declared as a request or a response, and which of the two; None where none is."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    for parameter in parameters:
        for cls, _ in classes_in(resolved(parameter.annotation, scope, _PARTS)):
            if cls is Request or cls is Response:
                return parameter.name, cls.__name__
    return None


def _is_plain(cls: type) -> bool:
    """Whether it is a type of Python's own, such as `dict`; nothing that is passed is one."""
    return cls is not object and getattr(builtins, cls.__name__, None) is cls


def classes_in(annotation: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The classes that an annotation names, each with its arguments; of a union those of all its parts."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from classes_in(arguments[0])
    elif origin in (typing.Union, types.UnionType):
        for argument in arguments:
            if argument is not type(None):
                yield from classes_in(argument)
    else:
        yield (annotation if origin is None else origin), arguments


def _text(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)
