"""Source trees of Sternpost: this checkout and another commit of it, each serving the shop of its own."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.databases import TEMPLATE, Application
from benchmarks.results import commit, git
from benchmarks.stacks import OWN, ROOT, STACKS, Stack, StackError

PARTS = ("pyproject.toml", "src", "examples")
"""What serving the shop needs."""


@dataclass(frozen=True)
class Tree:
    """A source tree. All trees run with the same Python environment: their own code comes first in its path.

    Attributes:
        name: also of its stack, of its databases and of its samples.
    """

    name: str
    folder: Path
    commit: str

    @property
    def application(self) -> Application:
        """The shop of this tree."""
        return Application("shop.app:app", self.folder / "examples/shop", self.folder, f"{TEMPLATE}_{self.name}")

    @property
    def stack(self) -> Stack:
        """Serves the shop of this tree."""
        own = next(stack for stack in STACKS if stack.name == OWN)
        environment = {**own.environment, "PYTHONPATH": self.application.python_path}
        return replace(
            own, name=self.name, title=f"{self.name}, {self.commit}", environment=environment, folder=self.folder
        )

    def run(self, command: list[str], url: str) -> str:
        """What a program prints that runs Python code of this tree on a database.

        Raises:
            StackError: it failed; with what it said.
        """
        done = subprocess.run(
            [sys.executable, "-P", *command],
            cwd=self.folder,
            env=self.stack.variables(url, 0),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StackError(f"{' '.join(command)} failed with {self.stack.title}:\n{done.stderr[-2000:]}")
        return done.stdout

    def check_imports(self) -> None:
        """An installed copy in front of the tree would be compared with itself.

        Raises:
            StackError: Sternpost or the shop comes from elsewhere.
        """
        code = "import shop, sternpost; print(shop.__file__); print(sternpost.__file__)"
        for path in self.run(["-c", code], "sqlite://").splitlines():
            if not Path(path).resolve().is_relative_to(self.folder.resolve()):
                raise StackError(f"{self.stack.title} imports {path}, which is not in its source tree {self.folder}")


def this_checkout() -> Tree:
    """As it is, with what is not committed."""
    head, changed = commit()
    return Tree("new", ROOT, f"{head} and changes" if changed else head)


@contextmanager
def checked_out(reference: str) -> Generator[Tree]:
    """The tree of a commit, branch or tag in a temporary folder.

    Raises:
        StackError: there is no such commit.
    """
    found = git("rev-parse", "--verify", "--short", f"{reference}^{{commit}}")
    if not found:
        raise StackError(f"{reference} is no commit of this repository")
    archive = subprocess.run(
        ["git", "archive", "--format=tar", found, *PARTS], cwd=ROOT, capture_output=True, check=True
    )
    with tempfile.TemporaryDirectory(prefix="sternpost-versus-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
            files.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)  # not before 3.11.4
            files.extractall(folder)  # noqa: S202  (an archive that git has made just now)
        yield Tree("old", Path(folder), found)
