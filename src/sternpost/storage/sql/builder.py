"""What the builders of statements have in common: the plan's tables, how values are bound, and the conditions."""

from __future__ import annotations

from typing import Any

from sternpost.plan.model import Plan, ResourcePlan
from sternpost.storage.sql.codecs import Codecs
from sternpost.storage.sql.conditions import Conditions
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sql.statement import Assembly


class Builder:
    """Writes statements on the tables of a plan."""

    def __init__(self, schema: Schema, codecs: Codecs, conditions: Conditions, alias_prefix: str) -> None:
        self.plan: Plan = schema.plan
        self.schema = schema
        self.dialect = schema.dialect
        self.codecs = codecs
        self.conditions = conditions
        self.gate = conditions.gate
        self._alias_prefix = alias_prefix

    def begin(self, name: str) -> tuple[ResourcePlan, Any, Assembly]:
        """A resource, its table, and a new statement."""
        return self.plan.by_name[name], self.schema.tables[name], self.assembly()

    def assembly(self) -> Assembly:
        """A new statement."""
        return Assembly(self.dialect, self._alias_prefix)
