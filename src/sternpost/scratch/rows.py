"""Rows to ask for: made through the service, from the examples of the contract."""

from __future__ import annotations

import itertools
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sternpost.plan.model import FieldPlan, OperationPlan, Plan, ResourcePlan
from sternpost.scratch.requests import Request, tenant_of, valid_request
from sternpost.scratch.service import Reply, ScratchService

CALLERS = 100
"""Who makes rows, in turns, so that no limit by principal is reached."""


@dataclass(frozen=True, slots=True)
class MadeRow:
    """A row that was made.

    Attributes:
        subject: who made it, and so owns it where rows have an owner.
    """

    id: str
    subject: str


class RowMaker:
    """Makes rows of a service.

    Args:
        scopes: of the callers: all that the contract knows.
    """

    def __init__(self, plan: Plan, service: ScratchService, scopes: Sequence[str]) -> None:
        self.plan = plan
        self.service = service
        self.scopes = scopes
        self.first: dict[str, MadeRow] = {}
        """A row of each resource that one could be made of; others refer to it."""
        self._callers: list[str] = []
        """The ids of rows that callers are."""
        self._numbers = itertools.count(1)
        self._run = secrets.token_hex(4)

    def make_one_of_each(self) -> None:
        """Makes the first row of each resource, in the order in which they need each other."""
        for _ in self.plan.resources:
            missing = [resource for resource in self.plan.resources if resource.name not in self.first]
            for resource in missing:
                row = self.make(resource)
                if row is not None:
                    self.first[resource.name] = row

    def make(self, resource: ResourcePlan) -> MadeRow | None:
        """A new row; None where there is no operation for that, or the service refuses the example."""
        create = next((each for each in resource.operations if each.kind == "create"), None)
        request = None if create is None else self.new(resource, create)
        if request is None:
            return None
        subject = self.subject()
        reply = self.ask(resource, request, subject)
        data: Any = reply.data
        if reply.status != 201 or not data:
            return None
        row = MadeRow(data["data"]["id"], subject)
        if resource.owner_field == "id" and len(self._callers) < CALLERS:
            self._callers.append(row.id)
        return row

    def make_callers(self) -> None:
        """Makes several of the rows that callers are, where they are rows."""
        for resource in self.plan.resources:
            if resource.owner_field == "id" and resource.name in self.first:
                for _ in range(CALLERS - 1):
                    self.make(resource)

    def new(self, resource: ResourcePlan, operation: OperationPlan) -> Request | None:
        """A request that makes a row, or is about none, with values of its own where they have to differ."""
        request = valid_request(self.plan, resource, operation, self.ids)
        if request is None or request.content is None:
            return request
        example: dict[str, Any] = json.loads(request.content)
        own = {**example, **dict(self._unique(resource, example))}
        return replace(request, content=json.dumps(own).encode())

    def ask(self, resource: ResourcePlan, request: Request, subject: str) -> Reply:
        """What the service answers to somebody."""
        token = self.service.token(subject, self.scopes, tenant=tenant_of(self.plan, resource.name))
        return self.service.ask(
            request.method, request.path, content=request.content, headers=request.headers, token=token
        )

    @property
    def ids(self) -> Mapping[str, str]:
        """The ids of the first rows, by resource."""
        return {name: row.id for name, row in self.first.items()}

    def subject(self) -> str:
        """Who asks next, in turns: a row of the resource that callers are, where there is one."""
        number = next(self._numbers)
        return self._callers[number % len(self._callers)] if self._callers else f"caller-{number % CALLERS}"

    def _unique(self, resource: ResourcePlan, example: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Other values for those that no two rows may share."""
        number = next(self._numbers)
        in_groups = {name for rule in resource.unique_rules.values() for name in rule.declared}
        for field in resource.fields:
            given = example.get(field.public_name)
            if given is not None and (field.unique or field.name in in_groups):
                yield field.public_name, self._other(field, given, number)

    def _other(self, field: FieldPlan, value: Any, number: int) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            return value + number
        if not isinstance(value, str) or field.references is not None:
            return value
        if "@" in value:
            return f"{self._run}.{number}@example.com"
        texts = (f"{value}{self._run}{number}", f"{value}-{number}", f"{value}{number}", str(number))
        longest = field.max_length or 1_000
        fitting = (
            text
            for text in (each[-longest:] for tried in texts for each in (tried, tried.upper()))
            if field.pattern is None or re.search(field.pattern, text)
        )
        return next(fitting, value)
