"""Operations: what clients can call. Each must declare who may call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Literal

from sternpost.contract.fields import UNSET
from sternpost.contract.limits import Limit
from sternpost.contract.objectives import Objective
from sternpost.contract.policy import Policy
from sternpost.errors import SternpostError

_UNDECLARED: Any = UNSET
UNDECIDED: Any = UNSET
"""What an operation has that does not say whether it needs an idempotency key, or whether its answers are kept."""

IdempotencyKeys = Literal["optional", "required"]
"""Whether a change may come with an idempotency key, or has to."""

Caching = Literal["none"]
"""How answers are kept to be given again: not at all. Strategies are planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What every operation may declare.

    Attributes:
        allow: the policy; there is no default.
        summary: one line for the API documentation.
        timeout: seconds after which it is cancelled and rolled back, with the response 504.
        errors: own classes of errors that it may respond with, each with a `code` of its own; they are documented.
        example: an input that fits, by the names of fields, for the API documentation; what it leaves out is filled in
            from the examples of fields.
        limit: a rate limit, such as `fixed_window(100, per="minute", by="principal")`, or a list of several, all of
            which a call has to pass. None for no limit; by default that of the contract.
        emits: the event, or events, that are written to the outbox in the transaction of the change, such as
            `"order.paid"`; not for operations that only read.
        audited: whether each call writes a log line that says who called it, for which row, and how it ended.
        acceptance: what has to be true of it, each a sentence under a code that the test which proves it names:
            `{"owner-only": "Nobody else can change it"}`. The gate `implement` asks for a test of each.
        critical: whether the service cannot do without it, as with sign-in or payment: the gates ask for more tests of
            its code, and `sternpost load` measures it.
        objective: how fast, how reliable and how often it has to answer, where the defaults are not right.
    """

    allow: Policy = _UNDECLARED
    summary: str = ""
    timeout: float | None = None
    errors: Sequence[type[SternpostError]] = ()
    example: Mapping[str, Any] = dataclass_field(default_factory=dict[str, Any], hash=False)
    limit: Limit | Sequence[Limit] | None = dataclass_field(default=_UNDECLARED, hash=False)
    emits: str | Sequence[str] = dataclass_field(default=(), hash=False)
    audited: bool = False
    acceptance: Mapping[str, str] = dataclass_field(default_factory=dict[str, str], hash=False)
    critical: bool = False
    objective: Objective | None = None


@dataclass(frozen=True, slots=True)
class RelatedField:
    """A field of a row that the listed rows refer to; see `related`."""

    path: str
    all: bool = False


def related(path: str, *, all: bool = False) -> RelatedField:
    """A filter over a row that is referred to: `Browse(filter=[related("user.name")])`; the text alone means the same.

    Args:
        path: references, and a field at their end that has a filter of its own, such as `user.name`; behind a field
            that holds a `Payload`, members of it, such as `user.address.city`.
        all: whether all rows that are referred to count, and all fields; else only those that the caller may read.
    """
    return RelatedField(path, all)


@dataclass(frozen=True, slots=True)
class SearchedField:
    """A field that a list is searched in; see `searched`."""

    name: str
    all: bool = False

    def __repr__(self) -> str:
        return f"searched({self.name!r}, all=True)" if self.all else f"searched({self.name!r})"


def searched(name: str, *, all: bool = False) -> SearchedField:
    """A field to search in: `Browse(search=["name", searched("ssn", all=True)])`; the text alone means the same.

    Args:
        name: a field that holds text.
        all: whether everyone who may list the rows finds them by it, also those who may not read the field. A field
            with `read=` needs it.
    """
    return SearchedField(name, all)


@dataclass(frozen=True, slots=True, kw_only=True)
class Browse(Operation):
    """A paged list: `GET /users`.

    Attributes:
        page_size, max_page_size: rows in a page, by default and at most.
        sort: the fields a client may sort by.
        default_sort: the order without `sort`, such as `["-created_at"]`; by default that of creation.
        export: whether clients can download the whole list, as NDJSON or CSV.
        filter: fields of rows that the listed ones refer to, such as `["user.name"]`, and members of objects, such as
            `["address.city"]`: the list can be filtered by them, with the operators that they declare themselves. A
            `related(…)` says more.
        or_groups: how many groups of filters may be joined by "or", at most 10; none by default.
        search: fields that hold text, the most important first: `?search=ann fev` finds the rows of which each word
            begins a word in one of them. A `searched(…)` says more.
        cache: `"none"` says that answers are not kept, after that was thought about; the gate `implement` asks for it.
    """

    page_size: int = 20
    max_page_size: int = 100
    sort: Sequence[str] = ()
    default_sort: Sequence[str] = ()
    export: bool = False
    filter: Sequence[str | RelatedField] = ()
    or_groups: int = 0
    search: Sequence[str | SearchedField] = ()
    cache: Caching = UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Operation):
    """One row: `GET /users/:id`. Its policy also says which rows exist for a caller at all.

    Attributes:
        cache: `"none"` says that answers are not kept, after that was thought about; the gate `implement` asks for it.
    """

    cache: Caching = UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Operation):
    """A new row: `POST /users`.

    Attributes:
        idempotency: `"required"` refuses requests without an `Idempotency-Key` (400); `"optional"`, as by default, lets
            clients send one.
    """

    idempotency: IdempotencyKeys = UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace(Operation):
    """Replaces all fields that a client may set: `PUT /users/:id`. Fields that are not sent get their default.

    Attributes:
        require_match: whether requests must send the version that they change (`If-Match`); without it: 428.
        idempotency: `"required"` refuses requests without an `Idempotency-Key` (400); `"optional"`, as by default, lets
            clients send one.
    """

    require_match: bool = False
    idempotency: IdempotencyKeys = UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Operation):
    """Changes some fields, as a merge patch (RFC 7396): `PATCH /users/:id`. Fields not sent are kept; null clears one.
    A list and a `Json` value are replaced as a whole.

    Attributes:
        require_match: whether requests must send the version that they change (`If-Match`); without it: 428.
        idempotency: `"required"` refuses requests without an `Idempotency-Key` (400); `"optional"`, as by default, lets
            clients send one.
    """

    require_match: bool = False
    idempotency: IdempotencyKeys = UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Operation):
    """Removes a row: `DELETE /users/:id`.

    Attributes:
        require_match: whether requests must send the version that they delete (`If-Match`); without it: 428.
        idempotency: `"required"` refuses requests without an `Idempotency-Key` (400); `"optional"`, as by default, lets
            clients send one.
    """

    require_match: bool = False
    idempotency: IdempotencyKeys = UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore(Operation):
    """Brings a deleted row back: `POST /users/:id/restore`. For resources with `soft_delete=True`.

    Attributes:
        idempotency: `"required"` refuses requests without an `Idempotency-Key` (400); `"optional"`, as by default, lets
            clients send one.
    """

    idempotency: IdempotencyKeys = UNDECIDED


@dataclass(frozen=True, slots=True)
class Transition(Operation):
    """Changes a state: `POST /orders/:id/pay`. From any state other than `source` the response is 409.

    Attributes:
        field: the enum field that holds the state.
        source: the state, or states, it starts from.
        target: the state it ends in.
        require_match: whether requests must send the version that they change (`If-Match`); without it: 428.
        idempotency: `"required"` refuses requests without an `Idempotency-Key` (400); `"optional"`, as by default, lets
            clients send one.
        input: a `Payload` that the body is validated against, and the function gets; it needs an implementation.
        headers: own headers of the answer, each with what it tells; the function sets them with `ctx.headers`.
    """

    field: str
    source: str | Sequence[str]
    target: str
    require_match: bool = dataclass_field(default=False, kw_only=True)
    idempotency: IdempotencyKeys = dataclass_field(default=UNDECIDED, kw_only=True)
    input: Any = dataclass_field(default=None, kw_only=True)
    headers: Mapping[str, str] = dataclass_field(default_factory=dict[str, str], kw_only=True, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom(Operation):
    """Any other operation. The author's function does the work, in the same pipeline as every operation.

    Attributes:
        method: the HTTP method, `POST` (in a transaction) or `GET` (reads only).
        on: `item` for `/orders/:id/name`, `collection` for `/orders/name`.
        input: a `Payload` that the body is validated against; with GET its fields are parameters of the query.
        output: a `Payload` or a resource, a `list[…]` of one of them, or a `Page[…]`, whose function gets a
            `PageRequest`. Of a resource clients get the rows and fields that they may read. Without an output the
            answer is the row that the operation is about. None for an empty answer (204). `Redirect` for an operation
            that returns a `Redirect`, `Media("application/pdf")` for one that returns bytes or text of that type: these
            two are served over HTTP alone.
        status: of a successful answer, from 200 to 299; by default 200, or 204 without an answer.
        headers: own headers of the answer, each with what it tells; the function sets them with `ctx.headers`.
        max_items: of a list; more is a mistake of the function.
        page_size, max_page_size: items of a page, by default and at most.
        idempotency: `"required"` refuses requests without an `Idempotency-Key` (400); `"optional"`, as by default, lets
            clients send one.
        cache: with GET, `"none"` says that answers are not kept, after that was thought about.
    """

    method: Literal["POST", "GET"] = "POST"
    on: Literal["item", "collection"] = "item"
    input: Any = None
    output: Any = UNSET
    status: int | None = None
    headers: Mapping[str, str] = dataclass_field(default_factory=dict[str, str], hash=False)
    max_items: int = 100
    page_size: int = 20
    max_page_size: int = 100
    idempotency: IdempotencyKeys = UNDECIDED
    cache: Caching = UNDECIDED
