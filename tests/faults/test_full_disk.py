"""The disk is full: what writes is refused with 503, what reads goes on, and once there is room writes go on, too.

The disk is a small file system in memory, which only root may mount.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import not_run
from tests.faults.canary import Canary
from tests.faults.judge import verdict_of
from tests.faults.ledger import Load, Writer, entries
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.support.postgres import NoPostgres, PrivateServer

pytestmark = pytest.mark.slow

SUITE = "a full disk"
MIB = 2**20
LEFT_BYTES = 128 * 1024
"""What is free when the writers begin."""


class Disk:
    """A small disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def filler(self) -> Path:
        return self.folder / "filler"

    def fill(self, left_bytes: int = LEFT_BYTES) -> None:
        """Leaves so much free."""
        free = shutil.disk_usage(self.folder).free
        with self.filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(free - left_bytes, 1))

    def free(self) -> None:
        self.filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    if os.geteuid() != 0:
        not_run(SUITE, "only root may mount a small file system")
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={32 * MIB}", "none", folder], capture_output=True, check=False
    )
    if made.returncode != 0:
        not_run(SUITE, f"no small file system can be mounted: {made.stderr.decode().strip()}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


async def filled(service: Service, disk: Disk, folder: Path, what: str) -> None:
    ledger, seed = folder / "ledger", new_seed()
    with service:
        with Writer(Load(service.port, seed), ledger) as writer:
            writer.wait_for(20)
            with Canary(service.port) as canary:
                disk.fill()
                writer.wait_for(50, "fail")
            canary.require_unharmed(reads=1)
            assert service.ask("GET", "/health")[0] == 200
            disk.free()
            writer.wait_for(1)
            failed = writer.said("fail")
            writer.wait_for(50)
            assert writer.said("fail") - failed <= writer.load.clients, "only what was under way fails after that"
        assert service.ask("GET", "/health/ready")[0] == 200
        assert service.stop() == 0
    assert not any('"errorCode":"INTERNAL_ERROR"' in line for line in service.lines)
    failed_with = {(entry.status, entry.code) for entry in entries(ledger).values() if entry.state != "ok"}
    assert failed_with <= {(503, "UNAVAILABLE"), (504, "OUTCOME_UNKNOWN")}
    (await verdict_of(ledger, service.database_url, f"{what}, seed {seed}")).require_clean(acknowledged=70)


async def test_a_full_disk_under_sqlite(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        service = Service(f"sqlite:///{disk.folder / 'book.sqlite'}", tmp_path)
        await filled(service, disk, tmp_path, "a full disk under SQLite")


async def test_a_full_disk_under_the_tables_of_postgresql(tmp_path: Path) -> None:
    try:
        postgres = PrivateServer()
    except NoPostgres as error:
        not_run(SUITE, str(error))
    with postgres, small_disk(postgres.folder / "small") as disk:
        if postgres.user is not None:
            shutil.chown(disk.folder, postgres.user)
        admin = await asyncpg.connect(postgres.url)
        await admin.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
        await admin.execute("CREATE DATABASE book TABLESPACE small")
        await admin.close()
        service = Service(postgres.url.rpartition("/")[0] + "/book", tmp_path)
        await filled(service, disk, tmp_path, "a full disk under the tables of PostgreSQL")


async def test_a_commit_that_finds_no_room_after_its_answer_is_found(tmp_path: Path) -> None:
    """The control."""
    with small_disk(tmp_path / "disk") as disk:
        service = Service(f"sqlite:///{disk.folder / 'book.sqlite'}", tmp_path, plant="answers_before_commit")
        seed = new_seed()
        with service, Writer(Load(service.port, seed), tmp_path / "ledger") as writer:
            writer.wait_for(20)
            disk.fill(left_bytes=0)
            writer.wait_for(50)
            disk.free()
        verdict = await verdict_of(tmp_path / "ledger", service.database_url, f"answers_before_commit, seed {seed}")
        assert verdict.lost
