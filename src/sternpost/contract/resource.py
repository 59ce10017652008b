"""The base classes of what authors declare: `Resource` for things with an id, `Payload` for plain structures."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

from sternpost.contract.fields import UNSET, FieldDeclaration
from sternpost.contract.operations import Operation
from sternpost.contract.relations import RelationDeclaration, not_loaded
from sternpost.contract.source import Source

_DUNDER = "__"


@dataclass(frozen=True, slots=True)
class Declaration:
    """One class as its author wrote it: nothing is evaluated or judged yet."""

    cls: type
    name: str
    source: Source
    keywords: dict[str, Any]
    annotations: dict[str, Any]
    attributes: dict[str, Any]
    namespace: Mapping[str, Any]
    """Names that annotations may use beyond the module's own: those of an enclosing function."""


class Declared:
    """Notes what a subclass declares. Nothing is registered anywhere: a contract lists its resources itself."""

    __declaration__: ClassVar[Declaration]

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__()
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame.f_code.co_name == "__init_subclass__" and frame.f_back is not None:
            frame = frame.f_back
        enclosing = {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
        cls.__declaration__ = Declaration(
            cls=cls,
            name=cls.__name__,
            source=Source(frame.f_code.co_filename, frame.f_lineno),
            keywords=keywords,
            annotations=dict(_own_annotations(cls)),
            attributes={
                name: value for name, value in vars(cls).items() if not name.startswith(_DUNDER) or "sternpost" in name
            },
            namespace=enclosing,
        )
        _own_operations(cls)

    def __init__(self, /, **values: Any) -> None:  # a field may be called `self`
        self.__dict__.update(values)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None  # pyright: ignore[reportAssignmentType]  (values can be changed, so it must not be a key)


def _own_operations(cls: type) -> None:
    """Gives the class its own copies of what it inherits, so that `@implements(Order.archive)` means the
    order's alone."""
    for ancestor in cls.__mro__[1:]:
        for name, value in vars(ancestor).items():
            if isinstance(value, Operation) and name not in vars(cls):
                setattr(cls, name, copy(value))


def _own_annotations(cls: type) -> Mapping[str, Any]:
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return vars(cls).get("__annotations__", {})


class Resource(Declared):
    """A kind of thing with an id: a table, its addresses, its types in every protocol.

    Class keywords:
        prefix: the start of its ids, 2 to 8 lower-case letters (`usr` gives `usr_…`). Required.
        owner: the field that holds the id of the caller who owns a row; `this.is_owner` looks there.
        tenant: the field that holds the tenant of a row. The server sets it from the token; other tenants cannot
            reach the row. `id` where the rows are the tenants, so that each has its own.
        plural: the name in addresses and tables, if it is not the regular plural.
        table: the name of its table, if it is not the plural.
        schema: in an external PostgreSQL database, the schema that holds the table.
        unique: tuples of fields whose combined values must be unique.
        indexes: tuples of fields for more indexes than those made for filters and sorts; a `-` before a field means
            descending.
        checks: conditions that every row keeps, such as `this.ends_at > this.starts_at`; `check(…)` adds a name and a
            text.
        no_overlap: spans of which no two overlap: `no_overlap("room", "starts_at", "ends_at", where=…)`.
        soft_delete: True to keep deleted rows in the database, hidden until they are restored.
        audit: True to record every change, with who made it and the old values, in the table `sternpost_audit`.
        abstract: True for a base class that only provides fields and operations to subclasses.
    """

    id: str

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        _without_values(cls)

    def __getattr__(self, name: str) -> Any:
        declared = (vars(ancestor).get("__declaration__") for ancestor in type(self).__mro__)
        if any(declaration is not None and name in declaration.annotations for declaration in declared):
            raise not_loaded(type(self), name)
        raise AttributeError(f"{type(self).__name__} has no field {name!r}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('id', 'without id')}>"


def _without_values(cls: type[Declared]) -> None:
    """The declaration keeps defaults and options. On the class they would stand for values that were not read."""
    for name in cls.__declaration__.annotations:
        if name in vars(cls) and not isinstance(vars(cls)[name], RelationDeclaration | Operation):
            delattr(cls, name)


class Payload(Declared):
    """A structure without an id: the input or the output of a custom operation, or a value in JSON. An instance has the
    declared defaults where nothing is given."""

    __defaults__: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        _without_values(cls)
        declared = cls.__declaration__.attributes
        options = {name: each.options for name, each in declared.items() if isinstance(each, FieldDeclaration)}
        own = {name: each["default"] for name, each in options.items() if each.get("default", UNSET) is not UNSET}
        cls.__defaults__ = {**cls.__defaults__, **own}

    def __init__(self, /, **values: Any) -> None:
        missing = {name: value for name, value in self.__defaults__.items() if name not in values}
        super().__init__(**deepcopy(missing), **values)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def declarations(cls: type[Declared], base: type[Declared]) -> Iterator[Declaration]:
    """The class's declaration and those of its abstract bases, the farthest first."""
    for ancestor in reversed(cls.__mro__):
        if issubclass(ancestor, base) and ancestor is not base:
            yield ancestor.__declaration__
