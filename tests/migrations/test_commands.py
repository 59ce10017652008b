"""`sternpost migrate`, as a person uses it: what it asks, writes, says, and how it ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.commands import Shell

HEAD = (
    "from __future__ import annotations\n"
    "from sternpost import Browse, Contract, Create, Resource, Sternpost, field, public\n\n\n"
)
LABEL = "label: str = field(max_length=20)"
AHEAD = "The contract has changes without a migration: run sternpost migrate plan"


class Project(Shell):
    """A folder with a contract of one resource."""

    def declare(self, *fields: str, name: str = "Box") -> None:
        lines = [f'class {name}(Resource, prefix="box"):', *fields, "browse = Browse(allow=public)"]
        text = "\n    ".join(lines)
        (self.folder / "notes.py").write_text(
            f'{HEAD}{text}\n\n\napp = Sternpost(Contract("notes", resources=[{name}]))\n'
        )

    def migrate(self, *arguments: str) -> str:
        """What a command that does its work prints."""
        done = self("migrate", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "migrations").glob("*.py"))

    def plan_by_hand(self, title: str, step: str) -> None:
        """A migration with a step of the author's own."""
        self.migrate("plan", "--empty", "-m", title)
        (path,) = (self.folder / "migrations").glob(f"*_{title}.py")
        text = path.read_text().replace("import", "import Execute, Update, sql,", 1)
        changed = text.replace("return []", f"return [{step}]", 1)
        assert changed != text
        path.write_text(changed)


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> Project:
    (tmp_path / "pyproject.toml").write_text('[tool.sternpost]\napp = "notes:app"\n')
    made = Project(tmp_path, database_url)
    made.declare(LABEL)
    return made


@pytest.fixture
def planned(tmp_path: Path) -> Project:
    """One whose contract has its migration; planning needs no database."""
    (tmp_path / "pyproject.toml").write_text('[tool.sternpost]\napp = "notes:app"\n')
    made = Project(tmp_path, f"sqlite:///{tmp_path / 'notes.sqlite'}")
    made.declare(LABEL)
    made.migrate("plan")
    return made


def test_plan_writes_what_is_missing_and_then_nothing(planned: Project) -> None:
    assert planned.files() == ["0001_create_the_schema.py"]
    assert "nothing to do: the migrations already match the contract" in planned.migrate("plan", "-m", "again")
    assert planned.files() == ["0001_create_the_schema.py"]
    planned.declare(LABEL, "size: int | None = None")
    shown = planned.migrate("plan", "--dry-run")
    assert 'AddColumn("boxes"' in shown
    assert planned.files() == ["0001_create_the_schema.py"]
    assert "add column boxes.size" in planned.migrate("plan")
    assert "Empty" in planned.migrate("plan", "--empty", "-m", "Empty", "--dry-run")
    planned.migrate("plan", "--empty")
    assert planned.files()[1:] == ["0002_add_column_boxes_size.py", "0003_nothing_in_the_database.py"]
    assert not (planned.folder / "notes.sqlite").exists()


@pytest.mark.parametrize(
    ("fields", "answers", "done"),
    [
        (["title: str"], ["--rename", "boxes.label:boxes.title"], ["rename column boxes.label to title"]),
        (
            ["title: str"],
            ["--drop", "boxes.label", "--fill", "boxes.title='x'", "--fill", "boxes.label='y'"],
            ["fill boxes.title in batches of 1000", "destroys column boxes.label with its values"],
        ),
        ([LABEL, "size: int"], ["--fill", "boxes.size=7"], ["fill boxes.size in batches of 1000"]),
    ],
)
def test_plan_needs_an_answer_where_there_are_two_ways(
    planned: Project, fields: Sequence[str], answers: Sequence[str], done: Sequence[str]
) -> None:
    planned.declare(*fields)
    asked = planned.refusal("migrate", "plan")
    assert f"{answers[0]} {answers[1].split('=')[0]}" in asked
    shown = planned.migrate("plan", "-m", "answered", *answers)
    assert [line for line in done if line not in shown] == []
    assert planned.files()[1:] == ["0002_answered.py"]
    assert "nothing to do" in planned.migrate("plan")


def test_plan_needs_a_way_back_or_the_reason_why_there_is_none(planned: Project) -> None:
    planned.declare(LABEL, "size: int")
    planned.migrate("plan", "--fill", "boxes.size=1", "-m", "size")
    planned.declare(LABEL)
    asked = planned.refusal("migrate", "plan")
    assert "It is not clear how to undo the migration." in asked
    assert "--fill boxes.size=SQL" in asked
    planned.migrate("plan", "-m", "no size", "--irreversible", "sizes are gone")
    text = (planned.folder / "migrations" / "0003_no_size.py").read_text()
    assert 'irreversible = "sizes are gone"' in text
    planned.migrate("apply", "--allow-destructive")
    assert "0003_no_size cannot be undone: sizes are gone" in planned.refusal("migrate", "down", "--allow-destructive")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (("--rename", "boxes.label"), "--rename boxes.label: write --rename table.column:…"),
        (("--rename", ":boxes.title"), "--rename :boxes.title: write --rename table.column:…"),
        (("--fill", "boxes.label="), "--fill boxes.label=: write --fill table.column=…"),
        (("--using", "boxes.none=1"), "--using boxes.none: there is no such column"),
        (("--drop", "boxes.label"), "--drop boxes.label: boxes.label is still in the contract"),
    ],
)
def test_plan_refuses_answers_to_nothing(planned: Project, answer: tuple[str, str], said: str) -> None:
    assert said in planned.refusal("migrate", "plan", *answer)
    assert len(planned.files()) == 1


