"""Operations: what clients can call. Each must declare who may call it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Literal

from sternpost.contract.fields import UNSET
from sternpost.contract.policy import Policy

_UNDECLARED: Any = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What every operation may declare.

    Attributes:
        allow: the policy; there is no default.
        summary: one line for the API documentation.
        timeout: seconds after which it is cancelled and rolled back, with the response 504.
    """

    allow: Policy = _UNDECLARED
    summary: str = ""
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class RelatedField:
    """A field of a row that the listed rows refer to; see `related`."""

    path: str
    all: bool = False


def related(path: str, *, all: bool = False) -> RelatedField:
    """A filter over a row that is referred to: `Browse(filter=[related("user.name")])`; the text alone means the same.

    Args:
        path: references, and a field at their end that has a filter of its own, such as `user.name`.
        all: whether all rows that are referred to count, and all fields; else only those that the caller may read.
    """
    return RelatedField(path, all)


@dataclass(frozen=True, slots=True, kw_only=True)
class Browse(Operation):
    """A paged list: `GET /users`.

    Attributes:
        page_size, max_page_size: rows in a page, by default and at most.
        sort: the fields a client may sort by.
        default_sort: the order without `sort`, such as `["-created_at"]`; by default that of creation.
        export: whether clients can download the whole list, as NDJSON or CSV.
        filter: fields of rows that the listed ones refer to, such as `["user.name"]`: the list can be filtered by them,
            with the operators that they have in their own list. A `related(…)` says more.
        or_groups: how many groups of filters may be joined by "or", at most 10; none by default.
    """

    page_size: int = 20
    max_page_size: int = 100
    sort: Sequence[str] = ()
    default_sort: Sequence[str] = ()
    export: bool = False
    filter: Sequence[str | RelatedField] = ()
    or_groups: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Operation):
    """One row: `GET /users/:id`. Its policy also says which rows exist for a caller at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Operation):
    """A new row: `POST /users`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace(Operation):
    """Replaces all fields that a client may set: `PUT /users/:id`. Fields that are not sent get their default.

    Attributes:
        require_match: whether requests must send the version that they change (`If-Match`); without it: 428.
    """

    require_match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Operation):
    """Changes some fields, as a merge patch (RFC 7396): `PATCH /users/:id`. Fields not sent are kept; null clears one.
    A list and a `Json` value are replaced as a whole.

    Attributes:
        require_match: whether requests must send the version that they change (`If-Match`); without it: 428.
    """

    require_match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Operation):
    """Removes a row: `DELETE /users/:id`.

    Attributes:
        require_match: whether requests must send the version that they delete (`If-Match`); without it: 428.
    """

    require_match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore(Operation):
    """Brings a deleted row back: `POST /users/:id/restore`. For resources with `soft_delete=True`."""


@dataclass(frozen=True, slots=True)
class Transition(Operation):
    """Changes a state: `POST /orders/:id/pay`. From any state other than `source` the response is 409.

    Attributes:
        field: the enum field that holds the state.
        source: the state, or states, it starts from.
        target: the state it ends in.
        require_match: whether requests must send the version that they change (`If-Match`); without it: 428.
    """

    field: str
    source: str | Sequence[str]
    target: str
    require_match: bool = dataclass_field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom(Operation):
    """Any other operation. The author's function does the work, in the same pipeline as every operation.

    Attributes:
        method: the HTTP method, `POST` (in a transaction) or `GET` (reads only).
        on: `item` for `/orders/:id/name`, `collection` for `/orders/name`.
        input: a `Payload` that the body is validated against; only with POST.
        output: a `Payload`; without one the answer is the resource's row. None for an empty answer (204). `Redirect`
            for an operation that returns a `Redirect`, `Media("application/pdf")` for one that returns bytes or text of
            that type: these two are served over HTTP alone.
    """

    method: Literal["POST", "GET"] = "POST"
    on: Literal["item", "collection"] = "item"
    input: Any = None
    output: Any = UNSET
