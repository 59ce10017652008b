"""The picture of the algorithms is what they do."""

from __future__ import annotations

import runpy

from tests.docs.pages import DOCS, ROOT


def test_the_picture_is_current() -> None:
    """Else run scripts/plot_limits.py."""
    script = runpy.run_path(str(ROOT / "scripts" / "plot_limits.py"))
    assert (DOCS / "explanation" / "limits.svg").read_text(encoding="utf-8") == script["draw"]()
