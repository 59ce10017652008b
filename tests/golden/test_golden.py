"""Everything derived from two contracts, compared with files that are reviewed when they change.

After a change that is meant: `PYTHONPATH=examples/shop python -m sternpost contract emit shop.app:app --out tests/golden/shop`,
and the same with `tests.support.declared:app` and `tests/golden/declared`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from shop.app import app

from sternpost.derive.emit import emitted_files
from tests.support.declared import app as declared

FOLDER = Path(__file__).parent
FILES = {
    f"{folder}/{name}": content
    for folder, compiled in (("shop", app.compiled), ("declared", declared.compiled))
    for name, content in emitted_files(compiled).items()
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_derived_file_is_the_reviewed_one(name: str) -> None:
    assert FILES[name].decode() == (FOLDER / name).read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    left = {str(path.relative_to(FOLDER)) for name in ("shop", "declared") for path in (FOLDER / name).iterdir()}
    assert left == set(FILES)
