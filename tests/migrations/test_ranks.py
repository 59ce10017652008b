"""Enums with an order in migrations: the index of their ranks comes, follows a new order or name, and goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sternpost.app.migrating import shape_of
from sternpost.migrations.planner import Answers, plan_steps
from sternpost.migrations.verify import verify
from tests.migrations.test_databases import added, scratch, target
from tests.support.contracts import plan_of

__all__ = ["scratch", "target"]

VALUES = '"low", "it\'s: 50%", "high"'


def tasks(values: str = VALUES, option: str = ", ordered=True", name: str = "state", *, nullable: bool = False) -> str:
    none = " | None" if nullable else ""
    return f"""
from __future__ import annotations
from typing import Literal
from sternpost import Browse, Contract, Create, Resource, field, public

class Task(Resource, prefix="tas"):
    title: str
    {name}: Literal[{values}]{none} = field(default="low"{option})
    browse = Browse(sort=["{name}"], allow=public)
    create = Create(allow=public)

contract = Contract("small", resources=[Task])
"""


CHANGES: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "an order comes": (tasks(option=""), tasks(), {}),
    "another order": (tasks(), tasks('"high", "it\'s: 50%", "low"'), {}),
    "a value comes": (tasks('"low", "high"'), tasks(), {}),
    "it may be null": (tasks(), tasks(nullable=True), {}),
    "the column is called otherwise": (tasks(), tasks(name="case"), {"tasks.state": "tasks.case"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_order_is_migrated_there_and_back(change: str, scratch: Any, tmp_path: Path) -> None:
    before, after, renames = CHANGES[change]
    added(tmp_path, plan_of(before), "before")
    plan = plan_of(after)
    history = added(tmp_path, plan, "after", Answers(dict(renames)))
    assert plan_steps(history.shape(), shape_of(plan), Answers()) == ([], [])
    with scratch as make:
        proofs = verify(history, plan, make(), make())
    assert [proof.problems for proof in proofs] == [[], []]
    assert proofs[-1].rows >= 2, "there are rows"


def test_the_index_follows_a_new_order_and_labels_change_nothing() -> None:
    def steps(after: str) -> list[str]:
        return [step.title for step in plan_steps(shape_of(plan_of(tasks())), shape_of(plan_of(after)), Answers())[0]]

    dropped, *_, added_again = steps(tasks('"high", "it\'s: 50%", "low"'))
    assert "ix_tasks_state_rank" in dropped
    assert "ix_tasks_state_rank" in added_again
    labels = """, ordered=True, labels={"low": "L", "high": "H", "it's: 50%": "M"}"""
    assert steps(tasks(option=labels)) == []
