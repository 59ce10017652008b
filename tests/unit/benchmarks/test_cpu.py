"""CPU time of process trees, read from a /proc that the test writes, and from the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.cpu import TICKS_PER_SECOND, cpu_seconds, parent_of, parse_stat, processes, resident_bytes, tree


def stat(pid: int, name: str, parent: int, times: tuple[int, int, int, int] = (0, 0, 0, 0), resident: int = 0) -> str:
    before = f"S {parent} 1 1 0 -1 4194560 10 20 30 40"
    after = f"20 0 1 0 12345 987654 {resident} 18446744073709551615 1 1 0 0 0"
    return f"{pid} ({name}) {before} {' '.join(str(value) for value in times)} {after}\n"


def write(proc: Path, *lines: str) -> Path:
    for line in lines:
        folder = proc / line.split(" ", 1)[0]
        folder.mkdir()
        (folder / "stat").write_text(line)
    (proc / "meminfo").write_text("MemTotal: 1 kB\n")
    (proc / "77").mkdir()  # a process that ended while they were listed
    return proc


def test_a_line_with_a_name_like_a_trap() -> None:
    usage = parse_stat(stat(42, "a) S 1 (b", 7, (100, 20, 3, 4), 512))
    assert (usage.pid, usage.parent, usage.own, usage.reaped, usage.resident) == (42, 7, 120, 7, 512)


def test_a_tree_is_summed_with_its_dead_and_without_others(tmp_path: Path) -> None:
    proc = write(
        tmp_path,
        stat(1, "init", 0, (9000, 0, 9000, 0)),
        stat(10, "postgres", 1, (100, 50, 30, 20)),
        stat(11, "postgres", 10, (10, 5, 0, 0)),
        stat(12, "postgres", 11, (1, 1, 1, 1)),
        stat(20, "other", 1, (500, 500, 0, 0)),
    )
    among = processes(proc)
    assert sorted(among) == [1, 10, 11, 12, 20]
    assert [usage.pid for usage in tree(10, among)] == [10, 11, 12]
    assert cpu_seconds(10, among) == (200 + 15 + 4) / TICKS_PER_SECOND
    assert cpu_seconds(99, among) == 0


def test_a_child_that_ends_is_still_counted() -> None:
    before = cpu_seconds(os.getpid())
    code = "import time\nwhile time.process_time() < 0.3: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert cpu_seconds(os.getpid()) - before > 0.25


def test_this_process() -> None:
    assert 1e6 < resident_bytes(os.getpid())[0] < 1e11
    name = Path(f"/proc/{os.getpid()}/comm").read_text().strip()
    assert parent_of(os.getpid(), name) == os.getppid()
    assert parent_of(os.getpid(), "postgres") is None
    assert parent_of(2**30, name) is None
