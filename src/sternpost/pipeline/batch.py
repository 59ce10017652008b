"""The steps of a batch: what can be said of them before the first is carried out, and how later ones refer to
earlier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import orjson

from sternpost.errors import Detail, Invalid, SternpostError, Unauthenticated
from sternpost.pipeline.call import Call, Precondition, Step
from sternpost.pipeline.runtime import BoundOperation
from sternpost.plan.model import BATCH
from sternpost.ports.authenticator import Principal

REFERENCE = "$ref"
DEPTH_MAX = 32
"""How deep a step's body may be nested."""


def check_steps(
    operations: Mapping[str, BoundOperation], steps: Sequence[Step], most: int, principal: Principal | None
) -> None:
    """What can be said of steps before anything is done.

    Raises:
        Unauthenticated: nobody is known, and one of them needs a caller.
        Invalid: with every problem.
    """
    if len(steps) > most:
        message = f"A batch contains at most {most} operations"
        raise Invalid("Invalid batch", details=[Detail("operations", "too_long", message)])
    details: list[Detail] = []
    names: set[str] = set()
    for index, step in enumerate(steps):
        found = operations.get(step.operation)
        if found is None or step.operation == BATCH:
            message = "There is no such operation"
            details.append(Detail(f"operations.{index}.operation", "unknown_operation", message))
        elif principal is None and found.needs_caller:
            error = Unauthenticated()
            locate(error, index)
            raise error
        elif not found.in_batches:
            message = "A custom GET operation cannot be part of a batch: call it separately"
            details.append(Detail(f"operations.{index}.operation", "not_in_a_batch", message))
        if step.name is not None and step.name in names:
            details.append(
                Detail(f"operations.{index}.as", "duplicate_name", "An earlier operation already has this name")
            )
        elif step.name is not None:
            names.add(step.name)
    if details:
        raise Invalid("Invalid batch", details=details)


def to_call(step: Step, named: Mapping[str, Any]) -> Call:
    """The step as a call, its references replaced by what they refer to in `named`. Raises `Invalid`."""
    row = _resolved(step.id, named, "id", 0)
    if row is not None and not isinstance(row, str):
        raise Invalid(
            details=[
                Detail("id", "string_type", "Input should be an id, or a reference to an earlier result that is an id")
            ]
        )
    return Call(
        operation=step.operation,
        id=row,
        # as bytes, so that it is validated exactly as the body of a request is
        body=None if step.body is None else orjson.dumps(_resolved(step.body, named, "", 0)),
        query=step.query,
        precondition=None if step.match is None else Precondition(match=step.match),
    )


def locate(error: SternpostError, index: int) -> None:
    """Adds to an error which step it belongs to."""
    where = f"operations.{index}"
    if error.details:
        error.details = tuple(
            Detail(f"{where}.{detail.path}" if detail.path else where, detail.code, detail.message)
            for detail in error.details
        )
    else:
        error.details = (Detail(where, error.code.lower(), error.message),)


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
    return Detail(path, "unknown_reference", f"The earlier result has no value at {reference[:200]!r}")
