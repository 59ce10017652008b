"""The power fails under writes to SQLite: what was not flushed is gone, or there in part, and nothing acknowledged is
lost."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from tests.faults.judge import Verdict, verdict_of
from tests.faults.ledger import Load, Writer
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.faults.shims import built
from tests.support.rounds import rounds

pytestmark = pytest.mark.slow

NAME = "book.sqlite"
SECTOR_BYTES = 512


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("power_loss", tmp_path_factory.mktemp("shim"), "a power failure under SQLite")


def written(folder: Path, shim: Path, seed: int, plant: str, count: int) -> None:
    """Writes until so many operations are acknowledged, and kills the service.

    In `folder` are then the ledger, what was written, and in `flushed` what had reached the disk.
    """
    (folder / "flushed").mkdir()
    service = Service(
        f"sqlite:///{folder / NAME}",
        folder,
        plant=plant,
        LD_PRELOAD=str(shim),
        POWER_LOSS_FOLDER=str(folder / "flushed"),
    )
    with service, Writer(Load(service.port, seed, rate=300), folder / "ledger") as writer:
        writer.wait_for(count)
        service.kill()


def mixed(old: bytes, new: bytes, drawn: random.Random, share: float) -> bytes:
    """A file whose writes since it was flushed have reached the disk in part, sector by sector and in any order."""
    sectors = range(0, max(len(old), len(new)), SECTOR_BYTES)
    chosen = [(new if drawn.random() < share else old)[at : at + SECTOR_BYTES] for at in sectors]
    if len(new) > len(old):  # a sector within the file that never reached the disk reads as zeros
        chosen = [part.ljust(SECTOR_BYTES, b"\0") for part in chosen]
        while chosen and not chosen[-1].strip(b"\0"):
            chosen.pop()
    return b"".join(chosen)


async def after_power_loss(folder: Path, number: int, drawn: random.Random, what: str) -> Verdict:
    """What is found after the power is back; the first time nothing at all has survived that was not flushed."""
    disk = folder / f"disk-{number}"
    disk.mkdir()
    share = 0.0 if number == 0 else drawn.random()
    for file in (folder / NAME, folder / f"{NAME}-wal"):
        flushed = folder / "flushed" / file.name
        old = flushed.read_bytes() if flushed.exists() else b""
        (disk / file.name).write_bytes(mixed(old, file.read_bytes(), drawn, share))
    verdict = await verdict_of(
        folder / "ledger", f"sqlite:///{disk / NAME}", f"{what} {share:.0%} of the rest survives"
    )
    shutil.rmtree(disk)
    return verdict


@rounds(few=5, many=60)
async def test_a_power_failure_loses_nothing(tmp_path: Path, shim: Path, rounds: int) -> None:
    seed = new_seed()
    drawn = random.Random(seed)
    for plant in ("checkpoints_often", "checkpoints_never"):
        folder = tmp_path / plant
        folder.mkdir()
        written(folder, shim, seed, plant, 100)
        for number in range(rounds):
            (await after_power_loss(folder, number, drawn, plant)).require_clean(acknowledged=100)


async def test_synchronous_normal_loses_what_it_acknowledged(tmp_path: Path, shim: Path) -> None:
    """The control, and why the default is FULL."""
    written(tmp_path, shim, new_seed(), "synchronous_normal", 100)
    verdict = await after_power_loss(tmp_path, 0, random.Random(0), "synchronous_normal")
    assert verdict.lost
