"""What the documentation says of the code by its own words: what there is, what is planned, what a page may read."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec

import pytest
from typer.main import get_command

import sternpost
from sternpost import Settings
from sternpost.advice.topics import TABLES
from sternpost.cli.main import cli
from sternpost.gates.gate import GATES
from sternpost.protocols.http.body import CLIENT_CLOSED
from sternpost.protocols.http.cors import ALLOWED, EXPOSED
from tests.docs.pages import DOCS, ROOT, blocks, pages

README = (ROOT / "README.md").read_text(encoding="utf-8")
CHANGELOG_FILE = ROOT / "CHANGELOG.md"
CHANGELOG = CHANGELOG_FILE.read_text(encoding="utf-8")

COMMANDS = set(getattr(get_command(cli), "commands", {}))


def named(*words: str) -> Callable[[], bool]:
    """Whether a protocol, a public name, a setting or a command is called so."""

    def exists() -> bool:
        return any(
            find_spec(f"sternpost.protocols.{word}") is not None
            or find_spec(f"sternpost.{word}") is not None
            or word in COMMANDS
            or word.capitalize() in sternpost.__all__
            or any(word in name.split("_") for name in Settings.model_fields)
            for word in words
        )

    return exists


PLANNED = {
    "GraphQL": named("graphql"),
    "gRPC": named("grpc"),
    "events": named("events", "event", "outbox", "queues", "queue"),
    "caching": named("caching", "caches"),  # of answers; `jwt_jwks_cache_seconds` is about keys
    "third gate": lambda: len(GATES) == 3,
}
"""What is called planned, and whether it is there by now."""

_AS_CHANGELOG_SAYS = {"caching": "caches", "events": "events and queues"}

UNFINISHED = re.compile(
    r"(is|are|be) planned\b|what is planned|\bplanned for\b|\bnot (supported|implemented|available|possible) yet\b|"
    r"\bNone of this exists yet\b|\bin a (future|later) (version|release)s?\b|\bcoming soon\b|\bTODO\b",
    re.IGNORECASE,
)
SAID = {
    ("README.md", "What is planned"),
    ("README.md", "None of this exists yet"),
}
"""Where pages speak of what is not there: the README's own section, and the architecture's places for it."""


def test_what_is_planned_does_not_exist() -> None:
    section = README.partition("## What is planned")[2].partition("\n\nSternpost is alpha")[0]
    assert set(re.findall(r"\*\*([^*]+)\*\*", section)) == set(PLANNED)
    assert [name for name, exists in PLANNED.items() if exists()] == []


def test_the_probe_finds_what_is_there() -> None:
    for word in ("rest", "audit", "migrate", "health", "replica", "pgbouncer", "transition"):
        assert named(word)(), word


def test_the_changelog_calls_the_same_planned() -> None:
    (line,) = re.findall(r"### Not yet\n\n- (.+)\.\n", CHANGELOG)
    assert {each.strip() for each in line.split(",")} == {_AS_CHANGELOG_SAYS.get(name, name) for name in PLANNED}


def test_advice_calls_the_same_planned() -> None:
    planned = {choice.planned for table in TABLES.values() for choice in table.choices if choice.planned}
    assert planned == {name for name in PLANNED if name != "third gate"}, "no table chooses gates"


def test_no_other_page_calls_something_planned() -> None:
    found = {
        (str(page.relative_to(ROOT)), match.group())
        for page in pages()
        if page.name != "CHANGELOG.md"
        for match in UNFINISHED.finditer(page.read_text(encoding="utf-8"))
    }
    assert found <= SAID, "is it still planned? Then say so in the README's section, else describe it"


def test_pages_of_other_origins_send_and_read_what_the_page_says() -> None:
    text = " ".join((DOCS / "how-to" / "allow-origins.md").read_text(encoding="utf-8").split())
    said = re.search(r"may send the headers (.*?), and may read (.*?)\. ", text)
    assert said is not None
    assert [tuple(re.findall(r"`([^`]+)`", names)) for names in said.groups()] == [ALLOWED, EXPOSED]


def test_the_readmes_commands_are_where_make_demo_puts_them() -> None:
    lines = [line for block in blocks(ROOT / "README.md", "console") for line in block.code.splitlines()]
    commands = [line.removeprefix("$ ").removeprefix("TOKEN=$(").split()[0] for line in lines]
    assert set(commands) == {"make", ".venv/bin/sternpost"}


@pytest.mark.parametrize("needed", ["python3 -m venv", "pip install", "export STERNPOST_REQUIREMENT="])
def test_the_tutorial_says_how_to_install(needed: str) -> None:
    first = (DOCS / "tutorial" / "first-service.md").read_text(encoding="utf-8").partition("## 1.")[0]
    assert needed in first


def test_the_page_on_log_lines_explains_the_status_that_no_client_gets() -> None:
    assert f"Status {CLIENT_CLOSED} is never sent" in (DOCS / "how-to" / "read-log-lines.md").read_text(
        encoding="utf-8"
    )


def test_extras_are_installed_in_one_way() -> None:
    """`pip install 'sternpost[otel]'` works where Sternpost is installed from a checkout, too."""
    files = [*DOCS.rglob("*.md"), ROOT / "README.md", CHANGELOG_FILE, *(ROOT / "examples" / "shop").rglob("*.py")]
    others = [
        f"{file}: {found}" for file in files for found in re.findall(r"install[^\n]*-e '\.\[.*", file.read_text())
    ]
    assert others == []
