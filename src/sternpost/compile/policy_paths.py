"""Follows what a policy names: from the row through references, to a value or a list."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sternpost.compile.diagnostics import Report
from sternpost.compile.names import listed
from sternpost.contract.source import Source
from sternpost.plan.model import FieldPlan


@dataclass(frozen=True, slots=True)
class Known:
    """What policies may refer to: for each resource its fields, its `one` relations, its lists, its owner field, what
    its ids begin with, whether some rows are as if they did not exist, and the fields that are computed when a row is
    read, which they may not refer to."""

    fields: dict[str, FieldPlan]
    references: dict[str, str]
    lists: dict[str, str]
    owner_field: str | None
    prefix: str
    guarded: bool
    computed: AbstractSet[str] = frozenset()


Value = tuple[tuple[str, ...], str, FieldPlan]
"""A value of a row: its path, the resource at the path's end, and the field there."""


class Paths:
    """Follows the names of one resource's policies.

    Args:
        subject: the resource whose operation it is; another one for the rows of a list.
    """

    def __init__(self, resource: str, known: dict[str, Known], report: Report, subject: str) -> None:
        self.resource = resource
        self.known = known
        self.report = report
        self.subject = subject

    def value(self, names: tuple[str, ...], operation: str, where: Source) -> Value | None:
        """The path of a value, the resource at its end, and the field; a reference is the id that it holds."""
        followed = self.follow(names[:-1], operation, where)
        if followed is None:
            return None
        path, resource = followed
        known = self.known[resource]
        field = known.fields.get(f"{names[-1]}_id" if names[-1] in known.references else names[-1])
        if field is None:
            self._unknown(names[-1], resource, operation, where)
            return None
        return (*path, field.name), resource, field

    def follow(self, names: tuple[str, ...], operation: str, where: Source) -> tuple[tuple[str, ...], str] | None:
        resource, path = self.resource, list[str]()
        for name in names:
            known = self.known.get(resource)
            if known is None:  # the relation's target is not in the contract, which is reported there
                return None
            if name not in known.references:
                if name in known.lists:
                    self.add(
                        operation,
                        where,
                        "SP514",
                        f"{resource}.{name} is a list, and a policy cannot say which of its rows is meant",
                        f"ask for some of them, this.{name}.any(…), or for none, this.{name}.none(…)",
                    )
                elif name in known.fields:
                    self.add(
                        operation,
                        where,
                        "SP504",
                        f"{resource}.{name} is not a One[…] relation, so a policy cannot go through it",
                        f"use one of the relations {listed(known.references)}"
                        if known.references
                        else "compare the field itself, for example with .eq(…), or declare it as One[…]",
                    )
                else:
                    self._unknown(name, resource, operation, where)
                return None
            path.append(f"{name}_id")
            resource = known.references[name]
        return (tuple(path), resource) if resource in self.known else None

    def _unknown(self, name: str, resource: str, operation: str, where: Source) -> None:
        known = self.known[resource]
        if name in known.lists:
            self.add(
                operation,
                where,
                "SP514",
                f"{resource}.{name} is a list, which has no value to compare",
                f"ask for some of its rows, this.{name}.any(…), or for none, this.{name}.none(…)",
            )
            return
        what = f"has no field {name!r}"
        if name in known.computed:
            what = f"computes {name!r} when a row is read, and a policy only looks at what is stored"
        self.add(
            operation,
            where,
            "SP502",
            f"{resource} {what}",
            f"use one of {listed([*known.fields, *known.references])}",
        )

    def add(self, operation: str, where: Source, code: str, message: str, fix: str) -> None:
        self.report.add(where, code, f"{self.subject}.{operation}: {message}", fix)
