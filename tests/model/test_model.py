"""Random contracts and operations: SQLite, PostgreSQL and the model answer the same. A difference is printed with its seed.

`STERNPOST_MODEL_SEED=117` runs just that one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .run import check_seeds

SEEDS = 25
MANY = 1200
CHUNK = 25
ONLY = os.environ.get("STERNPOST_MODEL_SEED")


def chunks(first: int, last: int) -> list[list[int]]:
    """The seeds in parts, so that several workers can share them."""
    if ONLY is not None:
        return [[int(ONLY)]] if first == 0 else []
    return [list(range(start, min(start + CHUNK, last))) for start in range(first, last, CHUNK)]


@pytest.mark.parametrize("seeds", chunks(0, SEEDS), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
async def test_the_services_answer_as_the_model(seeds: list[int], postgres_url: str, tmp_path: Path) -> None:
    await check_seeds(seeds, postgres_url, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", chunks(SEEDS, MANY), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
async def test_many_more_seeds(seeds: list[int], postgres_url: str, tmp_path: Path) -> None:
    await check_seeds(seeds, postgres_url, tmp_path)
