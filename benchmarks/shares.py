"""Gives processes a fixed share of a core each, by control groups of Linux: as if each had a small machine of its own."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

PERIOD_US = 100_000
"""What Linux takes by itself: shorter ones lose much of a small share between the cores."""

ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))


@contextmanager
def shared_out(pids: Sequence[int], share: float) -> Generator[bool]:
    """Lets each of the processes have so much of a core; False where this machine does not allow to say so."""
    with ExitStack() as stack:
        try:
            for pid in pids:
                stack.enter_context(_group(pid, share))
        except OSError:
            stack.close()
            yield False
        else:
            yield True


@contextmanager
def _group(pid: int, share: float) -> Generator[None]:
    folder = _root() / f"sternpost-bench-{secrets.token_hex(4)}"
    quota = str(round(PERIOD_US * share))
    folder.mkdir()
    try:
        if (folder / "cpu.max").exists():
            (folder / "cpu.max").write_text(f"{quota} {PERIOD_US}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (folder / "cpu.cfs_quota_us").write_text(quota)
        (folder / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        with contextlib.suppress(OSError):  # the process may have ended
            (folder.parent / "cgroup.procs").write_text(str(pid))
        with contextlib.suppress(OSError):
            folder.rmdir()


def _root() -> Path:
    """Where groups with a share of the processor are made. Raises `OSError` where there is no such place."""
    for root in ROOTS:
        controllers = root / "cgroup.controllers"
        if (root / "cpu.shares").exists() or (controllers.exists() and "cpu" in controllers.read_text().split()):
            return root
    raise FileNotFoundError("no control group of this machine shares out the processor")
