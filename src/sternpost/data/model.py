"""What the data client knows of a running contract: its plan, its classes, its database, time and ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from sternpost.clock import Clock
from sternpost.data.checks import Checks
from sternpost.data.instances import Instances
from sternpost.ids import NewId
from sternpost.plan.model import Plan
from sternpost.plan.query import Select
from sternpost.ports.storage import Document, Storage


class Computes(Protocol):
    """Completes rows that were read with what authors' functions compute; see `computing.py`."""

    async def for_data(
        self, model: DataModel, query: Select, documents: Sequence[Document], access: Any
    ) -> list[Document]:
        """The rows of the data client with what is computed."""
        ...


@dataclass(frozen=True)
class DataModel:
    """Everything that the data client works with, put together once at start."""

    plan: Plan
    instances: Instances
    storage: Storage
    clock: Clock
    new_id: NewId
    computing: Computes | None = None
    """What computes fields in Python; None where none is."""

    @cached_property
    def checks(self) -> Checks:
        """The checks of values that an author hands in."""
        return Checks(self.instances)
