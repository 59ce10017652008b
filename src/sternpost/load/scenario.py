"""The requests of a load: valid ones, made from the contract, about rows that are there."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sternpost.load.job import Calls
from sternpost.load.objectives import Goal
from sternpost.plan.model import OperationPlan, ResourcePlan
from sternpost.scratch.requests import Request, tenant_of, valid_request
from sternpost.scratch.rows import MadeRow, RowMaker

ROWS = 200
"""Of each resource whose rows are read or changed, again and again."""

USED_UP_MAX = 20_000
"""Rows, or new values, of which each is used once."""

TOKEN_SECONDS = 7_200
_ONCE = frozenset(("delete", "transition", "restore"))
"""What can be done to a row once."""


@dataclass(frozen=True, slots=True)
class Path:
    """An operation that is measured."""

    resource: ResourcePlan
    operation: OperationPlan
    goal: Goal


class Unmeasurable(Exception):
    """No valid request of an operation can be made."""


class Scenario:
    """Makes the requests of the paths.

    Args:
        told: told of what is being prepared, in words.
    """

    def __init__(self, maker: RowMaker, told: Callable[[str], None] = lambda _: None) -> None:
        self._maker = maker
        self._told = told
        self._rows: dict[str, list[MadeRow]] = {}

    def calls(self, paths: Sequence[Path], seconds: float, factor: float) -> tuple[Calls, ...]:
        """The calls of a phase. Raises `Unmeasurable`."""
        return tuple(self._calls(path, seconds, factor) for path in paths)

    def _calls(self, path: Path, seconds: float, factor: float) -> Calls:
        rate = path.goal.rate * factor
        wanted = math.ceil(rate * seconds * 1.2) + 20
        operation, once = path.operation, path.operation.kind in _ONCE
        count = min(wanted, USED_UP_MAX if once or operation.kind == "create" else ROWS)
        self._told(f"{operation.id}: {count} requests")
        requests = [self._request(path, number, once=once) for number in range(count)]
        return Calls(operation.id, rate, tuple(self._written(path, *each) for each in requests))

    def _request(self, path: Path, number: int, *, once: bool) -> tuple[Request, str]:
        """A request, and who sends it."""
        resource, operation = path.resource, path.operation
        if operation.on_item:
            row = self._used_up(path) if once else self._row(resource, number)
            ids = {**self._maker.ids, resource.name: row.id}
            request = valid_request(self._maker.plan, resource, operation, ids)
            if request is not None:
                return request, row.subject
        else:
            request = self._maker.new(resource, operation)
            if request is not None:
                return request, self._maker.subject()
        raise Unmeasurable(f"{operation.id}: no example of its input is known; give it example={{…}}")

    def _row(self, resource: ResourcePlan, number: int) -> MadeRow:
        rows = self._rows.setdefault(resource.name, [])
        if number >= len(rows):
            rows.append(self._made(resource))
        return rows[number]

    def _made(self, resource: ResourcePlan) -> MadeRow:
        row = self._maker.make(resource)
        if row is None:
            why = "its example is refused, or it has no operation that makes rows"
            raise Unmeasurable(f"no row of {resource.name} can be made: {why}")
        return row

    def _used_up(self, path: Path) -> MadeRow:
        """A row in a state that the operation can begin from."""
        row = self._made(path.resource)
        for step in _steps_to(path.resource, path.operation):
            request = valid_request(
                self._maker.plan, path.resource, step, {**self._maker.ids, path.resource.name: row.id}
            )
            reply = None if request is None else self._maker.ask(path.resource, request, row.subject)
            if reply is None or reply.status >= 300:
                said = "no example of its input is known" if reply is None else reply.error.get("code", reply.status)
                raise Unmeasurable(f"{path.operation.id} comes after {step.id}, which is refused: {said}")
        return row

    def _written(self, path: Path, request: Request, subject: str) -> str:
        """A request as HTTP/1.1."""
        service, plan = self._maker.service, self._maker.plan
        token = service.token(
            subject, self._maker.scopes, tenant=tenant_of(plan, path.resource.name), seconds=TOKEN_SECONDS
        )
        content = request.content or b""
        lines = [f"{request.method} {request.path} HTTP/1.1", f"host: 127.0.0.1:{service.port}"]
        lines += [f"authorization: Bearer {token}", *(f"{name}: {value}" for name, value in request.headers.items())]
        if request.method != "GET":
            lines.append(f"content-length: {len(content)}")
        return "\r\n".join((*lines, "", content.decode()))


def _steps_to(resource: ResourcePlan, operation: OperationPlan) -> list[OperationPlan]:
    """The transitions after which a new row is in a state that a transition begins from; the shortest way."""
    if operation.kind != "transition" or operation.state_field is None:
        return []
    start = str(resource.fields_by_name[operation.state_field].default)
    transitions = [
        each for each in resource.operations if each.kind == "transition" and each.state_field == operation.state_field
    ]
    ways: deque[tuple[str, list[OperationPlan]]] = deque([(start, [])])
    seen = {start}
    while ways:
        state, way = ways.popleft()
        if state in operation.sources:
            return way
        for each in transitions:
            if state in each.sources and each.target is not None and each.target not in seen:
                seen.add(each.target)
                ways.append((each.target, [*way, each]))
    return []


def with_rate(path: Path, rate: float | None) -> Path:
    """The same path at another rate."""
    return path if rate is None else replace(path, goal=replace(path.goal, rate=rate))
