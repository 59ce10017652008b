"""Two minutes of the soak that `make soak` runs for half an hour."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.conftest import not_run
from tests.faults.soak import Tolerance, soak
from tests.support.postgres import NoPostgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 120.0
SHARE = 0.4
"""Of the capacity. Other tests run beside this one, and take their share of the machine when they like."""

SHORT = Tolerance(memory=0.25, descriptors=0.25, descriptors_more=20)
"""In two minutes caches still fill, and a worker that was killed weighs as much as a third of all samples."""


async def test_two_minutes_with_faults_lose_nothing(tmp_path: Path) -> None:
    try:
        report = await asyncio.to_thread(soak, tmp_path, SECONDS, SHARE)
    except NoPostgres as error:
        not_run("The soak", str(error))
    print(report)
    report.require(SHORT, acknowledged=int(report.rate * SECONDS / 3))


async def test_keys_that_are_ignored_are_found(tmp_path: Path) -> None:
    """The control."""
    try:
        report = await asyncio.to_thread(soak, tmp_path, 30, SHARE, print, "keys_ignored")
    except NoPostgres as error:
        not_run("The soak", str(error))
    with pytest.raises(AssertionError, match="duplicate"):
        report.require(SHORT, acknowledged=1)
