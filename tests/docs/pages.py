"""Reads the documentation's pages: their fenced blocks and their links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^```(?P<language>[a-z]+)?(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r'title="?([^"\s]+)"?')


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    title: str | None
    code: str
    line: int


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page in these languages (or in all), in order."""
    return [
        block for block in _blocks(page.read_text(encoding="utf-8")) if not languages or block.language in languages
    ]


def _blocks(text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        title = _TITLE.search(found["info"])
        yield Block(
            found["language"] or "", title[1] if title else None, found["code"], text.count("\n", 0, found.start()) + 2
        )


def pages(*folders: str) -> list[Path]:
    """The pages of these folders below docs/, or of the whole documentation and the files beside it."""
    if folders:
        return sorted(page for folder in folders for page in (DOCS / folder).glob("*.md"))
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
