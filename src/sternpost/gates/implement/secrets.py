"""I09: passwords, keys and tokens in the files, and in their history."""

from __future__ import annotations

import hashlib
import json
import math
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sternpost.errors import StartupError
from sternpost.gates.criterion import Answer, Criterion, Finding, could_not_check, counted, judged
from sternpost.gates.fingerprint import files_of
from sternpost.gates.git import git
from sternpost.gates.project import Project

FILE_BYTES_MAX = 2 * 2**20
HISTORY_BYTES_MAX = 400 * 2**20
HISTORY_SECONDS_MAX = 120
LINE_MAX = 2_000
"""Characters of a line that are looked at."""

ENTROPY_LEAST = 3.7
"""Bits of a character from which a value counts as random: words have fewer."""

PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
    ("a key of AWS", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a token of GitHub", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b")),
    ("a token of GitLab", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}\b")),
    ("a token of Slack", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}\b")),
    ("a key of Stripe", re.compile(r"\b[rs]k_live_[A-Za-z0-9]{20,}\b")),
    ("a key of Google", re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("an API key of Sternpost", re.compile(r"\bsk_[0-9a-f]{32}_[A-Za-z0-9_-]{20,}\b")),
    ("a token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}")),
    ("a password in an address", re.compile(r"\b[a-z][a-z0-9+]*://[^/\s:@\"'<>{}$]*:(?P<value>[^/\s:@\"'<>{}$]{6,})@")),
)
"""What a secret looks like by itself."""

_ASSIGNED = re.compile(
    r"(?i)(?:password|passwd|secret|token|api_?key|private_?key|credential)\w*[\"']?\s*[:=]\s*"
    r"[\"']?(?P<value>[A-Za-z0-9+/_.~-]{16,})[\"']?"
)
"""What is one by its name, where the value is random."""

_TEXT_WORDS = re.compile(r"(?i)example|change-?me|dummy|placeholder|xxx|your[-_]|test")


@dataclass(frozen=True, slots=True)
class Leak:
    """A secret that was found.

    Attributes:
        digest: tells it from others without telling it.
    """

    where: str
    what: str
    digest: str


def _check(project: Project) -> Answer:
    accepted = _accepted(project)
    names = files_of(project.root)
    leaks = [leak for name in names for leak in _of_file(project.root / name, name)]
    started, commits = time.monotonic(), 0
    looked_at = counted(len(names), "file")
    try:
        commits, old = _of_history(project.root, started)
    except _TooMuch as error:
        return could_not_check(f"{looked_at} and the history", str(error), "install gitleaks, or waive it")
    now = {leak.digest for leak in leaks}
    leaks += [leak for leak in old if leak.digest not in now]
    others, with_gitleaks = _of_gitleaks(project.root)
    leaks += others
    findings = [
        Finding(leak.where, f"{leak.what} ({leak.digest})", _FIX) for leak in leaks if leak.digest not in accepted
    ]
    known = sum(leak.digest in accepted for leak in leaks)
    told = f"{looked_at} and {counted(commits, 'commit')}" + (", also by gitleaks" if with_gitleaks else "")
    return judged(told + (f"; {known} accepted as no secret" if known else ""), findings)


_FIX = (
    "replace the secret where it is used, and take it from the environment; where it is none, name the digits in "
    "no-secrets under [tool.sternpost.gates]"
)


def _accepted(project: Project) -> frozenset[str]:
    given: Any = project.options.get("no-secrets", [])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in cast("list[Any]", given)):
        raise StartupError("no-secrets under [tool.sternpost.gates] in pyproject.toml has to be a list of digits")
    return frozenset(cast("list[str]", given))


def found_in(line: str) -> Iterator[tuple[str, str]]:
    """The secrets of a line: what each is, and its value."""
    shown = line[:LINE_MAX]
    for what, pattern in PATTERNS:
        for found in pattern.finditer(shown):
            value = found["value"] if "value" in pattern.groupindex else found[0]
            if not ("value" in pattern.groupindex and (_TEXT_WORDS.search(value) or value in ("password", "postgres"))):
                yield what, value
    for found in _ASSIGNED.finditer(shown):
        value = found["value"]
        if entropy(value) >= ENTROPY_LEAST and re.search(r"\d", value) and not _TEXT_WORDS.search(value):
            yield "a random value of a secret's name", value


