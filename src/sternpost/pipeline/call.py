"""What a protocol passes to the pipeline, and what it gets back. Independent of HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from sternpost.errors import SternpostError
from sternpost.pipeline.list_query import NOTHING_ASKED, ListQuery
from sternpost.ports.storage import Document
from sternpost.web import Exchange, Redirect

ANY = frozenset({0})
"""As the versions of a `Precondition`: any version matches. Versions are counted from 1."""


ENCODING = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
"""How documents are written. An instant without a zone counts as one in UTC."""


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


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a batch.

    Attributes:
        operation: its id in the plan.
        name: by which later steps refer to its result; None where none does.
        id: the row it is about: an id, or a reference.
        match: the versions of which the row must have one; None where that does not matter.
        body: the input as JSON data, in which `{"$ref": "name.member"}` is replaced by a value of an earlier result.
        query: as that of a `Call`.
    """

    operation: str
    name: str | None = None
    id: Any = None
    body: Any = None
    query: ListQuery = NOTHING_ASKED
    match: frozenset[int] | None = None


class Quota(NamedTuple):
    """What a rate limit says of a call, for its answer.

    Attributes:
        name: of the limit.
        policy: how much passes in which time: `q=100;w=60` (draft-ietf-httpapi-ratelimit-headers-10, 3).
        remaining: units that are left.
        reset_seconds: until all units are there again.
    """

    name: str
    policy: str
    remaining: int
    reset_seconds: int


@dataclass(slots=True)
class Call:
    """A request in the pipeline's own terms. Its trace is that of the `Observation` that comes with it.

    Attributes:
        operation: the operation's id in the plan.
        credentials: the bearer token, if one was sent.
        id: the id as it was sent, for operations on one row.
        parent: for the list under a row: `(resource, relation, id as it was sent)`.
        body: the input as JSON bytes, or as data that was decoded already.
        query: page, order, filters, fields and relations.
        export: whether the whole list is asked for, in parts; for operations that declare it.
        precondition: what must hold of the row.
        steps: for a batch: decodes its steps. Called once it is known who calls; raises `Invalid`.
        refused: an error that the protocol found in the request; raised after authentication.
        address: the network address that the client called from, where the protocol knows it; behind trusted proxies
            what they say.
        idempotency_key: by which the client recognises this very call when it sends it again.
        sent: for a call with a key what makes it this very call, beside its row: the body and the parameters as bytes.
        on_leave: told what to call when the client goes away, where the protocol notices that.
        deadline_seconds: how long the client waits; the operation's own limit holds, too.
        exchange: the request and the response of HTTP, for operations and hooks that look at them.
        quotas: what rate limits say of it, written by the pipeline; None where none was asked.
    """

    operation: str
    credentials: str | None = None
    id: str | None = None
    parent: tuple[str, str, str] | None = None
    body: bytes | dict[str, Any] | None = None
    query: ListQuery = NOTHING_ASKED
    export: bool = False
    precondition: Precondition | None = None
    steps: Callable[[], Sequence[Step]] | None = None
    refused: SternpostError | None = None
    address: str | None = None
    idempotency_key: str | None = None
    sent: tuple[bytes, ...] = ()
    on_leave: Callable[[Callable[[], None]], None] | None = None
    deadline_seconds: float | None = None
    exchange: Exchange | None = None
    quotas: list[Quota] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a step: the status of its operation, its answer, and the id of its row."""

    step: Step
    status: int
    answer: Answer
    row_id: str | None = None


@dataclass(slots=True)
class Answer:
    """What came of it: one document, a list of them with its `meta`, nothing, a whole list in parts, or results of
    steps.

    Attributes:
        parts: a whole list; the reader must close it.
        version: of the row that is the document, where its resource counts changes.
        columns: what each document of `parts` holds, in order: its name, and whether its value is free text.
        results: those of a batch, in order.
        headers: own ones, which the operation declares.
        content: what an operation with an own media type answers with.
        redirect: the address that the client is sent to.
        status: of an answer that is given again; None for that of its operation.
        encoded: of such an answer the document, or the list of them, as JSON. The document itself holds its id alone.
    """

    document: Document | None = None
    documents: list[Document] | None = None
    meta: dict[str, Any] = field(default_factory=lambda: {})
    parts: AsyncGenerator[list[Document]] | None = None
    columns: tuple[tuple[str, bool], ...] = ()
    version: int | None = None
    results: Sequence[Result] = ()
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes | None = None
    redirect: Redirect | None = None
    status: int | None = None
    encoded: bytes | None = None

    @property
    def data(self) -> Any:
        """The document, or the list of them, as an encoder of JSON takes it; None where there is none."""
        if self.encoded is not None:
            return orjson.Fragment(self.encoded)
        return self.document if self.document is not None else self.documents
