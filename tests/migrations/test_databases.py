"""Migrations on real databases: every kind of change with its rows, races, interruptions, refusals, readiness."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import Phase, given
from shop.app import app as shop
from sqlalchemy import event

from sternpost import Settings
from sternpost.app.migrating import fingerprints_of, migrator_of, scratch_databases, shape_of
from sternpost.errors import StartupError
from sternpost.migrations import Alembic, Execute, Step, Update, sql
from sternpost.migrations.history import History, is_additive, read_history, write_revision
from sternpost.migrations.lint import lint
from sternpost.migrations.planner import Answers, plan_steps
from sternpost.migrations.runner import Destructive, MigrationFailed, Runner
from sternpost.migrations.verify import schema_of, verify
from sternpost.plan.model import Plan
from sternpost.ports.audit import AuditQuery
from sternpost.ports.migrator import Migrator
from sternpost.storage.postgresql.migrator import PostgresqlMigrator
from sternpost.storage.sql.schema import Schema
from sternpost.testing import Client
from tests.support import forks
from tests.support.contracts import app_of, contract_text, plan_of
from tests.support.readiness import readiness
from tests.support.rounds import drawing, rounds
from tests.support.server import ROOT, environment
from tests.unit.migrations.test_planner import answered, contracts

SHOP = ROOT / "examples" / "shop" / "migrations"
BASE = {"Box": {"label": "str = field(max_length=20)", "size": "int = field(ge=0, default=1)"}}


def target_of(url: str) -> Migrator:
    return migrator_of(url) if url.startswith("sqlite") else migrator_of(url, lock_timeout_seconds=0.5)


@pytest.fixture
def target(database_url: str) -> Migrator:
    return target_of(database_url)


@pytest.fixture
def scratch(database: str, request: pytest.FixtureRequest) -> Any:
    return _scratch(database, request)


def _scratch(database: str, request: pytest.FixtureRequest) -> Any:
    if database == "sqlite":
        return scratch_databases("sqlite")
    return scratch_databases("postgresql", request.getfixturevalue("postgres_url"))


def added(folder: Path, plan: Plan, title: str, answers: Answers | None = None, extra: Sequence[Step] = ()) -> History:
    """One more migration in the folder."""
    history = read_history(folder)
    answers = answers or Answers()
    old, new = history.shape(), shape_of(plan)
    (up, open_up), (down, open_down) = plan_steps(old, new, answers), plan_steps(new, old, answers.reversed())
    assert not open_up
    assert not open_down
    write_revision(history, title=title, fingerprints=fingerprints_of(plan), up=[*up, *extra], down=down)
    return read_history(folder)


def run(target: Migrator, *statements: str) -> list[Any]:
    def work(connection: Any) -> list[Any]:
        rows: list[Any] = []
        for statement in statements:
            found = connection.exec_driver_sql(statement)
            rows = [tuple(row) for row in found] if found.returns_rows else []
        return rows

    return target.run(work)


def boxes(count: int, columns: str = "id, label, size", values: str = "'label', 5") -> list[str]:
    return [f"INSERT INTO boxes ({columns}) VALUES ('{number:032x}', {values})" for number in range(1, count + 1)]


# -- proofs


@pytest.mark.slow
def test_the_history_of_the_shop_is_proved(scratch: Any) -> None:
    history = read_history(SHOP)
    assert len(history.revisions) >= 5
    assert history.head is not None
    assert history.head.fingerprints == fingerprints_of(shop.plan)
    with scratch as make:
        proofs = verify(history, shop.plan, make(), make())
    assert [proof.problems for proof in proofs] == [[]] * len(history.revisions)
    assert proofs[-1].rows > 100


@rounds(3, 60)
def test_any_contract_becomes_any_other_and_back(
    database: str, rounds: int, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @drawing(rounds, derandomize=False, phases=[Phase.generate])
    @given(before=contracts(), after=contracts())
    def check(before: str, after: str) -> None:
        folder = tmp_path_factory.mktemp("history")
        one, other = plan_of(before), plan_of(after)
        added(folder, one, "before")
        history = added(folder, other, "after", answered(shape_of(one), shape_of(other)))
        with _scratch(database, request) as make:
            target, direct = make(), make()
            runner = Runner(target, history)
            runner.apply(to="0001")
            start = target.run(lambda connection: schema_of(target, connection))
            runner.apply(allow_destructive=True)
            dialect = _dialect(database)
            run(direct, *Schema(other, dialect).ddl())
            assert target.run(lambda c: schema_of(target, c)) == direct.run(lambda c: schema_of(direct, c))
            runner.down(allow_destructive=True)
            assert target.run(lambda connection: schema_of(target, connection)) == start

    check()


def _dialect(database: str) -> Any:
    from sternpost.storage.postgresql.dialect import PostgresqlDialect
    from sternpost.storage.sqlite.dialect import SqliteDialect

    return SqliteDialect() if database == "sqlite" else PostgresqlDialect()


def test_a_migration_whose_way_back_is_wrong_is_not_proved(scratch: Any, tmp_path: Path) -> None:
    plan = plan_of(contract_text({"Box": {**BASE["Box"], "note": "str | None = None"}}))
    added(tmp_path, plan_of(contract_text(BASE)), "start")
    added(tmp_path, plan, "note")
    path = tmp_path / "0002_note.py"
    path.write_text(re.sub(r'DropColumn\("boxes", "note"\),?', "", path.read_text()))
    with scratch as make:
        proofs = verify(read_history(tmp_path), plan, make(), make())
    assert any("note" in problem for proof in proofs for problem in proof.problems)


EVERY_TYPE = {
    "Box": {
        "label": "str = field(min_length=3, max_length=5, unique=True)",
        "size": "int = field(ge=-3, le=90)",
        "least": "int = field(ge=500)",
        "most": "int = field(le=-2)",
        "weight": "float = field(ge=0.5)",
        "price": "Decimal = field(max_digits=8, decimal_places=2, ge=Decimal('1.50'))",
        "state": "Literal['a', 'b'] = field(default='a')",
        "done": "bool",
        "day": "date",
        "at": "datetime | None = None",
        "serial": "UUID",
        "notes": "Json = field(default=None)",
        "crate": "One[Crate]",
        "other": "One[Box] | None",
    },
    "Crate": {"label": "str"},
}


def test_a_history_with_every_type_is_proved_with_rows(scratch: Any, tmp_path: Path) -> None:
    added(tmp_path, plan_of(contract_text(EVERY_TYPE)), "start")
    without = {**EVERY_TYPE, "Box": {name: text for name, text in EVERY_TYPE["Box"].items() if name != "at"}}
    plan = plan_of(contract_text(without))
    added(tmp_path, plan, "no at", Answers(dropped=frozenset({"boxes.at"})))
    with scratch as make:
        proofs = verify(read_history(tmp_path), plan, make(), make())
    assert [(proof.rows, proof.lost, proof.problems) for proof in proofs] == [
        (0, ["boxes", "crates", "sternpost_idempotency"], []),
        (21, ["boxes.at"], []),
    ]


@pytest.mark.parametrize(
    ("forward", "problem"),
    [
        ("Execute(sql(\"UPDATE boxes SET label = 'x' WHERE size > 3\"))", "boxes.label changed from"),
        ('Execute(sql("DELETE FROM boxes WHERE size > 3"))', "boxes has "),
        ('Execute(sql("UPDATE boxes SET none = 1"))', "0002_by_hand stopped in"),
        ('Execute(sql("CREATE TABLE own (id INTEGER)"))', "table own is unexpected"),
    ],
)
def test_a_migration_that_does_more_than_it_says_is_not_proved(
    scratch: Any, tmp_path: Path, forward: str, problem: str
) -> None:
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "start")
    history = added(tmp_path, plan, "by hand", extra=[Execute(sql("by hand"))])
    path = history.revisions[-1].path
    path.write_text(re.sub(r"(?s)Execute\(sql\(\s*[\"']by hand[\"']\)\)", lambda _: forward, path.read_text()))
    with scratch as make:
        proofs = verify(read_history(tmp_path), plan, make(), make())
    assert [bool(proof.problems) for proof in proofs] == [False, True]
    told = "\n".join(proofs[-1].problems)
    assert problem in told
    if "stopped" not in problem:
        assert told.startswith("down: ")


def test_a_history_that_leads_to_another_contract_is_not_proved(scratch: Any, tmp_path: Path) -> None:
    history = added(tmp_path, plan_of(contract_text(BASE)), "start")
    other = plan_of(contract_text({"Box": {**BASE["Box"], "note": "str | None = None"}}))
    with scratch as make:
        (proof,) = verify(history, other, make(), make())
    assert all(problem.startswith("the contract's schema and the migrated one: boxes, ") for problem in proof.problems)
    assert any("boxes, columns note: 'TEXT" in problem.replace("'text", "'TEXT") for problem in proof.problems)


# -- rows


def test_a_migration_leaves_no_reference_to_what_is_not_there(target: Migrator, tmp_path: Path) -> None:
    plan = plan_of(contract_text({"Box": {"crate": "One[Crate] | None"}, "Crate": {"label": "str"}}))
    added(tmp_path, plan, "start")
    runner = Runner(target, added(tmp_path, plan, "crate", extra=[Execute(sql("UPDATE boxes SET crate_id = id"))]))
    runner.apply(to="0001")
    run(target, f"INSERT INTO boxes (id) VALUES ('{1:032x}')")
    with pytest.raises(MigrationFailed, match=r"0002_crate stopped in(?s:.*)(1 in boxes \(to crates\)|foreign key)"):
        runner.apply()
    assert run(target, "SELECT crate_id FROM boxes") == [(None,)]
    assert runner.state().revision == "0001_start"


def test_operations_of_alembic_are_a_step(target: Migrator, tmp_path: Path) -> None:
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "start")
    first, second = added(tmp_path, plan, "nine").revisions

    def nine(operations: Any) -> None:
        operations.execute("UPDATE boxes SET size = 9")
        operations.create_index("own", "boxes", ["size"])

    runner = Runner(target, History(tmp_path, (first, replace(second, up=(Alembic(nine, "nine"),)))))
    runner.apply(to="0001")
    run(target, *boxes(2))
    assert runner.apply() == ["0002_nine"]
    assert run(target, "SELECT size FROM boxes") == [(9,)] * 2
    assert "own" in target.run(lambda connection: schema_of(target, connection))["boxes"]["indexes"]


def test_rows_survive_renames_and_type_changes(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(contract_text(BASE)), "start")
    new = {"Crate": {"name": BASE["Box"]["label"], "size": "str = field(default='1')"}}
    renames = {"boxes": "crates", "crates.label": "crates.name"}
    runner = Runner(target, added(tmp_path, plan_of(contract_text(new)), "crates", Answers(renames=renames)))
    runner.apply(to="0001")
    run(target, *boxes(3))
    assert runner.apply() == ["0002_crates"]
    assert run(target, "SELECT name, size FROM crates") == [("label", "5")] * 3
    runner.down(allow_destructive=True)
    assert run(target, "SELECT label, size FROM boxes") == [("label", 5)] * 3


def test_text_that_is_no_number_stops_the_migration_and_stays(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(contract_text({"Box": {"label": "str"}})), "start")
    runner = Runner(
        target, added(tmp_path, plan_of(contract_text({"Box": {"label": "int = field(default=0)"}})), "number")
    )
    runner.apply(to="0001")
    run(target, *boxes(1, "id, label", "'seven'"))
    with pytest.raises(MigrationFailed, match="0002_number stopped in"):
        runner.apply(allow_destructive=True)
    assert run(target, "SELECT label FROM boxes") == [("seven",)]
    run(target, "UPDATE boxes SET label = '7'")
    assert runner.apply(allow_destructive=True) == ["0002_number"]
    assert run(target, "SELECT label FROM boxes") == [(7,)]


# -- values that become unique

UNIQUE = {"Box": {"label": "str = field(max_length=20, unique=True)"}}
NOCASE = {"Box": {"label": "str = field(max_length=20, unique='nocase', filter=True)"}}


@pytest.mark.parametrize("before", [{"Box": {"label": "str = field(max_length=20)"}}, UNIQUE])
def test_a_migration_stops_at_values_that_clash_and_lists_them(
    target: Migrator, tmp_path: Path, before: dict[str, dict[str, str]]
) -> None:
    added(tmp_path, plan_of(contract_text(before)), "start")
    runner = Runner(target, added(tmp_path, plan_of(contract_text(NOCASE)), "nocase"))
    runner.apply(to="0001")
    for number, label in enumerate(("Ada", "ada", "bob", "éva", "Éva", "x\x1b[2Jy", "X\x1b[2Jy")):
        run(target, f"INSERT INTO boxes (id, label) VALUES ('{number:032x}', '{label}')")
    with pytest.raises(MigrationFailed) as stopped:
        runner.apply()
    told = str(stopped.value)
    ids = f"those with the ids {0:032x} and {1:032x}\n"
    assert f"\n  - boxes: 2 rows have ada, such as {ids}" in re.sub(r"(?<=\w)-(?=\w)", "", told)
    assert "boxes: 2 rows have x\\x1b[2jy" in told
    assert "bob" not in told
    assert "va, such" not in told
    assert run(target, "SELECT count(*) FROM boxes") == [(7,)]
    if before is UNIQUE:
        with pytest.raises(StartupError, match=r"(?i)unique"):  # the rule of before holds until then
            run(target, f"INSERT INTO boxes (id, label) VALUES ('{98:032x}', 'ada')")
    others = f"'{1:032x}', '{6:032x}'"
    run(target, f"UPDATE boxes SET label = label || '2' WHERE id IN ({others})")
    assert runner.apply() == ["0002_nocase"]
    with pytest.raises(StartupError, match=r"(?i)unique"):
        run(target, f"INSERT INTO boxes (id, label) VALUES ('{98:032x}', 'BOB')")
    runner.down()
    run(target, f"INSERT INTO boxes (id, label) VALUES ('{99:032x}', 'BOB')")


@pytest.mark.parametrize("unique", ["True", "'nocase'"])
def test_the_rule_of_before_stays_where_a_migration_stops(target: Migrator, tmp_path: Path, unique: str) -> None:
    """Of rows that are deleted softly the same values may be there several times; without that, they may not."""
    plain = contract_text({"Box": {"label": f"str = field(max_length=20, unique={unique})"}})
    soft = plain.replace("class Box(Resource,", "class Box(Resource, soft_delete=True,")
    added(tmp_path, plan_of(soft), "soft")
    runner = Runner(target, added(tmp_path, plan_of(plain), "plain"))
    runner.apply(to="0001")
    rows = [(1, "NULL"), (2, "'2026-01-01T00:00:00.000000Z'")]
    for number, deleted in rows:
        run(target, f"INSERT INTO boxes (id, label, deleted_at) VALUES ('{number:032x}', 'ada', {deleted})")
    with pytest.raises(MigrationFailed, match="2 rows have ada"):
        runner.apply(allow_destructive=True)
    with pytest.raises(StartupError, match=r"(?i)unique"):
        run(target, f"INSERT INTO boxes (id, label) VALUES ('{3:032x}', 'ada')")
    run(target, f"DELETE FROM boxes WHERE id = '{2:032x}'")
    assert runner.apply(allow_destructive=True) == ["0002_plain"]
    with pytest.raises(StartupError, match=r"(?i)unique"):
        run(target, f"INSERT INTO boxes (id, label) VALUES ('{3:032x}', 'ada')")
    runner.down(allow_destructive=True)


def test_clashes_of_a_group_are_listed_up_to_a_limit(target: Migrator, tmp_path: Path) -> None:
    fields = {"Box": {"label": "str = field(max_length=20)", "size": "int | None = None"}}
    added(tmp_path, plan_of(contract_text(fields)), "start")
    grouped = contract_text(fields).replace("class Box(Resource,", "class Box(Resource, unique=[('label', 'size')],")
    runner = Runner(target, added(tmp_path, plan_of(grouped), "grouped"))
    runner.apply(to="0001")
    for number in range(60):
        values = f"'{number:032x}', 'l{number // 2:02d}', {'NULL' if number > 55 else number // 2}"
        run(target, f"INSERT INTO boxes (id, label, size) VALUES ({values})")
    with pytest.raises(MigrationFailed) as stopped:
        runner.apply()
    told = str(stopped.value)
    assert "boxes: 2 rows have l00, 0, such as" in told
    assert told.count("boxes: 2 rows have") == 20
    assert "boxes: and more" in told


def test_a_batched_step_changes_the_rows_of_its_condition_once(target: Migrator, tmp_path: Path) -> None:
    """Whatever the condition looks like: the next batch does not meet a row of the one before again."""
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "start")
    step = Update("boxes", {"size": sql("size + 1")}, where=sql("label = 'label' OR size = 5"), batch_rows=2)
    runner = Runner(target, added(tmp_path, plan, "one more", extra=[step]))
    runner.apply(to="0001")
    run(target, *boxes(5), "INSERT INTO boxes (id, label, size) VALUES ('ff000000000000000000000000000000', 'x', 1)")
    assert runner.apply() == ["0002_one_more"]
    assert run(target, "SELECT label, size FROM boxes ORDER BY id") == [*[("label", 6)] * 5, ("x", 1)]


# -- refusals


def test_what_destroys_is_refused_with_what_would_be_lost(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(contract_text(BASE)), "start")
    history = added(tmp_path, plan_of(contract_text({"Box": {"label": BASE["Box"]["label"]}})), "no size")
    runner = Runner(target, history)
    runner.apply(to="0001")
    with pytest.raises(Destructive) as refused:
        runner.apply()
    assert str(refused.value) == (
        "This would destroy data:\n  - 0002_no_size: column boxes.size with its values\nAllow it with --allow-destructive"
    )
    assert runner.state().revision == "0001_start"
    runner.apply(allow_destructive=True)
    assert runner.state().revision == "0002_no_size"


def test_a_way_back_that_destroys_is_refused_with_what_would_be_lost(target: Migrator, tmp_path: Path) -> None:
    added(tmp_path, plan_of(contract_text({"Box": {"label": BASE["Box"]["label"]}})), "start")
    runner = Runner(target, added(tmp_path, plan_of(contract_text(BASE)), "size"))
    runner.apply()
    run(target, *boxes(1))
    for to in (None, "0001", "base"):
        with pytest.raises(Destructive, match=r"0002_size: column boxes\.size with its values"):
            runner.down(to=to)
    assert runner.state().revision == "0002_size"
    assert run(target, "SELECT size FROM boxes") == [(5,)]
    assert runner.down(allow_destructive=True) == ["0002_size"]


def test_no_way_back_says_why_and_changes_nothing(target: Migrator, tmp_path: Path) -> None:
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "start")
    history = read_history(tmp_path)
    why = "the old labels are not kept"
    prints = fingerprints_of(plan)
    write_revision(history, title="labels", fingerprints=prints, up=[], down=[], irreversible=why)
    runner = Runner(target, read_history(tmp_path))
    runner.apply()
    with pytest.raises(StartupError, match="0002_labels cannot be undone: the old labels are not kept"):
        runner.down(to="base", allow_destructive=True)
    assert runner.state().revision == "0002_labels"
    # nor is a later one undone on the way to it
    later = plan_of(contract_text({"Box": {**BASE["Box"], "note": "str | None = None"}}))
    runner = Runner(target, added(tmp_path, later, "note"))
    runner.apply()
    with pytest.raises(StartupError, match="0002_labels cannot be undone"):
        runner.down(to="base", allow_destructive=True)
    assert runner.state().revision == "0003_note"
    assert runner.down(to="0002", allow_destructive=True) == ["0003_note"]


# -- interruptions and races


def test_what_is_not_done_yet_can_be_corrected_and_what_is_done_cannot(target: Migrator, tmp_path: Path) -> None:
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "start")
    Runner(target, read_history(tmp_path)).apply()
    run(target, *boxes(3))
    wrong = Execute(sql("UPDATE boxes SET label = nothing"))
    history = added(tmp_path, plan, "labels", extra=[Update("boxes", {"size": sql("size + 1")}), wrong])
    with pytest.raises(MigrationFailed, match="1 of 2 steps are done and kept"):
        Runner(target, history).apply()
    with pytest.raises(StartupError, match="0002_labels was interrupted: first run migrate apply"):
        Runner(target, history).down()
    path = tmp_path / "0002_labels.py"
    text = path.read_text()
    path.write_text(text.replace('"size":', '"label":'))
    with pytest.raises(StartupError, match="0002_labels was changed in a step that is done already"):
        Runner(target, read_history(tmp_path)).apply()
    path.write_text(text.replace("label = nothing", "label = 'new'"))
    assert Runner(target, read_history(tmp_path)).apply() == ["0002_labels"]
    assert run(target, "SELECT label, size FROM boxes") == [("new", 6)] * 3


def test_a_way_back_that_was_interrupted_is_finished_before_anything_else(target: Migrator, tmp_path: Path) -> None:
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "start")
    wrong = Execute(sql("UPDATE boxes SET label = nothing"))
    back: list[Step] = [Update("boxes", {"size": sql("size - 1")}), wrong]
    prints = fingerprints_of(plan)
    path = write_revision(read_history(tmp_path), title="back", fingerprints=prints, up=[], down=back)
    later = plan_of(contract_text({"Box": {**BASE["Box"], "note": "str | None = None"}}))
    runner = Runner(target, read_history(tmp_path))
    runner.apply()
    run(target, *boxes(3))
    with pytest.raises(MigrationFailed, match="0002_back stopped in"):
        runner.down()
    added(tmp_path, later, "note")
    for apply in (runner.apply, Runner(target, read_history(tmp_path)).apply):
        with pytest.raises(StartupError, match="0002_back was interrupted: first run migrate down"):
            apply()
    path.write_text(path.read_text().replace("label = nothing", "label = 'old'"))
    runner = Runner(target, read_history(tmp_path))
    assert runner.down() == ["0002_back"]
    assert run(target, "SELECT label, size FROM boxes") == [("old", 4)] * 3
    assert runner.apply() == ["0002_back", "0003_note"]


@pytest.mark.slow
def test_a_batched_step_goes_on_where_it_was_killed(
    target: Migrator, database_url: str, tmp_path: Path, database: str
) -> None:
    """The step is one that must not meet a row twice: it adds one."""
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "start")
    Runner(target, read_history(tmp_path)).apply()
    rows = 2000
    run(target, *boxes(rows))
    step = Update("boxes", {"size": sql("size + 1")}, batch_rows=2)
    history = added(tmp_path, plan, "one more", extra=[step])
    program = (
        "import sys; from pathlib import Path\n"
        "from tests.migrations.test_databases import target_of\n"
        "from sternpost.migrations.runner import Runner\n"
        "from sternpost.migrations.history import read_history\n"
        "Runner(target_of(sys.argv[1]), read_history(Path(sys.argv[2]))).apply()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, database_url, str(tmp_path)],
        cwd=ROOT,
        env=environment(),
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        done = run(target, "SELECT count(*) FROM boxes WHERE size = 6")[0][0]
        if done >= 20:
            break
    child.kill()
    child.communicate(timeout=30)
    done = run(target, "SELECT count(*) FROM boxes WHERE size = 6")[0][0]
    assert 20 <= done < rows, "killed in the middle"
    runner = Runner(target, history)
    unfinished = runner.state().unfinished
    assert unfinished is not None
    assert unfinished.revision == "0002_one_more"
    with pytest.raises(StartupError, match="was interrupted: first run migrate apply"):
        runner.down()
    assert runner.apply() == ["0002_one_more"]
    assert run(target, "SELECT size, count(*) FROM boxes GROUP BY size") == [(6, rows)]


@pytest.mark.parametrize("wait_seconds", [0.2, 30])
def test_another_migration_is_waited_for(target: Migrator, tmp_path: Path, wait_seconds: float) -> None:
    runner = Runner(target, added(tmp_path, plan_of(contract_text(BASE)), "start"))

    def holding(connection: Any) -> Future[list[str]]:
        with target.lock(connection, 0):
            waiting = threads.submit(runner.apply, wait_seconds=wait_seconds)
            with suppress(TimeoutError):
                waiting.exception(timeout=0.5 if wait_seconds > 1 else 30)
            assert "boxes" not in target.tables(connection)
        return waiting

    with ThreadPoolExecutor(1) as threads:
        waiting = target.run(holding)
        error = waiting.exception(timeout=30)
    if wait_seconds > 1:
        assert waiting.result() == ["0001_start"]
    else:
        assert "Another process has been migrating this database for more than 0.2 seconds." in str(error)
        assert runner.apply() == ["0001_start"]


@pytest.mark.slow
def test_two_processes_that_start_at_once_end_well(database_url: str, target: Migrator, tmp_path: Path) -> None:
    env = environment(STERNPOST_DATABASE_URL=database_url)
    command = [sys.executable, "-m", "sternpost", "migrate", "apply", "shop.app:app", "--allow-destructive"]
    both = [
        subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in "12"
    ]
    printed = [child.communicate(timeout=120)[0].decode() for child in both]
    assert [child.returncode for child in both] == [0, 0], printed
    assert sorted("nothing to do" in text for text in printed) == [False, True]
    assert Runner(target, read_history(SHOP)).state().revision == read_history(SHOP).revisions[-1].name


def test_a_lock_that_is_not_given_ends_the_wait_and_can_be_tried_again(postgres_database: str, tmp_path: Path) -> None:
    target = PostgresqlMigrator(postgres_database, lock_timeout_seconds=0.3)
    added(tmp_path, plan_of(contract_text(BASE)), "start")
    plan = plan_of(contract_text({"Box": {**BASE["Box"], "note": "str | None = None"}}))
    runner = Runner(target, added(tmp_path, plan, "note"))
    runner.apply(to="0001")

    def holding(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql("LOCK TABLE boxes IN ACCESS EXCLUSIVE MODE")
        outcome: list[BaseException] = []

        def other() -> None:
            try:
                runner.apply()
            except StartupError as error:
                outcome.append(error)

        import threading

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(30)
        assert "lock timeout" in str(outcome[0])
        connection.exec_driver_sql("ROLLBACK")

    PostgresqlMigrator(postgres_database).run(holding)
    assert runner.apply() == ["0002_note"]


def test_a_connection_that_the_server_cuts_ends_with_the_reason(postgres_database: str, tmp_path: Path) -> None:
    target = PostgresqlMigrator(postgres_database)
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "start")
    cutting = Execute(sql(sqlite="SELECT 1", postgresql="SELECT pg_terminate_backend(pg_backend_pid())"))
    history = added(tmp_path, plan, "cut", extra=[cutting])
    with pytest.raises(MigrationFailed, match="terminating connection"):
        Runner(target, history).apply()
    assert Runner(target, history).state().revision == "0001_start"


def test_what_is_done_is_not_forgotten_between_two_statements(postgres_database: str, tmp_path: Path) -> None:
    """An index is built in no transaction; that it was built is noted in one."""
    target = PostgresqlMigrator(postgres_database)
    added(tmp_path, plan_of(contract_text(BASE)), "start")
    more = {
        "Box": {"label": "str = field(max_length=20, unique=True)", "size": BASE["Box"]["size"], "note": "str | None"}
    }
    runner = Runner(target, added(tmp_path, plan_of(contract_text(more)), "unique"))
    runner.apply(to="0001")

    class Killed(BaseException):
        pass

    class Cut(PostgresqlMigrator):
        """Ends, as a process that is killed does, behind the first statement that notes the index as built."""

        def run(self, work: Callable[[Any], Any]) -> Any:
            def cut(connection: Any) -> Any:
                built = False

                def before(*arguments: Any) -> None:
                    nonlocal built
                    built = built or "CREATE UNIQUE INDEX" in arguments[2]
                    if built and "INSERT INTO sternpost_migration" in arguments[2]:
                        raise Killed

                event.listen(connection, "before_cursor_execute", before)
                return work(connection)

            return super().run(cut)

    with pytest.raises(Killed):
        Runner(Cut(postgres_database), runner.history).apply()
    unfinished = runner.state().unfinished
    assert unfinished is not None
    assert unfinished.done > 0
    assert runner.apply() == ["0002_unique"]


@pytest.mark.parametrize(
    ("database", "lock"),
    [
        ("sqlite", ["BEGIN IMMEDIATE"]),
        ("postgresql", ["BEGIN", "LOCK TABLE sternpost_schema IN ACCESS EXCLUSIVE MODE"]),
    ],
)
def test_a_lock_on_the_tables_about_the_schema_is_said_in_one_sentence(
    target: Any, lock: list[str], tmp_path: Path
) -> None:
    target.lock_timeout_seconds = 0.2
    runner = Runner(target, added(tmp_path, plan_of(contract_text(BASE)), "start"))
    run(target, "CREATE TABLE sternpost_schema (fingerprint TEXT NOT NULL, created_at TEXT NOT NULL)")

    def holding(connection: Any) -> BaseException | None:
        for statement in lock:
            connection.exec_driver_sql(statement)
        with ThreadPoolExecutor(1) as other:
            error = other.submit(runner.apply).exception()
        connection.exec_driver_sql("ROLLBACK")
        return error

    error = target.run(holding)
    assert isinstance(error, StartupError)
    assert re.fullmatch(r"The database cannot be used: .*lock.* --lock-timeout\)", str(error))
    assert runner.apply() == ["0001_start"]


def test_what_is_no_database_is_said_in_one_sentence(database_url: str, database: str, tmp_path: Path) -> None:
    (tmp_path / "none").write_text("this is no database, however long one looks at it" * 9)
    url = f"sqlite:///{tmp_path / 'none'}" if database == "sqlite" else f"{database_url}_gone"
    with pytest.raises(StartupError, match=r"cannot be used: .*(is not a database|does not exist)"):
        Runner(target_of(url), added(tmp_path / "migrations", plan_of(contract_text(BASE)), "start")).apply()


def test_status_says_where_no_migration_leads_to_the_schema(
    database_url: str, target: Migrator, tmp_path: Path
) -> None:
    """As apply does, instead of sending to it."""
    run(
        target,
        "CREATE TABLE sternpost_schema (fingerprint TEXT NOT NULL, created_at TEXT NOT NULL)",
        "INSERT INTO sternpost_schema VALUES ('that of another contract', 'now')",
    )
    for command in ("status", "apply"):
        env = environment(STERNPOST_DATABASE_URL=database_url)
        ended = forks.run(["migrate", command, "shop.app:app"], tmp_path, env)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "a schema that no migration leads to" in ended.stderr


# -- the service


async def test_a_database_behind_its_contract_is_not_ready_and_becomes_so(
    make_settings: Callable[..., Settings], target: Migrator, tmp_path: Path, log_lines: Any
) -> None:
    added(tmp_path, plan_of(contract_text(BASE)), "start")
    text = contract_text({"Box": {**BASE["Box"], "note": "str | None = None"}})
    old = app_of(contract_text(BASE), make_settings())
    new = app_of(text, make_settings(), log_lines)
    runner = Runner(target, added(tmp_path, new.plan, "note"))
    await asyncio.to_thread(runner.apply, to="0001")
    async with Client(new, create_schema=False) as client:
        assert (await client.get("/health/ready")).status == 503
        reasons = [str(line) for line in log_lines.lines]
        needed = fingerprints_of(new.plan)[target.name][:16]
        why = "The database is at the migration 0001_start and has the schema for "
        assert any(why in reason and f"the contract needs {needed}" in reason for reason in reasons), reasons
        await asyncio.to_thread(runner.apply)
        await readiness(client, 200)
    async with Client(old, create_schema=False) as client:
        assert (await client.get("/health/ready")).status == 200, "an additive migration keeps older processes ready"


async def test_a_schema_that_was_created_directly_takes_its_place(
    make_settings: Callable[..., Settings], target: Migrator
) -> None:
    app = app_of(contract_text(BASE), make_settings())
    running = await app.start()
    await running.runtime.storage.create_schema()
    await app.stop()
    with pytest.raises(StartupError, match="no migration leads to"):
        await asyncio.to_thread(Runner(target, read_history(SHOP)).apply)


KEPT = """
from __future__ import annotations
from sternpost import Contract, Create, Delete, Read, Resource, field, public

