"""The steps of a batch: what can be said of them before the first is carried out, and how later ones refer to
earlier."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import orjson

from sternpost import exact_json
from sternpost.errors import Detail, Invalid, SternpostError, Unauthenticated
from sternpost.pipeline.call import Call, Precondition, Step
from sternpost.pipeline.runtime import BoundOperation
from sternpost.plan.model import BATCH
from sternpost.ports.authenticator import Principal

REFERENCE = "$ref"
ESCAPED = re.compile(r"\$(\$+ref)")
"""The name that stands for one with a `$` less: `{"$$ref": …}` is an object with the member `$ref`."""

REPEATED_BYTES_MAX = 2**20
REPEATED_MEMBERS_MAX = 50_000
"""What all references of a batch may repeat of earlier results, as JSON: a short body can name a long result often."""


class Results:
    """The results of the steps that have a name, and how much of them later steps may still repeat."""

    def __init__(self) -> None:
        self._named: dict[str, Any] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._bytes_left = REPEATED_BYTES_MAX
        self._members_left = REPEATED_MEMBERS_MAX

    def add(self, name: str, result: Any) -> None:
        """Keeps a result for the steps behind it."""
        self._named[name] = result

    def get(self, reference: str, path: str) -> Any:
        """What a reference (`order.items.0.id`) stands for: the name of an earlier step, then members and positions in
        its result.

        Raises:
            Invalid: there is nothing, or the batch has repeated too much already; `path` is where the reference is.
        """
        name, *members = reference.split(".")
        if name not in self._named:
            message = f"No earlier operation of the batch has the name {name[:64]!r}"
            raise Invalid(details=[Detail(path, "unknown_reference", message)])
        value = self._named[name]
        for member in members:
            value = exact_json.to_author(value)
            if isinstance(value, dict) and member in value:
                value = cast("dict[str, Any]", value)[member]
            elif isinstance(value, list) and member.isascii() and member.isdigit() and len(member) < 6:
                items = cast("list[Any]", value)
                if int(member) >= len(items):
                    raise Invalid(details=[_missing(reference, path)])
                value = items[int(member)]
            else:
                raise Invalid(details=[_missing(reference, path)])
        self._spend(reference, value, path)
        return value

    def _spend(self, reference: str, value: Any, path: str) -> None:
        if reference not in self._sizes:
            self._sizes[reference] = (len(exact_json.dumps(value)), _members(value, self._members_left))
        size, members = self._sizes[reference]
        self._bytes_left -= size
        self._members_left -= members
        if self._bytes_left < 0 or self._members_left < 0:
            message = (
                f"The references of a batch can repeat at most {REPEATED_MEMBERS_MAX} values and {REPEATED_BYTES_MAX} "
                "bytes of earlier results: refer to single values, or send several batches"
            )
            raise Invalid(details=[Detail(path, "too_large", message)])


def _members(value: Any, most: int) -> int:
    """How many values there are in a value, itself among them; not counted on where there are more than `most`."""
    count, left = 0, [value]
    while left and count <= most:
        found = left.pop()
        count += 1
        if isinstance(found, dict):
            left.extend(cast("dict[str, Any]", found).values())
        elif isinstance(found, list):
            left.extend(cast("list[Any]", found))
    return count


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
        elif not found.plan.in_batches:
            what = "An operation that only HTTP serves" if found.plan.http_only else "A custom GET operation"
            message = f"{what} cannot be part of a batch: call it separately"
            details.append(Detail(f"operations.{index}.operation", "not_in_a_batch", message))
        else:
            details += _unexpected(step, found, f"operations.{index}")
        if step.name is not None and step.name in names:
            details.append(
                Detail(f"operations.{index}.as", "duplicate_name", "An earlier operation already has this name")
            )
        elif step.name is not None:
            names.add(step.name)
    if details:
        raise Invalid("Invalid batch", details=details)


def _unexpected(step: Step, operation: BoundOperation, path: str) -> Iterator[Detail]:
    """What a step has that its operation does not take: a request that comes alone is told so, too."""
    if step.id is not None and not operation.plan.on_item:
        yield Detail(f"{path}.id", "unexpected_id", "This operation is about no single row: leave the id out")
    if step.body not in (None, {}) and operation.input is None:
        yield Detail(f"{path}.body", "unexpected_body", "This operation takes no body: leave it out")


def to_call(step: Step, results: Results) -> Call:
    """The step as a call, its references replaced by what they refer to. Raises `Invalid`."""
    row = _resolved(step.id, results, "id")
    if row is not None and not isinstance(row, str):
        raise Invalid(
            details=[
                Detail("id", "string_type", "Input should be an id, or a reference to an earlier result that is an id")
            ]
        )
    return Call(
        operation=step.operation,
        id=row,
        # As bytes, so that it is validated exactly as the body of a request is.
        body=None if step.body is None else exact_json.dumps(_resolved(step.body, results, ""), orjson.OPT_UTC_Z),
        query=step.query,
        precondition=None if step.match is None else Precondition(match=step.match),
    )


def locate(error: SternpostError, index: int) -> None:
    """Adds to an error which step it belongs to."""
    where = f"operations.{index}"
    if error.details:
        error.details = tuple(detail.within(where) for detail in error.details)
    else:
        error.details = (Detail(where, error.code.lower(), error.message),)


def _resolved(value: Any, results: Results, path: str) -> Any:
    """The value with each reference replaced by what it refers to. How deep it is, the JSON parser has bounded."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if len(members) == 1:
            name, item = next(iter(members.items()))
            if name == REFERENCE and isinstance(item, str):
                return results.get(item, path)
            if escaped := ESCAPED.fullmatch(name):
                return {escaped[1]: _resolved(item, results, _below(path, name))}
        return {name: _resolved(item, results, _below(path, name)) for name, item in members.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_resolved(item, results, _below(path, str(index))) for index, item in enumerate(items)]
    if isinstance(value, float) and not math.isfinite(value):
        return orjson.Fragment(json.dumps(value))  # which the validator refuses, as it does in a request
    return value


def _below(path: str, name: str) -> str:
    return f"{path}.{name[:64]}" if path else name[:64]


def _missing(reference: str, path: str) -> Detail:
    return Detail(path, "unknown_reference", f"The earlier result has no value at {reference[:200]!r}")
