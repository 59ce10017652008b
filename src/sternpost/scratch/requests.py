"""Requests that are made from the contract: such as are valid, and such as have to be refused."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from sternpost.derive.openapi.examples import example_of, list_of, value_of
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, OperationPlan, Plan, ResourcePlan

JSON = "application/json"
DEPTH = 10_000
"""Brackets within each other: more than any edge lets through."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        what: what is special about it.
        statuses: those that it may be answered with.
    """

    operation: str
    what: str
    method: str
    path: str
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    statuses: frozenset[int] = frozenset()


NO_ROWS: Mapping[str, str] = {}


def valid_request(
    plan: Plan, resource: ResourcePlan, operation: OperationPlan, rows: Mapping[str, str] = NO_ROWS
) -> Request | None:
    """A request whose input is valid. None where no example of its input is known.

    Args:
        rows: the id of a row by its resource; where there is none, it is about a row that does not exist.
    """
    content, headers, query = None, dict[str, str](), ""
    if operation.has_parameters:
        query = _query(operation)
    elif operation.takes is not None or operation.input is not None:
        example = example_of(plan, resource, operation)
        if example is None:
            return None
        content, headers = _filled(plan, operation, example, rows).encode(), {"content-type": JSON}
    if operation.require_match:
        headers["if-match"] = "*"
    if operation.idempotency == "required":
        headers["idempotency-key"] = f'"{secrets.token_hex(16)}"'
    path = operation.path.replace("{id}", rows.get(resource.name) or new_id(resource)) + query
    return Request(operation.id, "a valid request", operation.method, path, content, headers)


def bad_requests(plan: Plan, resource: ResourcePlan, operation: OperationPlan) -> Iterator[Request]:
    """Requests that have to be refused, whoever sends them."""
    valid = valid_request(plan, resource, operation)
    if valid is None:
        return
    if operation.on_item:
        for what, key in _BAD_IDS:
            yield replace(
                valid, what=what, path=operation.path.replace("{id}", key), statuses=frozenset((400, 404, 405))
            )
    if valid.content is not None:
        yield from _bad_bodies(resource, operation, replace(valid, statuses=frozenset((400, 413, 415, 422))))
    elif operation.method == "GET":
        bad = replace(valid, statuses=frozenset((400, 414)))
        joined = "&" if "?" in valid.path else "?"
        for what, query in _BAD_QUERIES:
            yield replace(bad, what=what, path=f"{valid.path}{joined}{query}")
        if operation.kind == "browse":
            for what, query in _BAD_PAGES:
                yield replace(bad, what=what, path=f"{valid.path}{joined}{query}")


def tenant_of(plan: Plan, name: str) -> str | None:
    """What a token says of its tenant, so that it may be one of a resource's."""
    if name not in plan.tenanted:
        return None
    for resource in plan.resources:
        if resource.tenant not in (None, "id"):
            references = resource.fields_by_name[str(resource.tenant)].references
            if references is not None:
                return f"{plan.by_name[references].prefix}_{'7' * 32}"
        elif resource.tenant == "id":
            return f"{resource.prefix}_{'7' * 32}"
    return "gate"


def new_id(resource: ResourcePlan) -> str:
    """An id of a row that does not exist."""
    return f"{resource.prefix}_{secrets.token_hex(16)}"


def _filled(plan: Plan, operation: OperationPlan, example: Mapping[str, Any], rows: Mapping[str, str]) -> str:
    """An example as JSON, with lists that it may have, too, where there are rows for their members."""
    found = dict(example)
    for each in () if operation.takes is None else operation.takes.lists:
        members = json.loads(_with_rows(plan, json.dumps(list_of(plan, each)), rows))
        if each.public_name not in found and _NO_ROW not in json.dumps(members):
            found[each.public_name] = members
    return _with_rows(plan, json.dumps(found), rows)


_NO_ROW = "0" * 32
"""In ids of examples, which stand for any row."""


def _with_rows(plan: Plan, example: str, rows: Mapping[str, str]) -> str:
    """An example with the ids of rows in place of those that stand for any."""
    for name, key in rows.items():
        example = example.replace(f"{plan.by_name[name].prefix}_{_NO_ROW}", key)
    return example