def entropy(text: str) -> float:
    """Bits of a character (Shannon, "A Mathematical Theory of Communication", 1948)."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def _of_file(path: Path, name: str) -> Iterator[Leak]:
    if not path.is_file() or path.is_symlink() or path.stat().st_size > FILE_BYTES_MAX or _is_lock(name):
        return
    content = path.read_bytes()
    if b"\0" in content[:1_000]:
        return
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        for what, value in found_in(line):
            yield Leak(f"{name}:{number}", what, _digest(value))


def _is_lock(name: str) -> bool:
    """Whether a file holds the hashes of packages."""
    return name.endswith((".lock", "-lock.json", "-lock.yaml"))


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:12]


class _TooMuch(Exception):
    """The history is longer than is looked at."""


def _of_history(root: Path, started: float) -> tuple[int, list[Leak]]:
    """How many commits there are, and what they have added. Raises `_TooMuch`."""
    if git(root, "rev-parse", "--verify", "--quiet", "HEAD") is None:
        return 0, []
    command = ["git", "log", "--all", "--no-color", "--no-ext-diff", "--no-textconv", "--unified=0", "-p"]
    command += ["--relative", "--format=commit %h", "--", "."]
    commits, size, commit, name = 0, 0, "", ""
    leaks: dict[str, Leak] = {}
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as shown:  # noqa: S603  (git, as its user runs it)
        assert shown.stdout is not None, "it was asked for"
        for raw in shown.stdout:
            size += len(raw)
            if size > HISTORY_BYTES_MAX or time.monotonic() - started > HISTORY_SECONDS_MAX:
                shown.kill()
                raise _TooMuch(
                    f"the history is longer than {HISTORY_BYTES_MAX >> 20} MiB or {HISTORY_SECONDS_MAX} seconds"
                )
            if raw.startswith(b"commit "):
                commit, commits = raw[7:].decode().strip(), commits + 1
            elif raw.startswith(b"+++ "):
                name = raw[4:].decode("utf-8", "replace").strip().removeprefix("b/")
            elif raw.startswith(b"+") and len(raw) > 16 and not _is_lock(name):
                for what, value in found_in(raw[1 : LINE_MAX + 1].decode("utf-8", "replace")):
                    digest = _digest(value)
                    leaks.setdefault(digest, Leak(f"commit {commit}, {name}", what, digest))
    return commits, [*leaks.values()]


def _of_gitleaks(root: Path) -> tuple[list[Leak], bool]:
    """What gitleaks finds, where it is installed."""
    program = shutil.which("gitleaks")
    if program is None:
        return [], False
    with tempfile.TemporaryDirectory(prefix="sternpost-gitleaks-") as folder:
        report = Path(folder) / "report.json"
        command = [program, "detect", "--no-banner", "--exit-code", "0", "--report-format", "json"]
        command += ["--report-path", str(report), "--source", str(root)]
        subprocess.run(command, capture_output=True, check=False, timeout=HISTORY_SECONDS_MAX)  # noqa: S603  (gitleaks, where it is installed)
        found: list[Any] = json.loads(report.read_bytes()) if report.is_file() else []
    return [
        Leak(f"{each['File']}:{each['StartLine']}", f"gitleaks: {each['Description']}", _digest(each["Secret"]))
        for each in found
    ], True


CRITERION = Criterion(
    "I09",
    "No secret is in the files or in their history",
    "A secret in a repository belongs to everybody who ever has a copy of it, and deleting the line "
    "takes it back from nobody.",
    "Replace the secret where it is used, and read the new one from the environment (`STERNPOST_…`, or "
    "`STERNPOST_…_FILE`). What "
    "only looks like one is named by its digits: `no-secrets` under `[tool.sternpost.gates]`.",
    _check,
)
