"""The answers that may differ between two worlds, in one list: each tells something of what is hidden, and says why it has to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from tests.model.contracts import NOTHING, Policy, Res, Value
from tests.model.contracts import parts as policy_parts
from tests.model.model import Row, named_in, to_json
from tests.model.operations import Op

from .requests import parts
from .worlds import Sight, groups


@dataclass(frozen=True)
class Told:
    """One answer of an operation to one world."""

    op: Op
    status: int
    content: bytes
    sight: Sight

    @property
    def error(self) -> dict[str, Any]:
        return orjson.loads(self.content)["error"] if self.status >= 400 else {"code": None}

    @property
    def step(self) -> Op:
        """The operation that was refused: that of the batch which the details name."""
        paths = [detail["path"] for detail in self.error.get("details") or []]
        for number, step in parts(self.op):
            if number is None or any(path.split(".")[:2] == ["operations", str(number)] for path in paths):
                return step
        return self.op

    @property
    def res(self) -> Res | None:
        return self.sight.spec.by_name.get(self.step.resource)

    @property
    def row(self) -> Row | None:
        """The row that the operation is about."""
        return self.sight.tables[self.res.name].get(str(self.step.row)) if self.res else None


@dataclass(frozen=True)
class Unavoidable:
    """A difference that is let pass: where `excuses` says so of one of the two answers, in its world."""

    name: str
    why: str
    excuses: Callable[[Told], bool]


def excused(told: tuple[Told, Told]) -> str | None:
    """The name of the difference that is let pass."""
    for known in UNAVOIDABLE:
        if any(known.excuses(one) for one in told):
            return known.name
    return None


# -- when


def _value_is_taken(told: Told) -> bool:
    """409 names a unique value, and a row of the same tenant that is there has it, in a field or row that is hidden."""
    if told.status != 409 or told.error["code"] != "DUPLICATE" or (res := told.res) is None:
        return False
    named = {detail["path"].rpartition(".")[2] for detail in told.error.get("details") or []}
    sight = told.sight
    coming = [(res, told.row)]
    if told.step.kind == "restore":
        coming += [(other, row) for other, row in _coming_back(told)]
    for at, kept in coming:
        for group in groups(at):
            values = [at.at(name) for name in group]
            if not named & {value.public for value in values}:
                continue
            for row in sight.standing(at, sight.attacker.tenant):
                hidden = row["id"] not in sight.known or not all(sight.sees(v, sight.attacker) for v in values)
                if hidden and row["id"] != told.step.row and all(_same(told, v, kept, row) for v in values):
                    return True
    return False


def _same(told: Told, value: Value, kept: Row | None, row: Row) -> bool:
    """Whether the value that is written is that of another row."""
    body = told.step.body if isinstance(told.step.body, dict) else {}
    if value.public in body:
        sent = body[value.public]
        if isinstance(sent, dict):
            return True  # what an earlier step of the batch has made
    elif kept is not None and told.step.kind != "replace":
        sent = kept[value.name]
    elif value.caller:
        sent = told.sight.attacker.sub
    else:
        sent = None if value.default is NOTHING else to_json(value, value.default)
    if value.kind == "uuid" and sent is not None:
        return UUID(str(sent)) == UUID(str(row[value.name]))
    return value.told(sent) == value.told(row[value.name])


def _something_refers_to_it(told: Told) -> bool:
    """409 says that rows refer to what is deleted, or goes with it, and one of the references that say so is hidden."""
    if told.status != 409 or told.error["code"] != "STILL_REFERENCED" or told.step.kind != "delete":
        return False
    sight, key = told.sight, str(told.step.row)
    shown = _going(sight, key, hidden=False)
    return any(
        holder["id"] not in sight.known or not sight.sees(value, sight.attacker) or row[value.name] not in shown
        for _, value, row, holder in sight.referring(_going(sight, key, hidden=True))
        if value.on_delete == "restrict"
    )


def _going(sight: Sight, key: str, *, hidden: bool) -> set[str]:
    """A row and what is deleted with it, through hidden references too, or only through those that the attacker sees."""
    going: set[str] = set()
    more = {key}
    while more - going:
        going |= more
        more = {
            holder["id"]
            for _, value, _, holder in sight.referring(going)
            if value.on_delete == "cascade"
            and (hidden or (holder["id"] in sight.known and sight.sees(value, sight.attacker)))
        }
    return going


def _coming_back(told: Told) -> list[tuple[Res, Row]]:
    """The rows that were deleted with a row, and come back with it."""
    sight, row = told.sight, told.row
    if row is None:
        return []
    found, keys = [], {row["id"]}
    while True:
        more = [
            (res, holder)
            for res, value, _, holder in sight.referring(keys)
            if value.on_delete == "cascade" and holder["deleted"] == row["deleted"] and holder["id"] not in keys
        ]
        if not more:
            return found
        found += more
        keys |= {holder["id"] for _, holder in more}


def _refers_to_what_is_gone(told: Told) -> bool:
    """422 says that what is restored refers to a row that is deleted, and it does."""
    if told.status != 422 or told.error["code"] != "REFERENCE_NOT_FOUND" or told.step.kind != "restore":
        return False
    if (res := told.res) is None or told.row is None:
        return False
    sight = told.sight
    back = [(res, told.row), *_coming_back(told)]
    return any(
        sight.find(sight.target(value), part[value.name], sight.attacker.tenant) is None
        for at, row in back
        for holder, part in [(at, row), *((sight.spec.by_name[r.target], i) for r in at.owned for i in row[r.name])]
        for value in holder.refs
        if not value.back and part[value.name] is not None
    )


def _a_check_is_broken(told: Told) -> bool:
    """422 says that a check is broken, and one of the row, or of its parts, looks at a field that is hidden."""
    if told.status != 422 or told.error["code"] != "CONSTRAINT_VIOLATED" or (res := told.res) is None:
        return False
    sight = told.sight
    every = [res, *(sight.spec.by_name[rows.target] for rows in res.owned)]
    return any(
        not sight.sees(at.at(name), sight.attacker)
        for at in every
        for _, condition in at.checks
        for name in named_in(condition)
    )


def _rights_are_gained(told: Told) -> bool:
    """A change succeeds, and its answer counts rows of a list whose policy looks at more than the row itself: at what the
    attacker has just written, perhaps. What they see of it by reading from then on is the same."""
    if told.status >= 400:
        return False
    for _, step in parts(told.op):
        res = told.sight.spec.by_name.get(step.resource)
        if res is None or step.kind in ("read", "browse", "nested"):
            continue
        policies = [told.sight.spec.by_name[rows.target].reading for rows in res.lists]
        if any(_looks_beyond(policy) for policy in policies if policy is not None):
            return True
    return False


def _looks_beyond(policy: Policy) -> bool:
    """Whether a policy looks at other rows than the one that it is about."""
    if policy[0] == "list" or (policy[0] in ("owner", "cmp", "mine") and policy[1]):
        return True
    return any(map(_looks_beyond, policy_parts(policy)))


UNAVOIDABLE = (
    Unavoidable(
        "a unique value that a hidden row holds",
        "A value cannot be unique and given twice. The answer is the database's promise that it is free, and says no more "
        "than that: docs/how-to/keep-tenants-apart.md and keep-deleted-rows.md say that neither other tenants nor deleted "
        "rows are asked.",
        _value_is_taken,
    ),
    Unavoidable(
        "a deletion that hidden rows hold back",
        "`on_delete='restrict'` is declared by the author for all rows that refer, and what a hidden row refers to may not "
        "vanish under it, nor a hidden one that would go along and is referred to: docs/how-to/keep-deleted-rows.md, What a "
        "deletion does. Which row it is is not told.",
        _something_refers_to_it,
    ),
    Unavoidable(
        "a restoration that a deleted row holds back",
        "docs/how-to/keep-deleted-rows.md: 422 if the row refers to a deleted row. A row that refers to what is not there "
        "may not be there itself, whoever may see what it refers to.",
        _refers_to_what_is_gone,
    ),
    Unavoidable(
        "a check that a hidden value breaks",
        "docs/how-to/keep-rules-over-rows.md, Checks: a check tells of the values that it compares, to who may set one of "
        "them and not read another.",
        _a_check_is_broken,
    ),
    Unavoidable(
        "rights that a change brings",
        "docs/how-to/compute-fields.md: the answer of a change counts what the caller may read after it. Whoever may write "
        "what a policy looks at may read by it afterwards.",
        _rights_are_gained,
    ),
)
"""Each of them tells a bit of what is hidden. Nothing else does."""
