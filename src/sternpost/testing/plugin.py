"""pytest's plugin: its options, and the fixtures where a project is one of Sternpost's. For all others it does nothing.

pytest loads it wherever Sternpost is installed, so it imports nothing else of Sternpost before a fixture is needed.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from sternpost.testing.project import RUN, application_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the option and the settings of pytest.ini or pyproject.toml."""
    parser.getgroup("sternpost").addoption(
        "--sternpost-database",
        metavar="DATABASE",
        help="sqlite (the default), postgresql, or the address of a database on a PostgreSQL server; by default the "
        "address in STERNPOST_TEST_DATABASE_URL. Databases are made beside it and dropped at the end of the run.",
    )
    parser.getgroup("sternpost").addoption(
        "--sternpost-proofs", metavar="FILE", help="writes which test proves which acceptance criterion, as JSON"
    )
    parser.addini("sternpost_app", "the application, as module:attribute; by default [tool.sternpost] app")
    parser.addini("sternpost_database", "what --sternpost-database is where it is not given")
    parser.addini("sternpost_seed", "whether each test begins with the rows of the seed", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Brings in the fixtures, if the project has an application, and what gates ask for."""
    if application_of(config) is None:
        return
    config.addinivalue_line("markers", "proves(operation, *criteria): the acceptance criteria that a test proves")
    path = config.getoption("--sternpost-proofs")
    if path is not None and not hasattr(config, "workerinput"):  # workers of xdist tell the process that began them
        from sternpost.testing.proofs import Proofs

        config.pluginmanager.register(Proofs(Path(path)), "sternpost-proofs")
    inputs: dict[str, Any] = getattr(config, "workerinput", {})
    config.stash[RUN] = inputs.get("sternpost_run") or f"sternpost_test_{secrets.token_hex(6)}"
    from sternpost.testing import fixtures

    config.pluginmanager.register(fixtures, "sternpost-fixtures")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Has each test tell what it proves, where somebody asks."""
    if RUN in config.stash and any(item.get_closest_marker("proves") for item in items):
        from sternpost.testing.proofs import note_proofs

        note_proofs(items)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a process of xdist what its databases' names begin with."""
    if RUN in node.config.stash:
        node.workerinput["sternpost_run"] = node.config.stash[RUN]
