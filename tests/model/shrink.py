"""Makes a difference small: operations, then steps, parameters, members and conditions are left out while it remains."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterator

from .operations import Op

Fails = Callable[[list[Op]], Awaitable[bool]]
TRIES = 400


async def shrunk(ops: list[Op], fails: Fails) -> list[Op]:
    """Fewest operations that still show a difference, as far as a bounded number of tries finds them."""
    tries = TRIES

    async def still(candidate: list[Op]) -> bool:
        nonlocal tries
        tries -= 1
        return tries >= 0 and await fails(candidate)

    size = max(1, len(ops) // 2)
    while size:  # parts of the list, each half as long as the one before
        start = len(ops)
        while start > 0:
            start = max(0, start - size)
            candidate = ops[:start] + [op for op in ops[start : start + size] if op.setup] + ops[start + size :]
            if len(candidate) < len(ops) and await still(candidate):
                ops = candidate
        size //= 2
    smaller = True
    while smaller and tries > 0:
        smaller = False
        for number, op in enumerate(ops):
            for simpler in _simpler(op):
                candidate = [*ops[:number], simpler, *ops[number + 1 :]]
                if await still(candidate):
                    ops, smaller = candidate, True
                    break
    return ops


def _simpler(op: Op) -> Iterator[Op]:
    """The same operation with one part less."""
    if op.setup:
        return
    for number in range(len(op.steps)):
        made = copy.deepcopy(op)
        del made.steps[number]
        if made.steps:
            yield made
    for number in range(len(op.query)):
        made = copy.deepcopy(op)
        del made.query[number]
        yield made
    if op.match is not None:
        made = copy.deepcopy(op)
        made.match = None
        yield made
    for path in _members(op.body):
        made = copy.deepcopy(op)
        at = made.body
        for name in path[:-1]:
            at = at[name]
        # a relation of a data call says what to do with it by its one member
        alone = isinstance(at, dict) and len(at) == 1 and len(path) > 2 and op.kind == "data"
        if path[-1] not in ("scope", "where", "key", "data", "rows") and not alone:
            del at[path[-1]]
            yield made


def _members(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Every place in a body."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield (*path, name)
        yield from _members(item, (*path, name))