class Box(Resource, prefix="ra"{keywords}):
    label: str = field(max_length=20, unique=True)
    {version}
    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)

contract = Contract("small", resources=[Box])
"""


async def test_rows_that_are_there_are_kept_and_counted_from_now_on(
    make_settings: Callable[..., Settings], target: Migrator, tmp_path: Path
) -> None:
    before = KEPT.format(keywords="", version="")
    after = KEPT.format(keywords=", soft_delete=True", version='version: int = field(auto="version")')
    app = app_of(after, make_settings())
    added(tmp_path, plan_of(before), "start")
    runner = Runner(target, added(tmp_path, app.plan, "kept"))
    await asyncio.to_thread(runner.apply, to="0001")
    await asyncio.to_thread(run, target, *boxes(1, columns="id, label", values="'one'"))
    await asyncio.to_thread(runner.apply)
    async with Client(app_of(before, make_settings()), create_schema=False) as client:
        assert (await client.get("/health/ready")).status == 503, "it would show what is deleted"
    async with Client(app, create_schema=False) as client:
        assert (await client.get("/health/ready")).status == 200
        url = f"/api/v1/boxes/ra_{1:032x}"
        assert (await client.get(url)).data["version"] == 1
        assert (await client.delete(url)).status == 204
        for status in (201, 409):
            assert (await client.post("/api/v1/boxes", json={"label": "one"})).status == status
        assert (await client.get(url)).status == 404
    assert await asyncio.to_thread(run, target, "SELECT version FROM boxes ORDER BY id") == [(2,), (1,)]
    await asyncio.to_thread(run, target, "DELETE FROM boxes WHERE deleted_at IS NOT NULL")
    await asyncio.to_thread(runner.down, allow_destructive=True)
    assert await asyncio.to_thread(run, target, "SELECT label FROM boxes") == [("one",)]


RECORDED = """
from __future__ import annotations
from sternpost import Contract, Create, Many, Read, Resource, Update, field, many, public

