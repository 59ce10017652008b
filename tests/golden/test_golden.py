"""Everything derived from the shop's contract, compared with files that are reviewed when they change.

After a change that is meant: `PYTHONPATH=examples/shop python -m sternpost contract emit shop.app:app --out tests/golden/shop`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from shop.app import app

from sternpost.app.emit import emitted_files

FOLDER = Path(__file__).parent / "shop"
FILES = emitted_files(app.compiled)


@pytest.mark.parametrize("name", sorted(FILES))
def test_derived_file_is_the_reviewed_one(name: str) -> None:
    assert FILES[name].decode() == (FOLDER / name).read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(FILES)
