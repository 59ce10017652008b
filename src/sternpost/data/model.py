"""What the data client knows of a running contract: its plan, its classes, its database, time and ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sternpost.clock import Clock
from sternpost.data.checks import Checks
from sternpost.data.instances import Instances
from sternpost.ids import NewId
from sternpost.plan.model import Plan
from sternpost.ports.storage import Storage


@dataclass(frozen=True)
class DataModel:
    """Everything that the data client works with, put together once at start."""

    plan: Plan
    instances: Instances
    storage: Storage
    clock: Clock
    new_id: NewId

    @cached_property
    def checks(self) -> Checks:
        """The checks of values that an author hands in."""
        return Checks(self.instances)