class {name}(Resource, prefix="ra"{keywords}):
    {fields}
    tags: Many[Tag] = many(through="{links}", write="always")
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)

class Tag(Resource, prefix="tag"):
    name: str

contract = Contract("small", resources=[{name}, Tag])
"""


async def test_what_is_recorded_follows_the_tables(
    make_settings: Callable[..., Settings], target: Migrator, tmp_path: Path
) -> None:
    start = RECORDED.format(name="Box", keywords="", fields="label: str", links="box_tags")
    audited = RECORDED.format(name="Box", keywords=", audit=True", fields="label: str", links="box_tags")
    renamed = RECORDED.format(
        name="Crate",
        keywords=", audit=True, soft_delete=True",
        fields='title: str\n    code: str = field(sensitive=True, default="planted")',
        links="crate_tags",
    )
    app = app_of(renamed, make_settings())
    added(tmp_path, plan_of(start), "start")
    added(tmp_path, plan_of(audited), "audited")
    renames = {"boxes": "crates", "crates.label": "crates.title", "box_tags": "crate_tags"}
    renames |= {"crate_tags.box_id": "crate_tags.crate_id"}
    runner = Runner(target, added(tmp_path, app.plan, "renamed", Answers(renames=renames)))
    await asyncio.to_thread(runner.apply, to="0001")
    await asyncio.to_thread(run, target, *boxes(1, columns="id, label", values="'one'"))
    await asyncio.to_thread(runner.apply, to="0002")
    await asyncio.to_thread(run, target, "UPDATE boxes SET label = 'two'")
    async with Client(app_of(start, make_settings()), create_schema=False) as client:
        assert (await client.get("/health/ready")).status == 200, "it works on, and what it does is recorded"
        body = {"label": "three"}
        assert (await client.patch(f"/api/v1/boxes/ra_{1:032x}", json=body)).status == 200
    await asyncio.to_thread(runner.apply)
    async with Client(app, create_schema=False) as client:
        url = f"/api/v1/crates/ra_{1:032x}"
        changed = await client.patch(url, json={"title": "four", "code": "planted, too"})
        assert changed.status == 200, changed.content
        trail = await client.app.running.runtime.storage.audit_trail().entries(AuditQuery())
        assert [(entry.operation, entry.resource, entry.before, entry.after) for entry in trail] == [
            ("crates.update", "Crate", {"title": "three", "code": "***"}, {"title": "four", "code": "***"}),
            (None, "Box", {"label": "two"}, {"label": "three"}),
            (None, "Box", {"label": "one"}, {"label": "two"}),
        ]
    await asyncio.to_thread(runner.down, allow_destructive=True)
    await asyncio.to_thread(run, target, "UPDATE boxes SET label = 'five'")
    found = await asyncio.to_thread(run, target, "SELECT count(*) FROM sternpost_audit")
    assert found == [(4,)]
    await asyncio.to_thread(runner.down, allow_destructive=True)
    assert "sternpost_audit" not in await asyncio.to_thread(target.run, target.tables)
    await asyncio.to_thread(run, target, "UPDATE boxes SET label = 'six'")


@pytest.mark.parametrize("change", ["another name", "another rule"])
def test_a_change_of_a_table_records_once(target: Migrator, tmp_path: Path, change: str) -> None:
    """Its triggers go with it, and no second ones are there beside them."""
    start = contract_text(BASE, audited=("Box",))
    if change == "another name":
        after, answers = start.replace("audit=True", 'audit=True, plural="crates"'), Answers({"boxes": "crates"})
    else:
        after, answers = start.replace("max_length=20", "max_length=10"), Answers()
    assert after != start
    added(tmp_path, plan_of(start), "start")
    runner = Runner(target, added(tmp_path, plan_of(after), "after", answers))
    runner.apply(to="0001")
    renamed = "crates" if change == "another name" else "boxes"
    for number, (table, migrate) in enumerate((("boxes", None), (renamed, runner.apply), ("boxes", runner.down)), 1):
        if migrate is not None:
            assert migrate() == ["0002_after"]
        run(target, f"INSERT INTO {table} (id, label, size) VALUES ('{number:032x}', 'a', 1)")
        assert run(target, "SELECT count(*) FROM sternpost_audit") == [(number,)]


def test_the_statements_that_record_hold_no_lock_for_long() -> None:
    audited = shape_of(plan_of(contract_text(BASE, audited=("Box",))))
    up, _ = plan_steps(shape_of(plan_of(contract_text(BASE))), audited, Answers())
    assert [step.title for step in up] == ["create table sternpost_audit", "record changes of boxes"]
    assert lint(migrator_of("postgresql:"), up) == []
    assert is_additive(up)


# -- what else is in the database


def test_what_looks_at_a_rebuilt_table_stays(target: Migrator, database: str, tmp_path: Path) -> None:
    """Views, views of views, and triggers of views and of other tables: on SQLite most changes make the table anew."""
    added(tmp_path, plan_of(contract_text(BASE)), "boxes")
    wider = {"Box": {"label": "str = field(max_length=30)", "size": "int | None = field(ge=0, default=1)"}}
    history = added(
        tmp_path, plan_of(contract_text({**wider, "Crate": {"label": "str = field(unique=True)"}})), "wider"
    )
    runner = Runner(target, history)
    runner.apply(to="0001")
    own = [
        "CREATE VIEW large AS SELECT id, label FROM boxes WHERE size > 3",
        "CREATE VIEW names AS SELECT label FROM large",
    ]
    if database == "sqlite":
        own += [
            "CREATE TABLE notes (text TEXT)",
            "CREATE TRIGGER noted AFTER INSERT ON notes BEGIN UPDATE boxes SET label = new.text; END",
            "CREATE TRIGGER renamed INSTEAD OF UPDATE ON names BEGIN UPDATE boxes SET label = new.label; END",
            'CREATE VIEW "a view" AS SELECT * FROM boxes -- , (',
        ]
    run(target, *own, *boxes(2))
    texts = "SELECT name, sql FROM sqlite_master WHERE type IN ('view', 'trigger') ORDER BY name"
    before = run(target, texts) if database == "sqlite" else []
    runner.apply()
    runner.down(allow_destructive=True)
    runner.apply(allow_destructive=True)
    assert run(target, "SELECT label FROM names") == [("label",)] * 2
    if database == "sqlite":
        assert run(target, texts) == before
        assert run(target, "INSERT INTO notes VALUES ('noted')", "SELECT label FROM names") == [("noted",)] * 2
        assert run(target, "UPDATE names SET label = 'other'", 'SELECT label FROM "a view"') == [("other",)] * 2


@pytest.mark.parametrize("after", [{"Box": {"label": "str = field(max_length=20)"}}, {}])
def test_a_view_that_would_break_stops_a_migration(target: Migrator, tmp_path: Path, after: dict[str, Any]) -> None:
    crate = {"Crate": {"label": "str"}}
    added(tmp_path, plan_of(contract_text(BASE | crate)), "boxes")
    history = added(tmp_path, plan_of(contract_text(after | crate)), "no size")
    runner = Runner(target, history)
    runner.apply(to="0001")
    run(target, "CREATE VIEW large AS SELECT id FROM boxes WHERE size > 3", *boxes(2))
    with pytest.raises(MigrationFailed, match=r"view|depend on it"):
        runner.apply(allow_destructive=True)
    assert run(target, "SELECT count(*) FROM large") == [(2,)]
    run(target, "DROP VIEW large")
    assert runner.apply(allow_destructive=True) == ["0002_no_size"]


@pytest.mark.parametrize("schema", ["app", '"My ""App"""', "app, other", '"$user", app'])
async def test_a_schema_that_the_address_names_is_created(postgres_database: str, tmp_path: Path, schema: str) -> None:
    named = schema.replace(" ", "\\ ")
    url = f"{postgres_database}?{urlencode({'options': f'-csearch_path={named}'})}"
    plan = plan_of(contract_text(BASE))
    history = added(tmp_path, plan, "boxes")
    name = "app" if "app" in schema else 'My "App"'

    def work() -> list[Any]:
        with scratch_databases("postgresql", url) as make:
            assert [proof.problems for proof in verify(history, plan, make(), make())] == [[]]
        target = target_of(url)
        assert Runner(target, history).state().revision is None
        assert run(target, "SELECT current_schema()") == [(None,)], "telling where it is changes nothing"
        Runner(target, history).apply()
        return run(target, "SELECT schemaname FROM pg_tables WHERE tablename = 'boxes'")

    assert await asyncio.to_thread(work) == [(name,)]


