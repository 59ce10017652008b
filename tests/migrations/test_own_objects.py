"""Views, triggers, functions, indexes and rules of one's own: declared, they are left alone, and missed where they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sternpost.migrations import Execute, sql
from sternpost.migrations.history import History, read_history
from sternpost.migrations.runner import Runner
from sternpost.migrations.verify import verify
from sternpost.plan.model import Plan
from sternpost.ports.migrator import Migrator
from tests.migrations.test_commands import Project, project
from tests.migrations.test_databases import added, run, scratch, target
from tests.support.contracts import contract_text, plan_of

__all__ = ["project", "scratch", "target"]

OBJECTS = """[
    DatabaseObject("view", "long_boxes"),
    DatabaseObject("trigger", "count_boxes", on="boxes"),
    DatabaseObject("index", "boxes_by_length", on="boxes"),
    DatabaseObject("function", "count_boxes", only="postgresql"),
    DatabaseObject("rule", "has_label", on="boxes", only="postgresql"),
    DatabaseObject("rule", "no_deletion", on="boxes", only="postgresql"),
]"""
STEPS = (
    Execute(sql("CREATE VIEW long_boxes AS SELECT * FROM boxes WHERE length(label) > 10")),
    Execute(sql("CREATE INDEX boxes_by_length ON boxes (length(label))")),
    Execute(sql(sqlite="CREATE TRIGGER count_boxes AFTER INSERT ON boxes BEGIN SELECT 1; END")),
    Execute(
        sql(postgresql="CREATE FUNCTION count_boxes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
    ),
    Execute(
        sql(postgresql="CREATE TRIGGER count_boxes AFTER INSERT ON boxes FOR EACH ROW EXECUTE FUNCTION count_boxes()")
    ),
    Execute(sql(postgresql="ALTER TABLE boxes ADD CONSTRAINT has_label UNIQUE (id, label)")),
    Execute(sql(postgresql="CREATE RULE no_deletion AS ON DELETE TO boxes WHERE false DO INSTEAD NOTHING")),
)


def boxes(objects: str = "()", **fields: str) -> Plan:
    text = contract_text({"Box": {"label": "str = field(max_length=50)", **fields}})
    text = text.replace('Contract("small",', f'Contract("small", database_objects={objects},')
    return plan_of(text.replace("import Contract,", "import Contract, DatabaseObject,"))


def history_of(folder: Path, plan: Plan) -> History:
    """A history whose first migration makes the objects as well. It has no way back from those."""
    added(folder, plan, "with objects", extra=STEPS)
    (path,) = folder.glob("0001_*.py")
    path.write_text(path.read_text().replace("irreversible = None", 'irreversible = "there are views"'))
    return read_history(folder)


def test_what_is_declared_is_no_difference_and_what_is_not_is_one(scratch: Any, tmp_path: Path) -> None:
    declared, undeclared = boxes(OBJECTS), boxes()
    history = history_of(tmp_path, declared)
    with scratch as make:
        assert [proof.problems for proof in verify(history, declared, make(), make())] == [[]]
        (proof,) = verify(history, undeclared, make(), make())
    assert any("boxes_by_length" in problem for problem in proof.problems)
    assert any("count_boxes" in problem for problem in proof.problems)
    assert not any("view" in problem for problem in proof.problems)


def test_they_stay_when_the_contract_changes(target: Migrator, tmp_path: Path) -> None:
    plan = boxes(OBJECTS)
    runner = Runner(target, history_of(tmp_path, plan))
    runner.apply()
    assert runner.missing(plan.database_objects) == []
    changed = boxes(OBJECTS, size="int = field(ge=0, default=1)")
    runner = Runner(target, added(tmp_path, changed, "more"))
    runner.apply()
    assert runner.missing(changed.database_objects) == []
    runner.down(allow_destructive=True)
    assert runner.missing(plan.database_objects) == []


def test_what_is_missing_is_told(target: Migrator, tmp_path: Path) -> None:
    plan = boxes(OBJECTS)
    runner = Runner(target, history_of(tmp_path, plan))
    runner.apply()
    run(target, "DROP VIEW long_boxes", "DROP INDEX boxes_by_length")
    assert [(each.kind, each.name) for each in runner.missing(plan.database_objects)] == [
        ("view", "long_boxes"),
        ("index", "boxes_by_length"),
    ]
    before = {(each.kind, each.name) for each in plan.database_objects if each.only in (None, target.name)}
    found = target.run(target.objects)
    assert before - found == {("view", "long_boxes"), ("index", "boxes_by_length")}


def test_status_tells_what_is_missing_and_is_content_otherwise(project: Project) -> None:
    path = project.folder / "notes.py"
    text = path.read_text().replace("import Browse,", "import Browse, DatabaseObject,")
    path.write_text(
        text.replace('Contract("notes",', 'Contract("notes", database_objects=[DatabaseObject("view", "all_boxes")],')
    )
    project.migrate("plan")
    project.migrate("apply")
    said = project.migrate("status")
    assert "missing: the view all_boxes" in said
    assert "up to date" in said
    project.plan_by_hand("views", 'Execute(sql("CREATE VIEW all_boxes AS SELECT * FROM boxes"))')
    project.migrate("apply")
    assert "missing" not in project.migrate("status")
