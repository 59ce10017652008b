"""The seeds of fault tests: random, printed, and given again with STERNPOST_FAULTS_SEED."""

from __future__ import annotations

import os
import secrets

VARIABLE = "STERNPOST_FAULTS_SEED"


def new_seed() -> int:
    """The seed to repeat, or a new one. A failed test shows it with what it printed."""
    seed = int(os.environ.get(VARIABLE) or secrets.randbelow(1_000_000))
    print(f"{VARIABLE}={seed}")
    return seed