async def test_a_schema_that_the_address_names_is_created_directly(postgres_database: str) -> None:
    settings = Settings(
        database_url=f"{postgres_database}?options=-csearch_path%3Dapp", env="test", jwt_secret="s" * 32
    )
    async with Client(app_of(contract_text(BASE), settings)) as client:
        answer = await client.request("POST", "/api/v1/boxes", json={"label": "a"})
        assert answer.status == 201, answer.content
    found = await asyncio.to_thread(
        run, target_of(postgres_database), "SELECT schemaname FROM pg_tables WHERE tablename = 'boxes'"
    )
    assert found == [("app",)]


# -- interrupted and edited


def test_a_step_that_is_done_is_not_changed_any_more(target: Migrator, tmp_path: Path) -> None:
    """What follows may be corrected; a step before the interruption is refused as long as it is another one."""
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "boxes")
    wrong = Execute(sql("INSERT INTO nowhere VALUES (1)"))
    history = added(tmp_path, plan, "data", extra=[Update("boxes", {"size": sql("size + 1")}, batch_rows=3), wrong])
    Runner(target, history).apply(to="0001")
    run(target, *boxes(2))
    with pytest.raises(MigrationFailed, match="1 of 2 steps are done and kept"):
        Runner(target, history).apply()
    file = history.revisions[-1].path
    text = file.read_text(encoding="utf-8")
    assert "batch_rows=3" in text
    file.write_text(text.replace("batch_rows=3", "batch_rows=40"), encoding="utf-8")
    with pytest.raises(StartupError, match=r"0002_data was changed in a step that is done already \(1 are\)"):
        Runner(target, read_history(tmp_path)).apply()
    assert run(target, "SELECT size FROM boxes") == [(6,), (6,)]
    file.write_text(
        text.replace("INSERT INTO nowhere VALUES (1)", "UPDATE boxes SET size = size * 2"), encoding="utf-8"
    )
    assert Runner(target, read_history(tmp_path)).apply() == ["0002_data"]
    assert run(target, "SELECT size FROM boxes") == [(12,), (12,)]