def _query(operation: OperationPlan) -> str:
    """The required parameters of an operation that is asked with GET."""
    if operation.input is None:
        return ""
    given = [
        (each.public_name, value_of(None, each))
        for each in operation.input.fields
        if each.required and each.structure is None
    ]
    return "?" + "&".join(f"{name}={quote(_plain(value))}" for name, value in given) if given else ""


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


_BAD_IDS = (
    ("an id that is none", "not-an-id"),
    ("an id with NUL", "a_%00"),
    ("an id of 5,000 characters", "a" * 5_000),
    ("an id that is no UTF-8", "%ff%fe"),
)
_BAD_QUERIES = (
    ("a parameter that does not exist", "noSuchParameterExists=1"),
    ("a parameter with an operator that does not exist", "id%5B%24where%5D=1"),
    ("1,000 parameters", "&".join(f"p{number}=1" for number in range(1_000))),
)
_BAD_PAGES = (
    ("a page that is no number", "page=first"),
    ("a page below one", "page=0"),
    ("a page of too many rows", "pageSize=1000000"),
    ("an order by a field that does not exist", "sort=noSuchField"),
    ("a cursor that is none", "cursor=AAAA"),
)


_ODD_VALUES = (("an object", {"no": {"such": "value"}}), ("lists within lists", [[[[1]]]]))
_NO_BUG = frozenset(range(200, 500))
"""Where any JSON may come: a function that cannot do with it has to say so."""


def _bad_bodies(resource: ResourcePlan, operation: OperationPlan, valid: Request) -> Iterator[Request]:
    example: dict[str, Any] = json.loads(valid.content or b"{}")

    def with_body(what: str, content: bytes, **headers: str) -> Request:
        return replace(valid, what=what, content=content, headers={**valid.headers, **headers})

    def with_members(what: str, members: Any) -> Request:
        return with_body(what, json.dumps(members).encode())

    yield with_body("no body", b"")
    yield with_body("half of a body", json.dumps(example).encode()[:-1])
    yield with_body("text that is no JSON", b"name=Ada")
    yield with_body("a body of another type", json.dumps(example).encode(), **{"content-type": "text/plain"})
    yield with_body("a body that is no UTF-8", b'{"a": "\xff\xfe"}')
    yield with_body(f"brackets {DEPTH} deep", b"[" * DEPTH + b"]" * DEPTH)
    yield with_body("a member given twice", _twice(example))
    yield with_body("a number that is none", b'{"a": NaN}')
    for what, body in (("a list", [example]), ("a number", 1), ("null", None), ("a text", "text")):
        yield with_members(f"{what} in place of an object", body)
    yield with_members("a member that does not exist", {**example, "noSuchMemberExists": 1})
    for name, is_required, field_plan in _members(resource, operation):
        if is_required and not (operation.takes is not None and operation.takes.partial):
            without = {key: value for key, value in example.items() if key != name}
            yield with_members(f"no {name}, which is required", without)
        for what, value in _ODD_VALUES:
            odd = with_members(f"{what} as {name}", {**example, name: value})
            yield replace(odd, statuses=_NO_BUG) if field_plan and _may_be(field_plan, value) else odd


def _may_be(field_plan: FieldPlan, value: Any) -> bool:
    """Whether a field that takes any JSON takes this."""
    return field_plan.structure is None and KINDS[field_plan.kind].constant(value, field_plan) is not None


def _twice(example: Mapping[str, Any]) -> bytes:
    name = next(iter(example), "a")
    member = json.dumps({name: example.get(name, 1)}).encode()[1:-1]
    return b"{" + member + b", " + member + b"}"


def _members(resource: ResourcePlan, operation: OperationPlan) -> Iterator[tuple[str, bool, FieldPlan | None]]:
    """The name of each member of an input, whether it is required, and its field; None for a list of rows."""
    if operation.input is not None:
        for each in operation.input.fields:
            yield each.public_name, each.required, each
    elif operation.takes is not None:
        for member in operation.takes.members:
            yield member.public_name, member.required, resource.fields_by_name[member.name]
        for rows in operation.takes.lists:
            yield rows.public_name, rows.required, None
