"""Operations: the only ways in. Each says who may; one that does not say does not compile."""

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
        timeout: seconds after which it is given up, rolled back and answered 504.
    """

    allow: Policy = _UNDECLARED
    summary: str = ""
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Browse(Operation):
    """A list, in pages: `GET /users`.

    Attributes:
        page_size, max_page_size: rows in a page, by default and at most.
        sort: the fields a client may sort by.
        default_sort: the order without `sort`, such as `["-created_at"]`; by default that of creation.
        export: whether the whole list can be had at once, as NDJSON or CSV.
    """

    page_size: int = 20
    max_page_size: int = 100
    sort: Sequence[str] = ()
    default_sort: Sequence[str] = ()
    export: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Operation):
    """One row: `GET /users/:id`. Its policy also says which rows exist for a caller at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Operation):
    """A new row: `POST /users`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace(Operation):
    """All that a client may set, at once: `PUT /users/:id`. What is not sent goes back to its default.

    Attributes:
        require_match: a request must say which version it changes (`If-Match`), else it is answered 428.
    """

    require_match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Operation):
    """Some of it, as a merge patch (RFC 7396): `PATCH /users/:id`. What is not sent stays; null clears.

    Attributes:
        require_match: a request must say which version it changes (`If-Match`), else it is answered 428.
    """

    require_match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Operation):
    """Removes a row: `DELETE /users/:id`.

    Attributes:
        require_match: a request must say which version it removes (`If-Match`), else it is answered 428.
    """

    require_match: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore(Operation):
    """Brings a deleted row back: `POST /users/:id/restore`. For resources with `soft_delete=True`."""


@dataclass(frozen=True, slots=True)
class Transition(Operation):
    """The only way to change a state: `POST /orders/:id/pay`. From any other state it is answered 409.

    Attributes:
        field: the enum field that holds the state.
        source: the state, or states, it starts from.
        target: the state it ends in.
        require_match: a request must say which version it moves (`If-Match`), else it is answered 428.
    """

    field: str
    source: str | Sequence[str]
    target: str
    require_match: bool = dataclass_field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom(Operation):
    """Anything else; the author's function does the work, inside the same pipeline as every operation.

    Attributes:
        method: the HTTP method, `POST` (in a transaction) or `GET` (reads only).
        on: `item` for `/orders/:id/name`, `collection` for `/orders/name`.
        input: a `Payload` that the body is validated against; only with POST.
        output: a `Payload`; without one the answer is the resource's row. None for an empty answer (204).
    """

    method: Literal["POST", "GET"] = "POST"
    on: Literal["item", "collection"] = "item"
    input: Any = None
    output: Any = UNSET
