"""What the values of each type become as those of another: the same on both databases, as a client reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sternpost import Settings
from sternpost.app.migrating import fingerprints_of, migrator_of, shape_of
from sternpost.migrations.history import read_history, write_revision
from sternpost.migrations.planner import Answers, plan_steps
from sternpost.migrations.runner import Runner
from sternpost.ports.steps import ChangeType
from sternpost.testing import Client
from tests.support.contracts import app_of, contract_text, plan_of

WIDE, NARROW = "Decimal = field(max_digits=10, decimal_places=3)", "Decimal = field(max_digits=8, decimal_places=1)"
ID = "0190a6b2-5d3e-7c41-8f00-0123456789ab"

CONVERTED = (
    # before, after, what is sent, what is read
    ("int", "str", -12, "-12"),
    ("int", "float", 3, 3.0),
    ("int", WIDE, -7, "-7.000"),
    ("int", "bool", 0, False),
    ("int", "bool", 2, True),
    ("float", "str", 1.5, "1.5"),
    ("float", "int", 2.75, 3),
    ("float", "int", -2.75, -3),
    ("float", NARROW, 2.26, "2.3"),
    ("bool", "int", True, 1),
    ("bool", "str", True, "true"),
    ("bool", "str", False, "false"),
    ("UUID", "str", ID, ID),
    ("str", "UUID", ID, ID),
    ("str", "int", "-42", -42),
    ("str", "float", "1.25", 1.25),
    ("str", WIDE, "-3.25", "-3.250"),
    ("str", "date", "2026-02-28", "2026-02-28"),
    ("str", "datetime", "2026-02-28T23:59:01.250000", "2026-02-28T23:59:01.250000Z"),
    ("date", "str", "2026-02-28", "2026-02-28"),
    ("date", "datetime", "2026-02-28", "2026-02-28T00:00:00Z"),
    ("datetime", "date", "2026-02-28T23:59:01Z", "2026-02-28"),
    ("datetime", "str", "2026-02-28T23:59:01.250000Z", "2026-02-28T23:59:01.250000Z"),
    (NARROW, WIDE, "-12.5", "-12.500"),
    (WIDE, NARROW, "12.340", "12.3"),
    (WIDE, NARROW, "-0.050", "-0.1"),
    (WIDE, "int", "-7.900", -7),
    (WIDE, "float", "2.125", 2.125),
    (WIDE, "str", "-0.050", "-0.050"),
    (WIDE, "str", "12.340", "12.340"),
    ('Literal["a", "b"]', "str", "b", "b"),
)


async def test_values_of_each_type_become_those_of_another(
    make_settings: Callable[..., Settings], database_url: str, tmp_path: Path
) -> None:
    before = contract_text({"Box": {f"f{number}": case[0] for number, case in enumerate(CONVERTED)}})
    after = contract_text({"Box": {f"f{number}": case[1] for number, case in enumerate(CONVERTED)}})
    old, new = plan_of(before), plan_of(after)
    for plan, older in ((old, {}), (new, shape_of(old))):
        up, questions = plan_steps(older, shape_of(plan), Answers())
        assert not questions
        history, prints = read_history(tmp_path), fingerprints_of(plan)
        write_revision(history, title="next", fingerprints=prints, up=up, down=[], irreversible="not needed")
    runner = Runner(migrator_of(database_url), read_history(tmp_path))
    await asyncio.to_thread(runner.apply, to="0001")
    async with Client(app_of(before, make_settings()), create_schema=False) as client:
        sent = {f"f{number}": case[2] for number, case in enumerate(CONVERTED)}
        created = await client.post("/api/v1/boxes", json=sent)
        assert created.status == 201, created.content
    await asyncio.to_thread(runner.apply, allow_destructive=True)
    async with Client(app_of(after, make_settings()), create_schema=False) as client:
        read = (await client.get(f"/api/v1/boxes/{created.data['id']}")).data
    found = {case[:3]: read[f"f{number}"] for number, case in enumerate(CONVERTED)}
    assert found == {case[:3]: case[3] for case in CONVERTED}


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        ("max_digits=8, decimal_places=2", "max_digits=9, decimal_places=3", None),
        ("max_digits=8, decimal_places=2", "max_digits=9, decimal_places=2", None),
        ("max_digits=8, decimal_places=2", "max_digits=8, decimal_places=1", "decimal places"),
        ("max_digits=8, decimal_places=2", "max_digits=7, decimal_places=2", "decimal places"),
        ("max_digits=8, decimal_places=2", "max_digits=8, decimal_places=3", "decimal places"),
    ],
)
def test_decimals_with_less_room_are_destructive(before: str, after: str, lost: str | None) -> None:
    old, new = (
        shape_of(plan_of(contract_text({"Box": {"price": f"Decimal = field({digits})"}}))) for digits in (before, after)
    )
    steps, _ = plan_steps(old, new, Answers())
    (change,) = (step for step in steps if isinstance(step, ChangeType))
    told: Any = change.loses
    assert (lost in told) if lost else told is None
