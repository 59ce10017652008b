"""Writes the expected texts anew: `python tests/reject/regenerate.py`. Read the difference before you keep it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parents[2]))

from tests.reject.harness import CONTRACTS, names, refusal


def main() -> None:
    """One text for each contract, and none without one."""
    os.chdir(CONTRACTS)
    for leftover in {path.stem for path in CONTRACTS.glob("*.txt")} - set(names()):
        (CONTRACTS / f"{leftover}.txt").unlink()
    for name in names():
        (CONTRACTS / f"{name}.txt").write_text(f"{refusal(name)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
