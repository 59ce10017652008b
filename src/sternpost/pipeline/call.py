"""What a protocol passes to the pipeline, and what it gets back. Independent of HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from sternpost.errors import SternpostError
from sternpost.ports.storage import Document


@dataclass(frozen=True, slots=True)
class ListParameter:
    """One parameter of a list: `page`, `sort`, `include`, or a field with an operator (`createdAt`, `gte`)."""

    name: str
    operator: str | None
    value: str


ANY = frozenset({0})
"""As the versions of a `Precondition`: any version matches. Versions are counted from 1."""


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must hold of the row before the operation is carried out (RFC 9110, 13.1).

    Attributes:
        match: the versions of which it must have one; None where that does not matter.
        none_match: the versions of which it may have none; None where that does not matter.
    """

    match: frozenset[int] | None = None
    none_match: frozenset[int] | None = None

    def holds(self, version: int | None) -> bool:
        """Whether it holds for a row with this version (None: the resource has no version field)."""
        if self.match is not None and self.match != ANY and version not in self.match:
            return False
        return self.none_match is None or (self.none_match != ANY and version not in self.none_match)


@dataclass(slots=True)
class Call:
    """A request in the pipeline's own terms.

    Attributes:
        operation: the operation's id in the plan.
        credentials: the bearer token, if one was sent.
        id: the id as it was sent, for operations on one row.
        parent: for the list under a row: `(resource, relation, id as it was sent)`.
        body: the input as JSON bytes, or as data that was decoded already.
        parameters: page, order, filters and includes.
        export: whether the whole list is asked for, in parts; for operations that declare it.
        precondition: what must hold of the row.
        refused: an error that the protocol found in the request; raised after authentication.
    """

    operation: str
    credentials: str | None = None
    id: str | None = None
    parent: tuple[str, str, str] | None = None
    body: bytes | dict[str, Any] | None = None
    parameters: tuple[ListParameter, ...] = ()
    export: bool = False
    precondition: Precondition | None = None
    refused: SternpostError | None = None


@dataclass(slots=True)
class Answer:
    """The result: one document, a list of them with its `meta`, nothing, or a whole list in parts.

    Attributes:
        parts: a whole list; the reader must close it.
        version: of the row that is the document, where its resource counts changes.
        columns: what each document of `parts` holds, in order: its name, and whether its value is free text.
    """

    document: Document | None = None
    documents: list[Document] | None = None
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    parts: AsyncGenerator[list[Document]] | None = None
    columns: tuple[tuple[str, bool], ...] = ()
    version: int | None = None
