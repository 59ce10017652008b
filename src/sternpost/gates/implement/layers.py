"""I01: which part of the code may import which."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

from sternpost.app.loading import import_folders
from sternpost.gates.criterion import Answer, Criterion, Finding, could_not_check, counted, judged
from sternpost.gates.project import Project, settings_of

SECONDS_MAX = 120
_SAID_MAX = 1_000
"""Characters of what the program says that are told."""

_OF_LOGO = frozenset("╔║╚▲▶")

_RUN = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def _check(project: Project) -> Answer:
    where = "[tool.importlinter] in pyproject.toml"
    contracts = _contracts(project)
    if not contracts:
        fix = "declare the layers: projects that sternpost new makes have such a block"
        return judged("import contracts", [Finding(where, "nothing says which part may import which", fix)])
    looked_at = f"{counted(len(contracts), 'import contract')}: {'; '.join(contracts)}"
    if find_spec("importlinter") is None:
        return could_not_check(looked_at, "import-linter is not installed", "pip install 'sternpost[gates]'")
    done = subprocess.run(  # noqa: S603  (this very interpreter)
        [sys.executable, "-c", _RUN, "--no-cache"],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, import_folders(project.root)))},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    if done.returncode == 0:
        return judged(looked_at, [])
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    broken = said[said.index("Broken contracts") :] if "Broken contracts" in said else said
    told = " / ".join(line for line in broken if set(line) - set("-=") and not _OF_LOGO.intersection(line))[:_SAID_MAX]
    return judged(looked_at, [Finding(where, told, "move what is imported below what imports it; run: lint-imports")])


def _contracts(project: Project) -> list[str]:
    """The names of the contracts that pyproject.toml declares."""
    declared = settings_of(project.root, "importlinter").get("contracts", [])
    return [str(each.get("name", "without a name")) for each in declared]


CRITERION = Criterion(
    "I01",
    "The layers of the code hold",
    "Rules of the business that stand in handlers, and contracts that import services, can be neither "
    "tested nor served by "
    "another protocol.",
    "Declare the layers under `[[tool.importlinter.contracts]]` in `pyproject.toml`, as `sternpost new` "
    "does, and move what "
    "breaks them.",
    _check,
)
