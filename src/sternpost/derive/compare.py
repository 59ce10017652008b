"""`sternpost contract diff`: the contract as it is against the one at a git reference, or in a plan.json."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import orjson

from sternpost.derive.diff import Difference
from sternpost.errors import StartupError

COMPILE_SECONDS = 120
WAIVER_KEYS = ("id", "reason", "by", "until")


@dataclass(frozen=True, slots=True)
class Waiver:
    """A breaking change that is accepted until a date."""

    id: str
    reason: str
    by: str
    until: date


def plan_at(reference: str, app: str) -> dict[str, Any]:
    """The plan in a file, or at a git reference, where it is compiled in a process of its own.

    Raises:
        StartupError: there is no such reference, or the contract there does not compile.
    """
    path = Path(reference)
    if path.is_file():
        return _read(path.read_bytes(), reference)
    top = Path(_git("rev-parse", "--show-toplevel").decode().strip())
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}").decode().strip()
    with tempfile.TemporaryDirectory(prefix="sternpost-diff-") as folder:
        _git("-C", str(top), "archive", "--format=tar", f"--output={folder}/tree.tar", commit)
        tree = Path(folder) / "tree"
        tree.mkdir()
        _unpacked(Path(folder) / "tree.tar", tree)
        here = tree / Path.cwd().resolve().relative_to(top.resolve())
        if not here.is_dir():
            raise StartupError(f"{reference} does not contain the folder {here.relative_to(tree)}")
        return _compiled(here, top, tree, reference, app)


def _unpacked(archive: Path, folder: Path) -> None:
    import tarfile

    with tarfile.open(archive) as tar:
        # Python before 3.11.4, such as that of Debian 12, has no filters; git does not archive paths that lead outside.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        tar.extractall(folder)  # noqa: S202  (as the line above says)


def _compiled(here: Path, top: Path, tree: Path, reference: str, app: str) -> dict[str, Any]:
    # folders of the working copy that modules come from are looked up at the reference instead
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    moved = [_moved(Path(part), top, tree) for part in inherited if part]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(moved), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "sternpost", "contract", "emit", app, "--only", "plan.json"]
    try:
        done = subprocess.run(  # noqa: S603  (this very interpreter)
            command, cwd=here, env=environment, capture_output=True, check=False, timeout=COMPILE_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise StartupError(f"The contract at {reference} did not compile in {COMPILE_SECONDS} seconds") from error
    if done.returncode != 0:
        raise StartupError(
            f"The contract at {reference} does not compile: {done.stderr.decode(errors='replace').strip()}"
        )
    return _read(done.stdout, reference)


def _moved(folder: Path, top: Path, tree: Path) -> str:
    resolved = folder.resolve()
    return str(tree / resolved.relative_to(top.resolve())) if resolved.is_relative_to(top.resolve()) else str(resolved)


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607  (as its user runs it)
    except FileNotFoundError as error:
        raise StartupError("git is not installed; give a plan.json instead of a git reference") from error
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip() or "it is neither a commit nor a file"
        raise StartupError(f"git {arguments[0]} failed: {why}")
    return done.stdout


def _read(content: bytes, name: str) -> dict[str, Any]:
    try:
        plan = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise StartupError(f"{name} is not JSON: {error}") from error
    if not isinstance(plan, dict) or not {"api_version", "resources", "base_path"} <= set(cast("dict[str, Any]", plan)):
        raise StartupError(f"{name} is not a plan.json; `sternpost contract emit` writes one")
    return cast("dict[str, Any]", plan)


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers of a file; none if the file does not exist. Raises `StartupError` for incomplete ones."""
    if not path.is_file():
        return []
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartupError(f"{path} cannot be read: {error}") from error
    found: list[Waiver] = []
    entries = data.pop("waiver", [])
    if (
        data
        or not isinstance(entries, list)
        or not all(isinstance(entry, dict) for entry in cast("list[Any]", entries))
    ):
        raise StartupError(f"{path} has to consist of [[waiver]], each with {', '.join(WAIVER_KEYS)}")
    for number, entry in enumerate(cast("list[dict[str, Any]]", entries), 1):
        if unknown := sorted(set(entry) - set(WAIVER_KEYS)):
            raise StartupError(f"{path}: waiver {number} has no {unknown[0]!r}, only {', '.join(WAIVER_KEYS)}")
        texts = (entry.get("id"), entry.get("reason"), entry.get("by"))
        until = entry.get("until")
        if not all(isinstance(text, str) and text.strip() for text in texts) or type(until) is not date:
            raise StartupError(
                f"{path}: waiver {number} needs id, reason and by as strings, and until as a date such as 2027-01-31"
            )
        if any(waiver.id == entry["id"] for waiver in found):
            raise StartupError(f"{path}: there are two waivers of {entry['id']}")
        found.append(Waiver(*cast("tuple[str, str, str]", texts), until))
    return found


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a comparison.

    Attributes:
        refused: breaking changes without a waiver.
        waived: breaking changes with a waiver.
        expired: waivers that have ended although the change is still there.
        unused: waivers without a matching change.
    """

    differences: tuple[Difference, ...]
    refused: tuple[Difference, ...]
    waived: tuple[Difference, ...]
    expired: tuple[Waiver, ...]
    unused: tuple[Waiver, ...]

    def as_data(self) -> Mapping[str, Any]:
        """For programs; keys are stable."""
        return {
            "ok": not self.refused,
            "changes": [
                {**difference.as_data(), "waived": difference in self.waived} for difference in self.differences
            ],
            "expiredWaivers": [waiver.id for waiver in self.expired],
            "unusedWaivers": [waiver.id for waiver in self.unused],
        }


def judge(differences: Sequence[Difference], waivers: Sequence[Waiver], now: datetime) -> Verdict:
    """Applies the waivers. A waiver is valid until the end of its day (UTC)."""
    valid = {waiver.id for waiver in waivers if waiver.until >= now.date()}
    breaking = [difference for difference in differences if difference.kind == "breaking"]
    ids = {difference.id for difference in breaking}
    return Verdict(
        tuple(differences),
        tuple(difference for difference in breaking if difference.id not in valid),
        tuple(difference for difference in breaking if difference.id in valid),
        tuple(waiver for waiver in waivers if waiver.until < now.date() and waiver.id in ids),
        tuple(waiver for waiver in waivers if waiver.id not in ids),
    )
