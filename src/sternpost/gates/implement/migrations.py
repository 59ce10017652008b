"""I05: the migrations of the database."""

from __future__ import annotations

import os
import subprocess
import sys

from sternpost.app.loading import migrations_folder
from sternpost.gates.criterion import Answer, Criterion, Finding, could_not_check, counted, judged, not_applicable
from sternpost.gates.project import Project
from sternpost.migrations.history import read_history
from sternpost.scratch.service import DATABASE_VARIABLE

SECONDS_MAX = 600


def _check(project: Project) -> Answer:
    if project.plan.external:
        return not_applicable("migrations", "the database is not Sternpost's own")
    folder = migrations_folder(project.name, project.root)
    history = read_history(folder)
    where = project.shown(folder)
    if not history.revisions:
        fix = "run: sternpost migrate plan, and commit the folder"
        return judged(
            "migrations", [Finding(where, "there is no migration: the database cannot be changed later", fix)]
        )
    server = os.environ.get(DATABASE_VARIABLE, "")
    databases = ["sqlite", *(["postgresql"] if server.startswith("postgres") else [])]
    looked_at = f"{counted(len(history.revisions), 'migration')}, applied, undone and applied again on "
    looked_at += " and ".join(databases)
    options = [f"--database={name}" for name in databases]
    environment = {**os.environ, "STERNPOST_VERIFY_POSTGRESQL_URL": server}
    command = [sys.executable, "-m", "sternpost", "migrate", "verify", project.name, *options]
    try:
        done = subprocess.run(  # noqa: S603  (this very interpreter)
            command,
            cwd=project.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return could_not_check(looked_at, f"it has not ended in {SECONDS_MAX} seconds", "run: sternpost migrate verify")
    if done.returncode == 0:
        return judged(looked_at, [])
    said = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return judged(looked_at, [Finding(where, " / ".join(said[-4:]), "mend it, and run: sternpost migrate verify")])


CRITERION = Criterion(
    "I05",
    "Migrations lead to the contract, and can be undone",
    "A migration that was never undone cannot be undone at night, and one that was never run on rows fails on them.",
    "Run `sternpost migrate plan` for what the contract has changed, and `sternpost migrate verify`. "
    "PostgreSQL is verified, too, "
    "where `STERNPOST_TEST_DATABASE_URL` names a database on a server.",
    _check,
    diagnostics=("SP8",),
)
