"""Rules over rows in migrations: they come, change and go with their rows, on both databases."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from sternpost import Settings
from sternpost.app.migrating import shape_of
from sternpost.errors import StartupError
from sternpost.migrations.history import is_additive, read_history
from sternpost.migrations.planner import Answers, plan_steps
from sternpost.migrations.runner import MigrationFailed, Runner
from sternpost.migrations.verify import verify
from sternpost.ports.migrator import Migrator
from sternpost.testing import Client
from tests.migrations.test_databases import added, run, scratch, target, target_of
from tests.support.contracts import app_of, contract_text, plan_of

__all__ = ["scratch", "target"]

FIELDS = {
    "room": "str = field(max_length=20)",
    "starts_at": "datetime | None",
    "ends_at": "datetime | None",
    "state": 'Literal["open", "gone"] = field(default="open")',
    "size": "int = field(default=1)",
    "size_most": "int = field(default=2)",
}
CHECK = "checks=[this.size <= this.size_most]"
OTHER = "checks=[check((this.size < this.size_most) | ~this.state.in_('open'), name='size_le_size_most')]"
SPAN = "no_overlap=[no_overlap('room', 'starts_at', 'ends_at')]"
WHERE = "no_overlap=[no_overlap('room', 'starts_at', 'ends_at', where=this.state != 'gone')]"
KEYLESS = "no_overlap=[no_overlap('size', 'size_most')]"


def visits(rules: str = "", name: str = "Visit", **fields: str) -> str:
    return contract_text({name: {**FIELDS, **fields}}, rules={name: rules} if rules else None)


RENAMED = {"room": "place", "starts_at": "begins_at", "size": "width"}


def renamed() -> str:
    fields = {RENAMED.get(name, name): text for name, text in FIELDS.items()}
    rules = "checks=[this.width <= this.size_most], no_overlap=[no_overlap('place', 'begins_at', 'ends_at')]"
    return contract_text({"Visit": fields}, rules={"Visit": rules})


CHANGES: dict[str, tuple[str, str, Mapping[str, str]]] = {
    "a check comes": (visits(), visits(CHECK), {}),
    "a check has another condition": (visits(CHECK), visits(OTHER), {}),
    "a check is called otherwise": (
        visits("checks=[this.size <= this.size_most]"),
        visits("checks=[check(this.size <= this.size_most, name='fits')]"),
        {},
    ),
    "spans may not overlap any more": (visits(), visits(SPAN), {}),
    "fewer spans are compared": (visits(SPAN), visits(WHERE), {}),
    "spans without keys": (visits(), visits(KEYLESS), {}),
    "deleted rows leave their span": (visits(SPAN), visits(f"soft_delete=True, {SPAN}"), {}),
    "the key ignores case": (
        visits(SPAN, room="Email = field(default='a@example.com')").replace("field, many", "Email, field, many"),
        visits(SPAN, room="Email = field(default='a@example.com', unique=True)").replace(
            "field, many", "Email, field, many"
        ),
        {},
    ),
    "columns are called otherwise": (
        visits(f"{CHECK}, {SPAN}"),
        renamed(),
        {f"visits.{old}": f"visits.{new}" for old, new in RENAMED.items()},
    ),
    "the table is called otherwise": (
        visits(f"{CHECK}, {SPAN}"),
        visits(f"{CHECK}, {SPAN}", name="Meeting"),
        {"visits": "meetings"},
    ),
    "the start and the end are days": (
        visits(SPAN, starts_at="date | None", ends_at="date | None"),
        visits(SPAN),
        {},
    ),
    "another column is closed and another one gone": (
        visits(f"{CHECK}, {WHERE}", note="str | None", extra="int = field(default=1)"),
        visits(f"{CHECK}, {WHERE}", note="str = field(default='')"),
        {},
    ),
    "a table with rules comes": (
        contract_text({"Box": {"label": "str"}}),
        contract_text({"Box": {"label": "str"}, "Visit": FIELDS}, rules={"Visit": f"{CHECK}, {WHERE}"}),
        {},
    ),
}


def answers_to(before: str, renames: Mapping[str, str]) -> Answers:
    fills = {"visits.note": "''", "visits.extra": "1"} if "note" in before else {}
    using = {}
    if "date | None" in before:
        using = {}
    return Answers(dict(renames), frozenset({"visits.extra"} if "extra" in before else ()), fills, using)


@pytest.mark.parametrize("change", CHANGES)
def test_rules_are_migrated_there_and_back(change: str, scratch: Any, tmp_path: Path) -> None:
    before, after, renames = CHANGES[change]
    added(tmp_path, plan_of(before), "before")
    plan = plan_of(after)
    history = added(tmp_path, plan, "after", answers_to(before, renames))
    assert plan_steps(history.shape(), shape_of(plan), Answers()) == ([], [])
    with scratch as make:
        proofs = verify(history, plan, make(), make())
    assert [proof.problems for proof in proofs] == [[], []]
    assert proofs[-1].rows >= 7, "there are rows"


def visit(number: int, *, size: int = 1, start: str = "NULL", end: str = "NULL") -> str:
    return (
        "INSERT INTO visits (id, room, starts_at, ends_at, state, size, size_most) "
        f"VALUES ('{number:032x}', 'a', {start}, {end}, 'open', {size}, 2)"
    )


def instant(hour: int) -> str:
    return f"'2026-03-01T{hour:02}:00:00'"


def test_rows_that_break_a_new_check_stop_the_migration_and_stay(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(visits()), "before")
    history = added(tmp_path, plan_of(visits(CHECK)), "after")
    runner = Runner(target, history)
    runner.apply(to="0001")
    run(target, visit(1), visit(2, size=3))
    with pytest.raises(MigrationFailed, match="some rows break the rule: correct them first"):
        runner.apply()
    assert run(target, "SELECT count(*) FROM visits") == [(2,)]
    run(target, "UPDATE visits SET size = 2")
    runner.apply()
    with pytest.raises(Exception, match="rule_visits_size_lte_size_most"):
        run(target, visit(3, size=3))


def test_rows_that_overlap_stop_the_migration_and_are_listed(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(visits()), "before")
    history = added(tmp_path, plan_of(visits(SPAN)), "after")
    runner = Runner(target, history)
    runner.apply(to="0001")
    spans = [(9, 11), (10, 12), (12, 13), (11, 12)]
    run(target, *(visit(n, start=instant(a), end=instant(b)) for n, (a, b) in enumerate(spans, 1)))
    with pytest.raises(MigrationFailed) as error:
        runner.apply()
    listed = [line for line in str(error.value).splitlines() if line.startswith("  - ")]
    assert len(listed) == 2, str(error.value)
    assert all(f"{2:x}" in line for line in listed)
    run(target, f"DELETE FROM visits WHERE id = '{2:032x}'")
    runner.apply()
    for statement in (
        visit(5, start=instant(10), end=instant(12)),
        f"UPDATE visits SET starts_at = {instant(12)}, ends_at = NULL WHERE id = '{1:032x}'",
    ):
        with pytest.raises(Exception, match="overlap_visits_room_starts_at_ends_at"):
            run(target, statement)
    runner.down()
    run(target, visit(5, start=instant(10), end=instant(12)))


def test_a_rebuilt_table_keeps_its_rules(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(visits(f"{CHECK}, {SPAN}")), "before")
    history = added(tmp_path, plan_of(visits(f"{CHECK}, {SPAN}", size="int = field(default=1, ge=0)")), "after")
    Runner(target, history).apply()
    run(target, visit(1, start=instant(9), end=instant(11)))
    with pytest.raises(Exception, match="overlap_visits"):
        run(target, visit(2, start=instant(10), end=instant(11)))
    with pytest.raises(Exception, match="rule_visits"):
        run(target, visit(2, size=3, start=instant(12)))


def test_what_older_processes_do_not_know_stops_them_only_in_new_tables() -> None:
    def up(before: str, after: str) -> Any:
        return plan_steps(shape_of(plan_of(before)), shape_of(plan_of(after)), Answers())[0]

    new = contract_text({"Box": {"label": "str"}})
    both = contract_text({"Box": {"label": "str"}, "Visit": FIELDS}, rules={"Visit": f"{CHECK}, {SPAN}"})
    assert is_additive(up(new, both))
    assert not is_additive(up(visits(), visits(SPAN)))
    assert not is_additive(up(visits(), visits(CHECK)))
    assert is_additive(up(visits(SPAN), visits()))


def test_the_extension_is_said_before_anything_else(tmp_path: Path) -> None:
    history = added(tmp_path, plan_of(visits(SPAN)), "with keys")
    first, *rest = history.revisions[0].up
    assert first.title.startswith("PostgreSQL: have the extension btree_gist (created here if the role may")
    assert first.additive
    assert "CREATE EXTENSION" not in "".join(step.title for step in rest)
    other = tmp_path / "other"
    other.mkdir()
    assert "btree_gist" not in "".join(
        step.title for step in added(other, plan_of(visits(KEYLESS)), "x").revisions[0].up
    )
    assert read_history(tmp_path).head is not None


@pytest.fixture
async def weak_role(postgres_database: str) -> AsyncIterator[str]:
    """The address of a database in which the role may make tables, and no extension."""
    name = f"weak_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(postgres_database)
    try:
        await admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'weak'")
        await admin.execute(f"GRANT USAGE, CREATE ON SCHEMA public TO {name}")
        parts = urlsplit(postgres_database)
        place = parts.netloc.rpartition("@")[2]
        yield urlunsplit(parts._replace(netloc=f"{name}:weak@{place}" if place else f"{name}:weak@"))
        await admin.execute(f"DROP OWNED BY {name}")
        await admin.execute(f"DROP ROLE {name}")
    finally:
        await admin.close()


def test_a_role_that_may_create_no_extension_is_told_who_may(
    weak_role: str, postgres_database: str, tmp_path: Path
) -> None:
    plan = plan_of(visits(SPAN))
    weak = Runner(target_of(weak_role), added(tmp_path, plan, "spans"))
    with pytest.raises(MigrationFailed, match="CREATE EXTENSION btree_gist") as error:
        weak.apply()
    assert "permission denied to create extension" in str(error.value)
    assert "0 of 4 steps are done" in str(error.value)
    run(target_of(postgres_database), "CREATE EXTENSION btree_gist")
    weak.apply()


async def test_a_schema_that_is_created_directly_needs_the_extension_too(weak_role: str, tmp_path: Path) -> None:
    settings = Settings(env="test", database_url=weak_role, jwt_secret="test-only-4f9d2c7b8a6e1035d2c4b6a8e0f1")
    with pytest.raises(StartupError, match="CREATE EXTENSION btree_gist"):
        async with Client(app_of(visits(SPAN), settings)):
            pass
