"""What squawk says about the locks that a migration takes on PostgreSQL."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sternpost.ports.migrator import Migrator
from sternpost.ports.steps import Step

EXCLUDED = (
    "ban-drop-column",  # these are asked for with --allow-destructive
    "ban-drop-table",
    "ban-drop-not-null",
    "renaming-column",  # these are asked for with --rename
    "renaming-table",
    "renaming-object",
    "ban-drop-constraint",  # its new form is added in the same migration
    "prefer-robust-stmts",  # what is done is remembered, so no statement runs twice
    "prefer-bigint-over-int",
    "prefer-identity",
    "require-statement-timeout",  # a statement that scans may take its time; what it must not do is wait for a lock
)
LOCK_TIMEOUT_MS = 5000
"""Squawk wants to see one; how long a migration waits in fact is said when it is applied."""

NOT_INSTALLED = "squawk is not installed, so locks are not checked: pip install squawk-cli"


def squawk() -> str | None:
    """The program; None where it is not installed."""
    beside = Path(sys.executable).with_name("squawk")
    return str(beside) if beside.is_file() else shutil.which("squawk")


def sql_of(migrator: Migrator, steps: Sequence[Step]) -> str:
    """What PostgreSQL will be sent: each transaction as one, batches as a single statement."""
    text = [f"SET lock_timeout = '{LOCK_TIMEOUT_MS}ms';"]
    for action in migrator.actions(steps):
        if action.update is not None:
            text.append(f"-- {action.title}")
            continue
        statements = [f"{statement};" for statement in action.statements]
        text += statements if action.mode == "outside" else ["BEGIN;", *statements, "COMMIT;"]
    return "\n".join(text) + "\n"


def lint(migrator: Migrator, steps: Sequence[Step]) -> list[str]:
    """What squawk finds in the steps as PostgreSQL's migrator takes them. Raises `FileNotFoundError` where it is not
    installed."""
    program = squawk()
    if program is None:
        raise FileNotFoundError(NOT_INSTALLED)
    done = subprocess.run(  # noqa: S603
        [program, "--reporter", "json", f"--exclude={','.join(EXCLUDED)}", "--stdin-filepath", "migration.sql"],
        input=sql_of(migrator, steps),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    try:
        found = json.loads(done.stdout or "[]")
    except json.JSONDecodeError as error:
        raise RuntimeError(f"squawk failed: {done.stderr or done.stdout}") from error
    return [f"{item['rule_name']}: {item['message']}" for item in found]
