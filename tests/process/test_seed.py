"""`sternpost seed`: all of the rows or none, the same rows after the second time, and not by accident in production."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.forks import run
from tests.support.server import ROOT, environment

SERVICE = """
from sternpost import Browse, Contract, Create, Database, Resource, Sternpost, field, public, scope


class Lamp(Resource, prefix="lmp", tenant="house"):
    house: str = field(max_length=20)
    place: str = field(max_length=100)

    browse = Browse(allow=public)


async def seed(data: Database) -> None:
    await data.table(Lamp).create({"house": "h1", "place": "hall"})
    if FAILS:
        raise ValueError("the second lamp is broken")


FAILS = False
app = Sternpost(Contract("lamps", resources=[Lamp]), seed=seed)
"""


def sternpost(*arguments: str, folder: Path, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = environment(STERNPOST_DATABASE_URL=url, COLUMNS="200", **more)
    return run(arguments, folder, env)


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[int, int]]:
    """By resource, how many rows there are, and how many are new."""
    assert done.returncode == 0, done.stderr
    found = re.findall(r"^ ?([\w-]+) +(\d+) +(\d+) *$", done.stdout, re.MULTILINE)
    return {name: (int(count), int(added)) for name, count, added in found}


def test_the_shops_seed_leaves_the_same_rows_twice(database_url: str) -> None:
    assert sternpost("migrate", "apply", folder=ROOT, url=database_url).returncode == 0
    first = rows(sternpost("seed", folder=ROOT, url=database_url))
    assert {name: first[name] for name in ("users", "products", "orders")} == {
        "users": (200, 200),
        "products": (50, 50),
        "orders": (1000, 1000),
    }
    again = rows(sternpost("seed", folder=ROOT, url=database_url))
    assert again == {name: (count, 0) for name, (count, _) in first.items()}


@pytest.fixture
def lamps(tmp_path: Path) -> Path:
    (tmp_path / "lamps.py").write_text(SERVICE)
    (tmp_path / "pyproject.toml").write_text('[tool.sternpost]\napp = "lamps:app"\n')
    return tmp_path


def test_a_seed_that_fails_leaves_nothing(lamps: Path, database_url: str) -> None:
    assert sternpost("migrate", "apply", folder=lamps, url=database_url).returncode == 0
    (lamps / "lamps.py").write_text(SERVICE.replace("FAILS = False", "FAILS = True"))
    failed = sternpost("seed", folder=lamps, url=database_url)
    assert failed.returncode != 0
    assert "the second lamp is broken" in failed.stderr
    (lamps / "lamps.py").write_text(SERVICE)
    assert rows(sternpost("seed", folder=lamps, url=database_url)) == {"lamps": (1, 1)}


def test_refuses_in_production_unless_it_is_told_to(lamps: Path, database_url: str) -> None:
    assert sternpost("migrate", "apply", folder=lamps, url=database_url).returncode == 0
    refused = sternpost("seed", folder=lamps, url=database_url, STERNPOST_ENV="production")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--production" in refused.stderr
    told = sternpost("seed", "--production", folder=lamps, url=database_url, STERNPOST_ENV="production")
    assert rows(told) == {"lamps": (1, 1)}


def test_says_how_to_write_one(lamps: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lamps.sqlite'}"
    (lamps / "lamps.py").write_text(SERVICE.replace(", seed=seed)", ")"))
    none = sternpost("seed", folder=lamps, url=url)
    assert none.returncode == 2
    assert "Write an async function that takes the data client" in none.stderr
    (lamps / "pyproject.toml").write_text('[tool.sternpost]\napp = "lamps:app"\nseed = "lamps:missing"\n')
    missing = sternpost("seed", folder=lamps, url=url)
    assert missing.returncode == 2
    assert "seed = 'lamps:missing' in pyproject.toml is no async function" in missing.stderr


def test_says_when_there_are_no_tables(lamps: Path, tmp_path: Path) -> None:
    empty = sternpost("seed", folder=lamps, url=f"sqlite:///{tmp_path / 'empty.sqlite'}")
    assert empty.returncode == 2, empty.stderr
    assert "Traceback" not in empty.stderr
