"""D12: why it was decided so."""

from __future__ import annotations

import re

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project

FOLDER = "docs/adr"
SECTIONS = ("Status", "Context", "Decision", "Consequences")
_NAME = re.compile(r"\d{4}-[a-z0-9-]+\.md")
_WORDS_MIN = 5
"""Of a section that says something."""


def _check(project: Project) -> Answer:
    folder = project.folder("adr", FOLDER)
    where = project.shown(folder)
    records = sorted(path for path in folder.glob("*.md") if _NAME.fullmatch(path.name)) if folder.is_dir() else []
    if not records:
        return judged(where, [Finding(where, "there is no decision record", _FIX)])
    findings: list[Finding] = []
    for path in records:
        sections = _sections(path.read_text(encoding="utf-8"))
        for name in SECTIONS:
            text = sections.get(name)
            if text is None:
                findings.append(Finding(f"{where}/{path.name}", f"it has no section {name}", f"write ## {name}"))
            elif not text or (name != "Status" and len(text.split()) < _WORDS_MIN):
                findings.append(Finding(f"{where}/{path.name}", f"its section {name} says nothing", "write it"))
    return judged(f"{counted(len(records), 'record')} in {where}", findings)


def _sections(text: str) -> dict[str, str]:
    """What stands below each heading of the second level, without comments."""
    parts = re.split(r"^## +(.+?) *$", re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


_FIX = "write the first one: docs/adr/0001-style-of-the-api.md, with " + ", ".join(f"## {name}" for name in SECTIONS)

CRITERION = Criterion(
    "D12",
    "Decisions are recorded, with their reasons",
    "Who comes later can only keep, or revise, a decision whose reasons are known.",
    f"Write a file `NNNN-title.md` in `{FOLDER}` for each decision, with the sections "
    + ", ".join(SECTIONS)
    + " (Michael Nygard, Documenting architecture decisions, 2011).",
    _check,
)
