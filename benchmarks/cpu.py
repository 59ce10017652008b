"""CPU time of process trees, from /proc (proc(5)): what a server and a database really used."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """One process's line of /proc/PID/stat, as far as it is needed. Times in clock ticks, memory in pages."""

    pid: int
    parent: int
    own: int
    reaped: int
    resident: int


def parse_stat(text: str) -> Usage:
    """Reads /proc/PID/stat. The name in parentheses may hold spaces and parentheses: fields count from the last one.

    `own` is utime + stime of all threads, `reaped` is cutime + cstime: what children used that have ended and been waited for.
    """
    pid = int(text[: text.index(" ")])
    fields = text[text.rindex(")") + 2 :].split()
    utime, stime, cutime, cstime = (int(value) for value in fields[11:15])
    return Usage(pid, int(fields[1]), utime + stime, cutime + cstime, int(fields[21]))


def processes(proc: Path = PROC) -> dict[int, Usage]:
    """All processes there are now; those that end while they are listed are left out."""
    found: dict[int, Usage] = {}
    for entry in os.listdir(proc):
        if entry.isdigit():
            try:
                found[int(entry)] = parse_stat((proc / entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def tree(root: int, among: dict[int, Usage]) -> list[Usage]:
    """The process `root` and everything that descends from it."""
    children: dict[int, list[Usage]] = defaultdict(list)
    for usage in among.values():
        children[usage.parent].append(usage)
    found = [among[root]] if root in among else []
    for usage in found:  # grows while it is walked
        found.extend(children[usage.pid])
    return found


def cpu_seconds(root: int, among: dict[int, Usage] | None = None) -> float:
    """User and system time of a process tree, with its members that have ended (a closed database backend, for one)."""
    usages = tree(root, processes() if among is None else among)
    return sum(usage.own + usage.reaped for usage in usages) / TICKS_PER_SECOND


def machine_busy_seconds(proc: Path = PROC) -> float:
    """CPU time that all programs of this machine used together, and what its host took away (steal)."""
    fields = (proc / "stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, interrupts, soft, stolen = (int(value) for value in fields[:8])
    return (user + nice + system + interrupts + soft + stolen) / TICKS_PER_SECOND


def resident_bytes(root: int) -> list[int]:
    """Resident memory of each process of a tree, the root first."""
    return [usage.resident * os.sysconf("SC_PAGE_SIZE") for usage in tree(root, processes())]


def parent_of(pid: int, name: str) -> int | None:
    """The parent of a process of this machine that is called `name`; None where there is no such process here."""
    try:
        if (PROC / str(pid) / "comm").read_text().strip() != name:
            return None
        return parse_stat((PROC / str(pid) / "stat").read_text()).parent
    except (FileNotFoundError, ProcessLookupError):
        return None
