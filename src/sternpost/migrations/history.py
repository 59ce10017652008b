"""The folder of migrations: alembic's revisions, each with steps in both directions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sternpost.errors import StartupError
from sternpost.migrations.replay import replayed
from sternpost.migrations.source import rendered
from sternpost.plan.model import DELETED_FIELD
from sternpost.ports.schema import Shape
from sternpost.ports.steps import AddColumn, AddOverlap, AddRule, CreateTable, Step

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

REVISION_MAX = 32
"""Characters that alembic's version table holds."""

_NOTHING: Shape = {}


def is_additive(steps: Sequence[Step]) -> bool:
    """Whether processes that know nothing of the steps work on: a rule on tables or columns that they do not know is
    none for them."""
    new = {(step.table, step.column.name) for step in steps if isinstance(step, AddColumn) and step.column.nullable}
    created = {step.table.name for step in steps if isinstance(step, CreateTable)}

    def is_unknown(step: Step) -> bool:
        if not isinstance(step, AddRule | AddOverlap):
            return False
        columns = step.rule.columns if isinstance(step, AddRule) else step.overlap.columns
        return step.table in created or all((step.table, column) in new for column in columns)

    def hides_rows(step: Step) -> bool:
        """Processes that do not know when a row was deleted would go on showing it."""
        return isinstance(step, AddColumn) and step.column.name == DELETED_FIELD

    return all((step.additive or is_unknown(step)) and not hides_rows(step) for step in steps)


@dataclass(frozen=True)
class Revision:
    """One migration file.

    Attributes:
        fingerprints: by database, what a contract has that is served by the schema after it.
        irreversible: why there is no way back; None where there is one.
    """

    name: str
    before: str | None
    title: str
    path: Path
    up: tuple[Step, ...]
    down: tuple[Step, ...]
    fingerprints: Mapping[str, str]
    irreversible: str | None

    @property
    def additive(self) -> bool:
        """Whether processes that were made for the schema before work on with the one after."""
        return is_additive(self.up)


@dataclass(frozen=True)
class History:
    """All migrations, from the first to the last."""

    folder: Path
    revisions: tuple[Revision, ...]

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """The schema before the first migration, and after each: what their steps make of nothing."""
        return tuple(accumulate(self.revisions, lambda shape, revision: replayed(shape, revision.up), initial=_NOTHING))

    def shape(self, count: int | None = None) -> Shape:
        """The schema after so many migrations, or after all."""
        return self.shapes[len(self.revisions) if count is None else count]

    @property
    def head(self) -> Revision | None:
        return self.revisions[-1] if self.revisions else None

    def after(self, name: str | None) -> tuple[Revision, ...]:
        """The revisions that follow one. Raises `StartupError` where there is no such revision."""
        return self.revisions[self.position(name) :]

    def position(self, name: str | None) -> int:
        """How many revisions there are up to one, itself included."""
        if name is None:
            return 0
        for index, revision in enumerate(self.revisions):
            if revision.name == name:
                return index + 1
        raise StartupError(
            f"The database is at migration {name}, which is not in {self.folder}: "
            "this version of the code is older than the database"
        )

    def named(self, name: str) -> Revision:
        """The one revision whose name starts so. Raises `StartupError`."""
        found = [revision for revision in self.revisions if revision.name.startswith(name)]
        if len(found) != 1:
            names = ", ".join(revision.name for revision in found or self.revisions)
            raise StartupError(f"{name} is {'more than one migration' if found else 'no migration'}: {names}")
        return found[0]

    def serves(self, count: int, database: str) -> list[str]:
        """The fingerprints of the contracts that work with the schema after so many migrations."""
        served: list[str] = []
        for revision in self.revisions[:count]:
            own = revision.fingerprints[database]
            served = [*(served if revision.additive else []), own]
        return list(dict.fromkeys(served))

    def scripts(self) -> ScriptDirectory:
        """The folder as alembic sees it."""
        return _scripts(self.folder)


def read_history(folder: Path) -> History:
    """Reads the folder. Raises `StartupError` where its files contradict each other."""
    if not any(folder.glob("*.py")):
        return History(folder, ())
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError

    try:
        scripts = _scripts(folder)
        heads = scripts.get_heads()
        if len(heads) > 1:
            raise StartupError(
                f"{folder} has two last migrations: {' and '.join(sorted(heads))}. "
                "Set down_revision of one to the other, or delete one and plan it again"
            )
        found = [_revision(script) for script in reversed(list(scripts.walk_revisions()))]
    except (CommandError, RevisionError, SyntaxError, ImportError, AttributeError, TypeError) as error:
        raise StartupError(f"The migrations in {folder} cannot be read: {error}") from error
    return History(folder, tuple(found))


def _scripts(folder: Path) -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(folder), version_locations=[str(folder)])


def _revision(script: Any) -> Revision:
    module = script.module
    up, down, prints = module.upgrade(), module.downgrade(), module.fingerprints
    return Revision(
        script.revision,
        script.down_revision,
        script.doc.splitlines()[0] if script.doc else "",
        Path(script.path),
        tuple(up),
        tuple(down),
        prints,
        getattr(module, "irreversible", None),
    )


def write_revision(
    history: History,
    *,
    title: str,
    fingerprints: Mapping[str, str],
    up: Sequence[Step],
    down: Sequence[Step],
    irreversible: str | None = None,
) -> Path:
    """Writes the next migration; the file's path."""
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "change"
    name = f"{len(history.revisions) + 1:04}_{slug}"[:REVISION_MAX].rstrip("_")
    history.folder.mkdir(parents=True, exist_ok=True)
    path = history.folder / f"{name}.py"
    head = history.head
    text = rendered(title, name, head.name if head else None, fingerprints, up, down, irreversible)
    path.write_text(text, encoding="utf-8")
    return path
