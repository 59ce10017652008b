"""Several operations in one transaction: all of them, or none. Each runs through the whole pipeline, as if it came alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from sternpost.errors import Detail, Invalid, SternpostError
from sternpost.pipeline.call import Answer, Call, ListParameter, Precondition
from sternpost.pipeline.execute import execute
from sternpost.pipeline.runtime import Runtime
from sternpost.ports.storage import NO_TENANT, Statistics, Visibility
from sternpost.telemetry.observation import Observation

NAME = "$batch"
SUCCESS = "Batch carried out"
REFERENCE = "$ref"
DEPTH_MAX = 32
"""How deep a step's body may be nested."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a batch.

    Attributes:
        operation: its id in the plan.
        name: by which later steps refer to its result; None where none does.
        id: the row it is about: an id, or a reference.
        match: the versions of which the row must have one; None where that does not matter.
        body: the input as JSON data, in which `{"$ref": "name.member"}` stands for a value of an earlier result.
    """

    operation: str
    name: str | None = None
    id: Any = None
    body: Any = None
    parameters: tuple[ListParameter, ...] = ()
    match: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a step."""

    step: Step
    status: int
    answer: Answer


async def execute_batch(
    runtime: Runtime, steps: Sequence[Step], credentials: str | None, observation: Observation
) -> list[Result]:
    """Carries the steps out in order, in one transaction.

    Raises:
        SternpostError: that of the first step that failed, its details under `operations.<index>`. Nothing is written then.
    """
    _check(runtime, steps)
    results: list[Result] = []
    named: dict[str, Any] = {}
    statistics = Statistics()
    try:
        visibility = await _visibility(runtime, credentials)
        async with runtime.storage.transaction(statistics, visibility=visibility) as session:
            for index, step in enumerate(steps):
                try:
                    call = _call(step, credentials, named)
                    answer = await execute(runtime, call, observation, session)
                except SternpostError as error:
                    _place(error, index)
                    raise
                results.append(Result(step, runtime.operations[step.operation].plan.status, answer))
                if step.name is not None:
                    named[step.name] = answer.documents if answer.documents is not None else answer.document
    finally:
        observation.operation, observation.success_message = NAME, SUCCESS
    return results


async def _visibility(runtime: Runtime, credentials: str | None) -> Visibility:
    """Which rows of tenants there are for the caller; each step then asks again who calls, and whether they may."""
    if credentials is None or not runtime.newest.tenanted:
        return NO_TENANT
    try:
        return runtime.visibility(await runtime.authenticator.authenticate(credentials))
    except SternpostError as error:
        _place(error, 0)
        raise


def _check(runtime: Runtime, steps: Sequence[Step]) -> None:
    """What can be said before anything is done."""
    details: list[Detail] = []
    names: set[str] = set()
    for index, step in enumerate(steps):
        found = runtime.operations.get(step.operation)
        if found is None:
            message = "There is no such operation"
            details.append(Detail(f"operations.{index}.operation", "unknown_operation", message))
        elif found.plan.kind == "custom" and found.plan.method == "GET":
            message = "An operation that reads by a function of its own cannot be part of a batch: call it by itself"
            details.append(Detail(f"operations.{index}.operation", "not_in_a_batch", message))
        if step.name is not None and step.name in names:
            details.append(Detail(f"operations.{index}.as", "duplicate_name", "An earlier operation has this name"))
        elif step.name is not None:
            names.add(step.name)
    if details:
        raise Invalid("Invalid batch", details=details)


def _call(step: Step, credentials: str | None, named: Mapping[str, Any]) -> Call:
    row = _resolved(step.id, named, "id", 0)
    if row is not None and not isinstance(row, str):
        raise Invalid(details=[Detail("id", "string_type", "Input should be an id, or a reference to one")])
    return Call(
        operation=step.operation,
        credentials=credentials,
        id=row,
        # as bytes, so that it is validated exactly as the body of a request is
        body=None if step.body is None else orjson.dumps(_resolved(step.body, named, "", 0)),
        parameters=step.parameters,
        precondition=None if step.match is None else Precondition(match=step.match),
    )


def _resolved(value: Any, named: Mapping[str, Any], path: str, depth: int) -> Any:
    """The value with each reference replaced by what it refers to."""
    if depth > DEPTH_MAX:
        raise Invalid(details=[Detail(path, "too_deep", f"The value is nested more than {DEPTH_MAX} levels deep")])
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if len(members) == 1 and isinstance(members.get(REFERENCE), str):
            return _referred(members[REFERENCE], named, path)
        return {name: _resolved(item, named, _below(path, name), depth + 1) for name, item in members.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_resolved(item, named, _below(path, str(index)), depth + 1) for index, item in enumerate(items)]
    return value


def _below(path: str, name: str) -> str:
    return f"{path}.{name[:64]}" if path else name[:64]


def _referred(reference: str, named: Mapping[str, Any], path: str) -> Any:
    """`order.items.0.id`: the name of an earlier step, then members and positions in its result."""
    name, *members = reference.split(".")
    if name not in named:
        message = f"No earlier operation of the batch has the name {name[:64]!r}"
        raise Invalid(details=[Detail(path, "unknown_reference", message)])
    value = named[name]
    for member in members:
        if isinstance(value, dict) and member in value:
            value = cast("dict[str, Any]", value)[member]
        elif isinstance(value, list) and member.isascii() and member.isdigit() and len(member) < 6:
            items = cast("list[Any]", value)
            if int(member) >= len(items):
                raise Invalid(details=[_missing(reference, path)])
            value = items[int(member)]
        else:
            raise Invalid(details=[_missing(reference, path)])
    return value


def _missing(reference: str, path: str) -> Detail:
    return Detail(path, "unknown_reference", f"The result has nothing at {reference[:200]!r}")


def _place(error: SternpostError, index: int) -> None:
    """Says which step an error belongs to."""
    where = f"operations.{index}"
    if error.details:
        error.details = tuple(
            Detail(f"{where}.{detail.path}" if detail.path else where, detail.code, detail.message)
            for detail in error.details
        )
    else:
        error.details = (Detail(where, error.code.lower(), error.message),)
