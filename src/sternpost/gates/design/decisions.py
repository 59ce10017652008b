"""D12: why it was decided so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import ADR, Project

SECTIONS = ("Status", "Context", "Decision", "Consequences")
_NAME = re.compile(r"\d{4}-[a-z0-9-]+\.md")
_OTHERS = ("readme.md", "index.md", "template.md", "0000-template.md")
"""Files that are no records."""

_LETTERS_MIN, _STATUS_LETTERS_MIN, _DIFFERENT_MIN = 12, 4, 6
"""Letters of a section that says something, and how many different ones. (A word of Chinese is a letter or two.)"""


def _check(project: Project) -> Answer:
    folder = project.folder("adr", ADR)
    where = project.shown(folder)
    files = sorted(path for path in folder.glob("*.md") if path.name.lower() not in _OTHERS) if folder.is_dir() else []
    findings = [
        Finding(f"{where}/{path.name}", "its name is not NNNN-title.md", "rename it, such as 0002-one-database.md")
        for path in files
        if not _NAME.fullmatch(path.name)
    ]
    records = [path for path in files if _NAME.fullmatch(path.name)]
    if not records:
        findings.append(Finding(where, "there is no decision record", _fix(where)))
    for path in records:
        findings += _of_record(path, f"{where}/{path.name}")
    return judged(f"{counted(len(records), 'record')} in {where}", findings)


def _of_record(path: Path, where: str) -> Iterator[Finding]:
    if not path.is_file():
        yield Finding(where, "it is no file", "write it as a file")
        return
    sections = _sections(path.read_text(encoding="utf-8", errors="replace"))
    for name in SECTIONS:
        text = sections.get(name.lower())
        if text is None:
            yield Finding(where, f"it has no section {name}", f"write ## {name}")
        elif not _says_something(text, _STATUS_LETTERS_MIN if name == "Status" else _LETTERS_MIN):
            yield Finding(where, f"its section {name} says nothing", "write it")


def _says_something(text: str, letters: int) -> bool:
    """Whether there are so many letters, and not the same few over and over again."""
    found = [letter for letter in text.casefold() if letter.isalnum()]
    return len(found) >= letters and len(set(found)) >= min(letters, _DIFFERENT_MIN)


def _sections(text: str) -> dict[str, str]:
    """What stands below each heading of the second level, without comments and code."""
    plain = re.sub(r"<!--.*?-->|^(```|~~~).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE)
    plain = re.sub(r"^(.+)\n-{3,}\s*$", r"## \1", plain, flags=re.MULTILINE)
    parts = re.split(r"^## +(.+?)[ #:]*$", plain, flags=re.MULTILINE)
    return {name.strip().lower(): body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def _fix(where: str) -> str:
    return f"write the first one: {where}/0001-style-of-the-api.md, with " + ", ".join(
        f"## {name}" for name in SECTIONS
    )


CRITERION = Criterion(
    "D12",
    "Decisions are recorded, with their reasons",
    "Who comes later can only keep, or revise, a decision whose reasons are known.",
    f"Write a file `NNNN-title.md` in `{ADR}` for each decision, with the sections "
    + ", ".join(SECTIONS)
    + " (Michael Nygard, Documenting architecture decisions, 2011).",
    _check,
)
