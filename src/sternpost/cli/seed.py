"""`sternpost seed`: runs the project's seed on the database of the settings, and says what it has added."""

from __future__ import annotations

import asyncio

from rich.table import Table

from sternpost.app.application import Sternpost
from sternpost.app.loading import seed_of
from sternpost.app.seeding import run_seed
from sternpost.cli.configuration import configure
from sternpost.cli.output import out, shown
from sternpost.errors import StartupError, SternpostError

NO_SEED = (
    "The project has no seed. Write an async function that takes the data client, and name it in pyproject.toml: "
    'seed = "my_service.seed:seed" under [tool.sternpost], or Sternpost(…, seed=seed)'
)


def fill(application: Sternpost, *, allow_production: bool) -> None:
    """Runs the seed. Raises `StartupError` where there is none, in production, and for what the database refuses."""
    settings = configure(application, serving=False)
    seed = seed_of(application)
    if seed is None:
        raise StartupError(NO_SEED)
    if settings.production and not allow_production:
        raise StartupError("STERNPOST_ENV is production. Rows are only added there with --production")
    try:
        filled = asyncio.run(run_seed(application, seed))
    except SternpostError as error:
        reason = error.log.get("reason", error.message)
        raise StartupError(f"The seed was undone: {reason}") from error
    table = Table("resource", "rows", "added", box=None)
    for entry in filled:
        table.add_row(shown(entry.resource), str(entry.rows), str(entry.added))
    out.table(table)
