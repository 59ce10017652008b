"""Two databases that differ only in what a caller may not see: every answer is the same, but for those of `unavoidable.py`.

`STERNPOST_WORLDS_SEED=117` runs just that one; every `POSTGRESQL`-th is of PostgreSQL, the others of SQLite.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .pairs import ATTACKERS, Tally, check_seed

MANY = 104
CHUNK = 2
POSTGRESQL = 12
FEW = [42, 43]
"""The seeds of `make test`, one for each database: each of their attackers sends some 140 requests to both worlds."""

FEW_ATTACKERS = 3
"""Of each of those."""

ONLY = os.environ.get("STERNPOST_WORLDS_SEED")
MEMORY = Path("/dev/shm")


def chunks() -> list[list[int]]:
    """All other seeds in parts, so that several workers can share them."""
    if ONLY is not None:
        return []
    parts = [list(range(start, start + CHUNK)) for start in range(0, MANY, CHUNK)]
    return [part for part in parts if part != FEW]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is such a thing."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


async def check_seeds(seeds: list[int], postgres_url: str, folder: Path, attackers: int = ATTACKERS) -> None:
    tally = Tally()
    for seed in seeds:
        postgres = postgres_url if seed % POSTGRESQL == POSTGRESQL // 2 else None
        await check_seed(seed, postgres, folder, tally, attackers)
    if ONLY is not None:
        return
    carried_out = sum(count for what, count in tally.answers.items() if what.split()[-1] in ("200", "201", "204"))
    assert tally.pairs >= 125 * attackers * len(seeds), "each attacker sends its requests"
    assert carried_out > tally.pairs / 8, f"many requests are to be carried out: {tally}"
    assert tally.excused.total() < tally.pairs / 50, f"what is let pass is rare: {tally}"
    assert tally.differing > attackers * len(seeds) / 3, f"most worlds are to differ: {tally}"


async def test_what_may_not_be_seen_changes_no_answer(postgres_url: str, folder: Path) -> None:
    few = ONLY is None
    seeds, attackers = (FEW, FEW_ATTACKERS) if few else ([int(str(ONLY))], ATTACKERS)
    await check_seeds(seeds, postgres_url, folder, attackers)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seeds", chunks(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
async def test_many_more_seeds(seeds: list[int], postgres_url: str, folder: Path) -> None:
    await check_seeds(seeds, postgres_url, folder)
