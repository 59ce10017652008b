"""I08: how much of the code tests reach."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sternpost.gates.criterion import Answer, Criterion, Finding, could_not_check, counted, judged
from sternpost.gates.git import git
from sternpost.gates.project import Project
from sternpost.gates.sources import sources_of
from sternpost.gates.testrun import Lines, tests_of

CHANGED = 0.80
"""Of the lines that changed since the last release."""

CRITICAL = 0.90
"""Of the lines of each operation that the contract marks as critical."""

SHOWN_MAX = 8
"""Files, or ranges of lines, that are told."""

_HUNK = re.compile(rb"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")
_FIX = "write tests that reach these lines"


def _check(project: Project) -> Answer:
    run = tests_of(project)
    if not run.reached:
        why = f"no line of the project was reached: {run.said}" if run.said else "no line of the project was reached"
        return could_not_check("the lines that tests reach", why, "run the tests: python -m pytest")
    tag, changed = _changed(project)
    considered = {
        name: Lines(lines.ran & changed[name], lines.missed & changed[name]) if tag else lines
        for name, lines in run.reached.items()
    }
    findings: list[Finding] = []
    ran = sum(len(lines.ran) for lines in considered.values())
    whole = ran + sum(len(lines.missed) for lines in considered.values())
    if whole and ran / whole < CHANGED:
        missed = [f"{name}: {_ranges(lines.missed)}" for name, lines in considered.items() if lines.missed]
        what = f"tests reach {ran / whole:.0%} of {counted(whole, 'line')}, not {CHANGED:.0%}: "
        findings.append(Finding("the code", what + "; ".join(missed[:SHOWN_MAX]), _FIX))
    critical = [(operation.id, project.compiled.functions.get(operation.id)) for operation in _critical(project)]
    findings += [
        finding
        for operation, function in critical
        if function is not None
        for finding in _of_critical(project, operation, function, run.reached)
    ]
    share = f"{ran / whole:.1%} of {counted(whole, 'line')}" if whole else "no line"
    since = f" that changed since {tag}" if tag else ", as nothing was released yet"
    own = sum(function is not None for _, function in critical)
    return judged(
        f"{share}{since}; {counted(len(critical), 'critical operation')}, {own} with code of its own", findings
    )


def _critical(project: Project) -> list[Any]:
    return [operation for _, operation in project.plan.operations.values() if operation.critical]


def _of_critical(
    project: Project, operation: str, function: Callable[..., Any], reached: Mapping[str, Lines]
) -> list[Finding]:
    made = inspect.unwrap(function)
    path = Path(made.__code__.co_filename).resolve()
    if not path.is_relative_to(project.root.resolve()):
        return []
    name = path.relative_to(project.root.resolve()).as_posix()
    lines, first = inspect.getsourcelines(made)
    own = frozenset(range(first, first + len(lines)))
    found = reached.get(name, Lines(frozenset(), own))
    ran, missed = found.ran & own, found.missed & own
    whole = len(ran) + len(missed)
    if not whole or len(ran) / whole >= CRITICAL:
        return []
    what = f"tests reach {len(ran) / whole:.0%} of its function, not {CRITICAL:.0%}: {name}: {_ranges(missed)}"
    return [Finding(f"operation {operation}, which is critical", what, _FIX)]


def _ranges(lines: frozenset[int]) -> str:
    """Such as `3–5, 9`."""
    parts: list[tuple[int, int]] = []
    for line in sorted(lines):
        if parts and line == parts[-1][1] + 1:
            parts[-1] = parts[-1][0], line
        else:
            parts.append((line, line))
    told = [f"{first}–{last}" if last > first else str(first) for first, last in parts[:SHOWN_MAX]]
    return ", ".join(told) + (" …" if len(parts) > SHOWN_MAX else "")


def _changed(project: Project) -> tuple[str, Mapping[str, frozenset[int]]]:
    """The tag of the last release before this state, and by file the lines that changed since; all of them, with no
    tag, where there is none."""
    tagged = git(project.root, "describe", "--tags", "--abbrev=0")
    if tagged is None or tagged.returncode != 0:
        return "", {}
    tag = tagged.stdout.decode().strip()
    shown = git(project.root, "diff", "--unified=0", "--no-color", "--no-ext-diff", "--relative", tag, "--", "*.py")
    changed: dict[str, set[int]] = defaultdict(set)
    name = ""
    for line in b"".splitlines() if shown is None else shown.stdout.splitlines():
        if line.startswith(b"+++ "):
            name = line[4:].decode(errors="replace").removeprefix("b/")
        elif found := _HUNK.match(line):
            first, count = int(found[1]), int(found[2] or 1)
            changed[name].update(range(first, first + count))
    untracked = git(project.root, "ls-files", "--others", "--exclude-standard", "-z", "*.py")
    new = frozenset(() if untracked is None else untracked.stdout.decode(errors="replace").split("\0"))
    every = {source.name: frozenset(range(1, 1_000_000)) for source in sources_of(project) if source.name in new}
    found_lines = {name: frozenset(lines) for name, lines in changed.items()} | every
    return tag, defaultdict(frozenset, found_lines)


CRITERION = Criterion(
    "I08",
    "Tests reach the code that is new, and nearly all that is critical",
    "Code that no test runs breaks without anybody noticing; where it is about sign-in or money, that costs most.",
    f"Write tests: at least {CHANGED:.0%} of the lines that changed since the last release tag are to be reached, and "
    f"{CRITICAL:.0%} of the function of each operation with `critical=True`.",
    _check,
)
