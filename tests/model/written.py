"""What a call has written of the rows that policies look for in lists (docs/decisions/own-writes.md).

Which rows of a resource were changed is told for all lists of it: a row that was changed may have left any of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .contracts import Rows

About = tuple[str, str]
"""A row: its resource and its id."""


@dataclass
class Written:
    """Of one call, step by step."""

    rows: dict[str, set[str]] = field(default_factory=dict)
    changes: dict[str, set[About | None]] = field(default_factory=dict)
    """Of each resource, or table of pairs, the rows that its own were changed with; None for earlier steps, and for others."""
    lost: set[str] = field(default_factory=set)
    """Resources of which it is not known what was written."""
    parts: dict[tuple[About, str], set[str]] = field(default_factory=dict)
    pairs: set[str] = field(default_factory=set)

    def next_step(self) -> None:
        """What was written with its row is an other row for the next step of a batch."""
        self.parts.clear()
        for name, causes in self.changes.items():
            self.changes[name] = {cause if cause and cause[0] == name else None for cause in causes}

    def added(self, resource: str, key: str) -> None:
        self.rows.setdefault(resource, set()).add(key)

    def changed(self, resource: str, key: str) -> None:
        self.added(resource, key)
        self.changes.setdefault(resource, set()).add((resource, key))

    def removed(self, resources: Iterable[str]) -> None:
        for name in resources:
            self.changes.setdefault(name, set()).add(None)

    def restored(self, resources: set[str]) -> None:
        self.lost |= resources
        self.removed(resources)

    def owned(self, about: About, resource: str, items: list[str]) -> None:
        for item in items:
            self.added(resource, item)
        self.parts.setdefault((about, resource), set()).update(items)
        self.changes.setdefault(resource, set()).add(about)

    def linked(self, through: str, about: About) -> None:
        self.pairs.add(through)
        self.changes.setdefault(through, set()).add(about)

    # -- what policies ask

    def aside(self, resource: str, about: About | None) -> set[str]:
        """The rows of a resource that do not count: but for the one that is asked about, and what is part of it."""
        found = self.rows.get(resource, set())
        if about is None:
            return found
        return found - self.parts.get((about, resource), set()) - ({about[1]} if about[0] == resource else set())

    def unsure_of(self, rows: Rows, about: About | None) -> bool:
        """Whether it is not known which rows of a list were there before."""
        return rows.target in self.lost or self._has(str(rows.through), about)

    def changed_of(self, rows: Rows, about: About | None) -> bool:
        """Whether a row of a list may have been there before, and is not as it was."""
        return self.unsure_of(rows, about) or self._has(rows.target, about)

    def _has(self, name: str, about: About | None) -> bool:
        return bool(self.changes.get(name, set()) - {about} if about else self.changes.get(name))
