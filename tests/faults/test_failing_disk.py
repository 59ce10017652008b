"""The disk under SQLite fails to flush a commit: what was to be committed is in the file all the same, so nobody is told
that it is not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.faults.judge import verdict_of
from tests.faults.ledger import Load, Writer, entries
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.faults.shims import built
from tests.support.server import wait_until

pytestmark = pytest.mark.slow

SUITE = "a disk that fails under SQLite"


async def test_a_commit_that_cannot_be_flushed_has_an_unknown_outcome(tmp_path: Path) -> None:
    """SQLite takes it back for itself, but a process that starts anew finds it in the WAL, and has it committed."""
    shim, seed, fail = built("flush_failure", tmp_path, SUITE), new_seed(), tmp_path / "flushes-fail"
    service = Service(f"sqlite:///{tmp_path / 'book.sqlite'}", tmp_path, LD_PRELOAD=str(shim), FLUSHES_FAIL=str(fail))
    ledger = tmp_path / "ledger"
    with service:
        with Writer(Load(service.port, seed, rate=20), ledger) as writer:
            for _ in range(4):
                writer.wait_for(5)
                sent = writer.said("fail") + writer.said("unknown")
                fail.touch()
                wait_until(lambda sent=sent: writer.said("fail") + writer.said("unknown") > sent + 3)
                service.kill()
                fail.unlink()
                service.start()
            writer.wait_for(5)
        assert service.ask("GET", "/health/ready")[0] == 200
    print(Counter((entry.status, entry.code) for entry in entries(ledger).values() if entry.state != "ok"))
    verdict = await verdict_of(ledger, service.database_url, f"{SUITE}, seed {seed}")
    verdict.require_clean(acknowledged=15)
    assert "OUTCOME_UNKNOWN" in {entry.code for entry in entries(ledger).values()}
