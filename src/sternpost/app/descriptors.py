"""How many connections the system lets this process have open: each is a file descriptor."""

from __future__ import annotations

import sys

OTHERS = 128
"""What else a process has open, beside its connections to databases: libraries, logs, listeners, and what is being
refused."""


def make_room(connections: int, others: int = OTHERS) -> tuple[int, int | None]:
    """Raises this process's own soft limit of open files (RLIMIT_NOFILE), as far as it is needed and allowed.

    Args:
        connections: how many there are to be.
        others: how many descriptors are needed beside them.

    Returns:
        How many connections there may be, and the limit where they are fewer.
    """
    if sys.platform == "win32":
        return connections, None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + others
    if 0 <= soft < needed and soft != hard:
        wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # a sandbox, or a system with another bound of its own
            pass
        else:
            soft = wanted
    if soft < 0 or soft >= needed:  # RLIM_INFINITY is -1 on some systems
        return connections, None
    return max(soft - min(others, soft // 2), 1), soft
