"""What a call has written of the rows that policies look for in lists: they do not count for the policies of that call,
so that nobody makes themselves a member and uses that at once.

The row that a policy is asked about counts as it is, and so do the items and links that are written with it. Of other
rows those that were added are disregarded; where some were changed or removed, nobody can tell any more that there was
none before, and `none` does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sternpost.plan.model import Plan, RelationPlan

WRITTEN = "written."
"""The keys of the rows of a resource that were written."""

UNSURE = "unsure."
"""1 where it is not known which rows of a resource, or pairs of a table, were written; else 0."""

CHANGED = "changed."
"""1 where rows of a resource were changed or removed; else 0."""

ROWS_MAX = 10_000
"""Rows of a resource that are remembered; of more it is not known which they are."""

Row = tuple[str, str]
"""The name of a resource, and the digits of an id."""


class Written:
    """What one transaction has written."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rows: dict[str, set[str]] = {}
        self._changed: dict[str, set[Row | None]] = {}
        """Of each resource what its rows were changed with: itself, its owner, or, for None, anything."""
        self._unsure: set[str] = set()
        self._links: dict[str, set[Row | None]] = {}
        self._parts: dict[Row, dict[str, set[str]]] = {}
        """The items that were written with a row by the present step."""

    def __bool__(self) -> bool:
        return bool(self._rows or self._changed or self._unsure or self._links)

    def next_step(self) -> None:
        """What was written with its row by a step of a batch is an other row for the next."""
        self._parts.clear()
        for name, causes in self._changed.items():
            self._changed[name] = {cause if cause is not None and cause[0] == name else None for cause in causes}
        self._links = {name: {None} for name in self._links}

    def added(self, resource: str, id: str | None) -> None:
        """A new row."""
        if resource in self._plan.walked:
            self._note(resource, id)

    def changed(self, resource: str, id: str | None) -> None:
        """A row that was there; None for several, of which it is not known which."""
        if resource in self._plan.walked:
            self._note(resource, id)
            self._changed.setdefault(resource, set()).add(None if id is None else (resource, id))

    def removed(self, resource: str) -> None:
        """Rows that are gone, and what went with them."""
        for name in self._along(resource):
            self._changed.setdefault(name, set()).add(None)

    def restored(self, resource: str) -> None:
        """Rows that are back, and what came with them."""
        for name in self._along(resource):
            self._unsure.add(name)
            self._changed.setdefault(name, set()).add(None)

    def owned(self, resource: str, relation: RelationPlan, id: str, items: Iterable[str]) -> None:
        """The items of a row, which replace those that it had."""
        if relation.target in self._plan.walked:
            parts = self._parts.setdefault((resource, id), {}).setdefault(relation.target, set())
            for item in items:
                self._note(relation.target, item)
                parts.add(item)
            self._changed.setdefault(relation.target, set()).add((resource, id))

    def linked(self, resource: str, relation: RelationPlan, id: str, *, own: bool) -> None:
        """Pairs of a row; `own` where they are written with it."""
        if relation.target in self._plan.walked or resource in self._plan.walked:
            self._links.setdefault(str(relation.link_table), set()).add((resource, id) if own else None)

    def value(self, name: str, row: Row | None, bound: Callable[[str, Iterable[str]], Any]) -> Any:
        """What a parameter of a statement is.

        Args:
            row: the one that a policy is asked about, where it is a single one.
            bound: makes an array of keys of ids.
        """
        kind, dot, about = name.partition(".")
        own: set[Row | None] = set() if row is None else {row}
        if kind + dot == WRITTEN:
            rows = self._rows.get(about, set())
            if row is not None:
                rows = rows - self._parts.get(row, {}).get(about, set()) - {row[1] if row[0] == about else ""}
            return bound(about, sorted(rows))
        causes = self._links if kind + dot == UNSURE else self._changed
        return int(about in self._unsure or bool(causes.get(about, set()) - own))

    def _note(self, resource: str, id: str | None) -> None:
        rows = self._rows.setdefault(resource, set())
        if id is None or len(rows) >= ROWS_MAX:
            self._unsure.add(resource)
        else:
            rows.add(id)

    def _along(self, resource: str) -> Iterator[str]:
        """The resources whose rows may change with one that is removed, of those that policies look into."""
        going = self._plan.gone_with(resource)
        clearing = {
            other.name for name in going for other, field in self._plan.referrers[name] if field.on_delete == "set_null"
        }
        return iter(self._plan.walked & (going | clearing))
