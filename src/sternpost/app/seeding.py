"""Fills a database with the project's own rows, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_type_hints

from sternpost.app.application import Seed, Sternpost
from sternpost.data.database import Database


@dataclass(frozen=True)
class Filled:
    """How many rows a resource has after a seed, and how many of them it has added."""

    resource: str
    rows: int
    added: int


async def run_seed(app: Sternpost, seed: Seed) -> Sequence[Filled]:
    """Runs the seed on the application's database: all of it, or nothing."""
    tenants = "all" if app.plan.tenanted else None
    async with app.data(_asked_for(seed), tenants=tenants, actor="seed") as db:
        before = await _counts(app, db)
        async with db.transaction():
            await seed(db)
        after = await _counts(app, db)
    return [Filled(name, rows, rows - before[name]) for name, rows in after.items()]


def _asked_for(seed: Seed) -> type[Database]:
    """The class of the data client that the function's first parameter is annotated with."""
    hints = get_type_hints(seed)
    hints.pop("return", None)
    first = next(iter(hints.values()), Database)
    return first if isinstance(first, type) and issubclass(first, Database) else Database


async def _counts(app: Sternpost, db: Database) -> dict[str, int]:
    return {
        resource.path: await db.table(app.compiled.classes[resource.name]).count() for resource in app.plan.resources
    }
