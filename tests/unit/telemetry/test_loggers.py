"""The library of the author's loggers takes memory, so that it is there only where there is such code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import asyncio, sys
from sternpost import Contract, Create, Read, Resource, Settings, Sternpost, implements, public

class Note(Resource, prefix="nte"):
    text: str
    read = Read(allow=public)
    create = Create(allow=public)

async def create(ctx, change):
    return await change.apply()

services = [implements(Note.create)(create)] if {own} else []
app = Sternpost(
    Contract("notes", resources=[Note]),
    services=services,
    settings=Settings(env="test", database_url="sqlite:///notes.sqlite"),
    write_log=lambda line: None,
)

async def main():
    await app.start()
    print("structlog" in sys.modules, "rich" in sys.modules)
    await app.stop()

asyncio.run(main())
"""


@pytest.mark.parametrize("own", [False, True])
def test_it_is_imported_where_there_is_code_of_the_author(own: bool, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START.replace("{own}", str(own))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(own), str(own)], done.stderr