@pytest.mark.parametrize(
    ("typed", "step"),
    [("1\n", "rename column boxes.label to title"), ("9\n0\n2\n", "add column boxes.title")],
    ids=["renamed", "dropped"],
)
def test_plan_asks_a_person(planned: Project, typed: str, step: str) -> None:
    planned.declare("title: str | None = None")
    shown = planned.in_terminal("migrate", "plan", "--fill", "boxes.label=''", typed=typed)
    assert "boxes.label is no longer in the contract. What happened to it?" in shown
    assert f"  {step}" in shown
    assert len(planned.files()) == 2


def test_status_tells_what_is_to_be_done(project: Project) -> None:
    for command in ("status", "down", "verify"):
        assert "There are no migrations in" in project.refusal("migrate", command)
    project.migrate("plan", "-m", "start")
    project.declare(LABEL, "size: int | None = None")
    ahead = project("migrate", "status")
    assert (ahead.returncode, AHEAD in ahead.stderr) == (2, True)
    project.migrate("plan", "-m", "size")
    pending = project("migrate", "status")
    assert pending.returncode == 1
    assert "2 pending: run sternpost migrate apply" in pending.stdout + pending.stderr
    assert project.migrate("apply", "--to", "0001").splitlines()[-1] == "applied 0001_start"
    pending = project("migrate", "status")
    assert pending.returncode == 1
    states = [line.split()[:2] for line in (pending.stdout + pending.stderr).splitlines() if line.strip()[:3] == "000"]
    assert states == [["0001_start", "applied"], ["0002_size", "pending"]]
    assert "1 pending" in pending.stdout + pending.stderr
    assert "applied 0002_size" in project.migrate("apply")
    assert "up to date: nothing to do" in project.migrate("apply")
    assert "up to date: the database, the migrations and the contract match" in project.migrate("status")
    assert "column boxes.size with its values" in project.refusal("migrate", "down")
    assert "undone 0002_size" in project.migrate("down", "--allow-destructive")
    assert "undone 0001_start" in project.migrate("down", "--to", "base", "--allow-destructive")
    assert "up to date: nothing to do" in project.migrate("down")


def test_apply_does_what_there_is_and_says_where_more_is_needed(project: Project) -> None:
    project.migrate("plan", "-m", "start")
    project.declare(LABEL, "size: int | None = None")
    done = project("migrate", "apply")
    assert (done.returncode, AHEAD in done.stderr) == (2, True)
    assert "applied 0001_start" in done.stdout + done.stderr
    assert "up to date: nothing to do" in project.migrate("apply", "--to", "0001")


def test_an_interrupted_migration_is_said_with_its_way_out(project: Project) -> None:
    project.migrate("plan", "-m", "start")
    update = 'Update("boxes", {"label": sql("lower(label)")})'
    project.plan_by_hand("labels", f'{update}, Execute(sql("UPDATE boxes SET label = nothing"))')
    stopped = project("migrate", "apply")
    assert (stopped.returncode, "0002_labels stopped in" in stopped.stderr) == (2, True)
    status = project("migrate", "status")
    assert status.returncode == 1
    assert "0002_labels was interrupted: run migrate apply" in status.stdout + status.stderr
    assert "interrupted" in next(line for line in (status.stdout + status.stderr).splitlines() if "0002" in line)


def test_a_schema_that_was_created_directly_is_recorded(project: Project) -> None:
    assert "created the schema" in project.migrate("apply")
    assert "up to date: the schema already exists" in project.migrate("apply")
    project.migrate("plan", "-m", "start")
    assert "was created without migrations; migrate apply records its migration" in project.migrate("status")
    project.declare(LABEL, "size: int | None = None")
    project.migrate("plan", "-m", "size")
    shown = project.migrate("apply")
    assert "the schema was created without migrations: it matches 0001_start" in shown
    assert "applied 0001_start" not in shown
    assert "applied 0002_size" in shown
    project.migrate("status")


@pytest.mark.parametrize("database", ["sqlite"])
def test_verify_proves_what_it_can(project: Project, postgres_url: str) -> None:
    project.migrate("plan", "-m", "start")
    project.declare(LABEL, "size: int = field(default=3)")
    assert AHEAD in project.refusal("migrate", "verify")
    project.migrate("plan", "-m", "size")
    shown = project.migrate("verify")
    assert "verified sqlite  0002_size  7 rows; destroys boxes.size" in shown
    assert "not verified on postgresql: no server is given." in shown
    assert "no server is given" in project.refusal("migrate", "verify", "--database", "postgresql")
    shown = project.migrate("verify", "--database", "postgresql", "--postgresql-url", postgres_url)
    assert "verified postgresql  0002_size  7 rows" in shown
    assert "sqlite" not in shown
    path = project.folder / "migrations" / "0002_size.py"
    path.write_text(re.sub(r'DropColumn\("boxes", "size"\),?', "", path.read_text()))
    failed = project("migrate", "verify", "--database", "sqlite")
    assert failed.returncode == 1
    assert "failed sqlite  0002_size" in failed.stdout + failed.stderr
    assert "down: boxes, columns size" in failed.stdout + failed.stderr


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_apply_stops_at_what_squawk_finds(project: Project, database: str) -> None:
    """PostgreSQL's locks are squawk's business; SQLite has no such locks."""
    project.migrate("plan", "-m", "start")
    project.plan_by_hand("index", 'Execute(sql("CREATE INDEX own ON boxes (label)"))')
    if database == "sqlite":
        assert "applied 0002_index" in project.migrate("apply", "--lint")
        return
    refused = project.refusal("migrate", "apply", "--lint")
    assert "squawk on 0002_index:" in refused
    assert "require-concurrent-index-creation" in refused
    assert "2 pending" in "".join(project("migrate", "status").stdout)
    project.migrate("apply")
