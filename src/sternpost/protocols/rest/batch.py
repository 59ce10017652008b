"""`POST /api/v1/$batch`: several operations in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sternpost.errors import Detail, Invalid
from sternpost.exact_json import loads, may_have_long_numbers
from sternpost.pipeline.call import ENCODING, Result, Step
from sternpost.pipeline.inputs import PROBLEMS_EXAMINED_MAX
from sternpost.pipeline.list_query import NOTHING_ASKED
from sternpost.protocols.rest.conditions import entity_tag, versions_of
from sternpost.protocols.rest.query import of_pairs

STEP_NAME = r"^[A-Za-z][A-Za-z0-9_]{0,31}$"
QUERY_MAX = 30
STEPS_MAX = 1000
"""The most that any contract allows; what is behind them is not looked at."""


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    operation: Annotated[str, Field(max_length=200)]
    name: Annotated[str, Field(pattern=STEP_NAME)] | None = Field(default=None, alias="as")
    id: str | dict[str, Any] | None = None
    query: Annotated[dict[str, str], Field(max_length=QUERY_MAX)] | None = None
    body: dict[str, Any] | None = None
    if_match: Annotated[str, Field(max_length=1000)] | None = Field(default=None, alias="ifMatch")


class _Batch(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    operations: list[_Step]


class _Counted(BaseModel):
    """A batch of which nothing but the number of its steps is looked at: each wrong one would make a problem."""

    model_config = ConfigDict(extra="forbid", strict=True)

    operations: Annotated[list[Any], Field(min_length=1, max_length=STEPS_MAX)]


def read_steps(body: bytes) -> list[Step]:
    """The steps in a body. Raises `Invalid`."""
    try:
        counted = _Counted.model_validate_json(body)
        long = may_have_long_numbers(body)
        batch = _Batch.model_validate(loads(body) if long else {"operations": counted.operations})
    except ValidationError as error:
        raise Invalid("Invalid batch", details=_details(error)) from None
    return [
        Step(
            operation=step.operation,
            name=step.name,
            id=step.id,
            body=step.body,
            query=of_pairs(step.query.items()) if step.query else NOTHING_ASKED,
            match=None if step.if_match is None else versions_of(step.if_match, f"operations.{index}.ifMatch"),
        )
        for index, step in enumerate(batch.operations)
    ]


def _details(error: ValidationError) -> list[Detail]:
    count = error.error_count()
    if count > PROBLEMS_EXAMINED_MAX:  # listing them all would take too long
        return [Detail("", "too_many_problems", f"There are {count} problems; they are not listed")]
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        Detail(".".join(str(part)[:64] for part in problem["loc"]), problem["type"], problem["msg"])
        for problem in problems
    ]


def encode_results(results: Sequence[Result], request_id: str) -> bytes:
    """The answer: for each operation its status, and what it would have answered alone."""
    data: list[dict[str, Any]] = []
    for result in results:
        entry: dict[str, Any] = {"operation": result.step.operation, "status": result.status}
        if result.step.name is not None:
            entry["as"] = result.step.name
        answer = result.answer
        if answer.documents is not None or answer.document is not None:
            entry["data"] = answer.data
        if answer.version is not None:
            entry["etag"] = entity_tag(answer.version, orjson.dumps(answer.data, option=ENCODING)).decode()
        if answer.meta:
            entry["meta"] = answer.meta
        data.append(entry)
    return orjson.dumps({"data": data, "meta": {"requestId": request_id}}, option=ENCODING)