def test_a_step_that_is_done_is_not_changed_in_the_middle_of_the_next(target: Migrator, tmp_path: Path) -> None:
    """The rows of the next one are changed in parts, of which the first is kept."""
    plan = plan_of(contract_text(BASE))
    added(tmp_path, plan, "boxes")
    label = Update("boxes", {"label": sql("'new'")}, batch_rows=3)
    size = Update("boxes", {"size": sql("size - 1")}, batch_rows=2)
    history = added(tmp_path, plan, "data", extra=[label, size])
    Runner(target, history).apply(to="0001")
    last, sizes = f"WHERE id = '{3:032x}'", "SELECT size FROM boxes ORDER BY id"
    run(target, *boxes(3), f"UPDATE boxes SET size = 0 {last}")
    with pytest.raises(MigrationFailed, match="1 of 2 steps are done and kept"):
        Runner(target, history).apply()
    assert run(target, sizes) == [(4,), (4,), (0,)]
    file = history.revisions[-1].path
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("batch_rows=3", "batch_rows=40"), encoding="utf-8")
    with pytest.raises(StartupError, match=r"0002_data was changed in a step that is done already \(1 are\)"):
        Runner(target, read_history(tmp_path)).apply()
    file.write_text(text, encoding="utf-8")
    run(target, f"UPDATE boxes SET size = 1 {last}")
    assert Runner(target, read_history(tmp_path)).apply() == ["0002_data"]
    assert run(target, sizes) == [(4,), (4,), (0,)]
