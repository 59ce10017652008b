"""The old and the new version of a service write at once, while an additive migration goes forward and back under them:
no request fails. A migration that fails, or is started twice, fails none either."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.faults import book_service
from tests.faults.judge import Verdict, judge, rows_of
from tests.faults.ledger import Load, Writer, entries
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.support import forks
from tests.support.server import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RATE = 60
SOURCE = Path(book_service.__file__).read_text(encoding="utf-8")
NOTE = "    amount: int\n\n    browse = Browse(allow=authenticated)\n    read = Read(allow=authenticated)\n"
TAG = '''

class Tag(Resource, prefix="tag"):
    """A word about entries."""

    word: str = field(max_length=20, unique=True)

    browse = Browse(allow=authenticated)


@implements(Entry.book)'''


def later(note: str) -> str:
    """The contract's next version: entries have a note, their amount is filtered by, and there are tags."""
    text = SOURCE.replace(NOTE, NOTE.replace("amount: int\n", f"amount: int = field(filter=True)\n    note: {note}\n"))
    text = text.replace("\n\n@implements(Entry.book)", TAG).replace("[Entry, Line]", "[Entry, Line, Tag]")
    assert text.count("note") == 1
    assert text.count("Tag") == 2
    return text


class Project:
    """A folder with both versions and the migrations from one to the other."""

    def __init__(self, folder: Path, database_url: str, note: str, *answers: str) -> None:
        self.folder, self.database_url = folder, database_url
        self.environment = environment(STERNPOST_DATABASE_URL=database_url)
        (folder / "pyproject.toml").write_text('[tool.sternpost]\napp = "old:app"\n', encoding="utf-8")
        (folder / "old.py").write_text(SOURCE, encoding="utf-8")
        (folder / "new.py").write_text(later(note), encoding="utf-8")
        self.migrate("plan", "old:app", "-m", "first")
        self.migrate("apply", "old:app")
        self.migrate("plan", "new:app", "-m", "more", *answers)

    def migrate(self, *arguments: str, status: int = 0) -> str:
        """What the command prints."""
        done = forks.run(["migrate", *arguments], self.folder, self.environment)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def apply_twice(self) -> list[str]:
        """What two processes print that apply the migrations at once."""
        command = [sys.executable, "-m", "sternpost", "migrate", "apply", "new:app"]
        started = [
            subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(2)
        ]
        said = [process.communicate(timeout=60)[0] for process in started]
        assert [process.returncode for process in started] == [0, 0], said
        return said

    def add_failing(self) -> None:
        """One more migration, whose second step fails."""
        self.migrate("plan", "new:app", "--empty", "-m", "failing")
        (path,) = (self.folder / "migrations").glob("*_failing.py")
        text = path.read_text(encoding="utf-8").replace("import", "import Execute, sql,", 1)
        steps = 'Execute(sql("UPDATE entries SET amount = 0")), Execute(sql("UPDATE entries SET nothing = 0"))'
        path.write_text(text.replace("return []", f"return [{steps}]", 1), encoding="utf-8")

    @contextmanager
    def served(self, version: str, seed: int) -> Iterator[tuple[Service, Writer]]:
        """One version, written to."""
        with ExitStack() as stack:
            service = Service(self.database_url, self.folder, app=f"{version}:app", options=())
            stack.enter_context(service)
            load = Load(service.port, seed, rate=RATE, clients=6)
            yield service, stack.enter_context(Writer(load, self.folder / f"{version}.ledger"))

    async def verdict(self, what: str) -> Verdict:
        found = {}
        for ledger in self.folder.glob("*.ledger"):
            found.update(entries(ledger))
        verdict = judge(found, await rows_of(self.database_url))
        print(f"{what}: {verdict}")
        return verdict


def again(writers: list[Writer]) -> None:
    """Waits until each has written more."""
    for writer in writers:
        writer.wait_for(30)


async def test_an_additive_migration_fails_no_request(database_url: str, database: str, tmp_path: Path) -> None:
    project, seed = Project(tmp_path, database_url, "str | None = None"), new_seed()
    with project.served("old", seed) as (old, writing):
        again([writing])
        said = project.apply_twice()
        assert sum("applied 0002_more" in text for text in said) == 1, said
        with project.served("new", seed + 1) as (new, writing_too):
            again([writing, writing_too])
            project.add_failing()
            assert "0003_failing stopped" in project.migrate("apply", "new:app", status=2)
            again([writing, writing_too])
            assert [each.ask("GET", "/health/ready")[0] for each in (old, new)] == [200, 200]
        (path,) = (tmp_path / "migrations").glob("*_failing.py")
        path.unlink()
        project.migrate("down", "old:app", "--to", "0001", "--allow-destructive")
        again([writing])
        assert old.ask("GET", "/health/ready")[0] == 200
    verdict = await project.verdict(f"{database}, there and back, seed {seed}")
    verdict.require_clean(acknowledged=150)
    assert verdict.states.keys() == {"ok"}


async def test_a_migration_that_is_not_additive_is_found(database_url: str, database: str, tmp_path: Path) -> None:
    """The control: the old version cannot write any more."""
    answers = ("--fill", "entries.note='none'")
    project, seed = Project(tmp_path, database_url, "str = field(max_length=20)", *answers), new_seed()
    with project.served("old", seed) as (_, writing):
        again([writing])
        project.migrate("apply", "new:app")
        writing.wait_for(10, "fail")
    verdict = await project.verdict(f"{database}, not additive, seed {seed}")
    assert verdict.states["fail"]
    assert verdict.clean
