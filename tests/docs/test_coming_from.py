"""The pages for those who come from another framework: complete, and every form in their tables exists and runs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sternpost import Settings
from sternpost.cli.main import cli
from tests.conftest import not_run
from tests.docs.pages import DOCS, ROOT, blocks
from tests.docs.test_claims import named
from tests.docs.test_prisma_page import CALLS

FEATURES: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "counterparts.toml").read_text("utf-8"))
FRAMEWORKS = tuple(FEATURES)
DESIGN = ROOT.parent / "shared" / "design" / "counterparts.md"

PLANNED = {
    "rate limits": named("limits", "limit", "throttle", "rates", "rate"),
    "idempotency keys": named("idempotency"),
    "metrics and traces": named("metrics", "metric", "traces", "otel", "opentelemetry"),
    "trusted proxies": named("trusted", "proxies", "proxy"),
    "the HTTP edge": named("tls", "ssl", "certificate", "gzip"),
    "gates": named("gates", "gate"),
    "events and jobs": named("events", "event", "outbox", "jobs", "schedule", "every", "queues", "queue"),
    "caching": named("caching", "caches"),
    "outgoing calls": named("upstream", "upstreams", "outgoing", "breaker"),
    "GraphQL": named("graphql"),
    "gRPC": named("grpc"),
    "NATS and RabbitMQ": named("nats", "rabbitmq", "amqp"),
    "webhooks": named("webhooks", "webhook"),
    "live updates": named("live", "sse"),
}
"""What a page may say that a form comes with, and whether it is there by now: then the page has to name the form."""


def words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Za-z][A-Za-z0-9]*", text)}


PROSE = words("""
    a about and apps asked but by chains express for from in its much not of opt or read settings
    family scopes schema the up with app break errors list only order out request since to writes
""")
"""Words of the design's lists that name no feature."""

ENDS = frozenset({"andreturn", "orthrow"})
"""Ends of names that the design writes in brackets; the whole names are pinned."""


@dataclass(frozen=True)
class Row:
    """A row of a table: what the other framework has, and the form here."""

    theirs: str
    ours: str
    is_an_error: bool
    """A row of the errors, which `test_prisma_page.py` looks up."""

    def forms(self) -> list[str]:
        """The code of the middle column."""
        return re.findall(r"`([^`]+)`", self.ours)


def page_of(framework: str) -> Path:
    return DOCS / "how-to" / f"coming-from-{framework}.md"


def rows_of(framework: str) -> Iterator[Row]:
    for line in page_of(framework).read_text("utf-8").splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            assert len(cells) in (2, 3), line
            if cells[1] != "Sternpost":
                yield Row(cells[0], cells[1], is_an_error=len(cells) == 2)


ROWS = {framework: list(rows_of(framework)) for framework in FRAMEWORKS}
each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


def stands_in(name: str, cell: str) -> bool:
    """Whether a cell has a name, and not only a longer one that holds it."""
    before = r"(?<![\w.$@-])" if re.match(r"\w", name) else ""
    behind = r"(?![\w-])" if re.search(r"\w$", name) else ""
    return re.search(before + re.escape(name) + behind, cell) is not None


@each_framework
def test_every_feature_has_a_row(framework: str) -> None:
    missing = [name for name in FEATURES[framework] if not any(stands_in(name, row.theirs) for row in ROWS[framework])]
    assert missing == []


@each_framework
def test_the_features_are_those_of_the_design(framework: str) -> None:
    if not DESIGN.exists():
        not_run("features of other frameworks", f"there is no {DESIGN.name} to compare the pinned lists with")
    heading = rf"^### [\d.]+ {framework}\n(.*?)(?=^### |\Z)"
    section = re.search(heading, DESIGN.read_text("utf-8"), re.MULTILINE | re.DOTALL | re.IGNORECASE)
    assert section is not None
    cells = [re.split(r"(?<!\\)\|", line)[1] for line in section[1].splitlines() if line.startswith("|")][2:]
    assert len(cells) > 8
    pinned = {word for name in FEATURES[framework] for word in words(name)}
    in_code = {word for cell in cells for code in re.findall(r"`([^`]+)`", cell) for word in words(code)}
    assert sorted(in_code - pinned - ENDS) == []
    assert sorted({word for cell in cells for word in words(cell)} - pinned - PROSE - ENDS) == []


@each_framework
def test_every_row_has_a_form_a_reason_or_what_it_comes_with(framework: str) -> None:
    for row in ROWS[framework]:
        if row.ours.startswith("comes with "):
            assert row.ours.removeprefix("comes with ") in PLANNED, row
        elif not row.ours.startswith("not, because "):
            assert re.match(r"`[^`]+`", row.ours), row


def test_what_forms_come_with_does_not_exist() -> None:
    said = {row.ours.removeprefix("comes with ") for rows in ROWS.values() for row in rows if "comes with" in row.ours}
    assert len(said) > 5
    assert [name for name in sorted(said) if PLANNED[name]()] == [], "it is there: the pages have to show its form"


@each_framework
def test_every_form_exists(framework: str) -> None:
    code = without_blanks("".join(block.code for block in blocks(page_of(framework), "python")))
    forms = {
        form for row in ROWS[framework] if row.ours.startswith("`") and not row.is_an_error for form in row.forms()
    }
    assert len(forms) > 40
    carried_out = CALLS if framework == "prisma" else ()
    missing = [
        form
        for form in sorted(forms)
        if form not in carried_out
        and without_blanks(form) not in code
        and not (is_a_command(form) or is_a_setting(form))
    ]
    assert missing == []


def without_blanks(code: str) -> str:
    return re.sub(r"\s", "", code)


def is_a_command(form: str) -> bool:
    """Whether it is `sternpost …` with commands and options that there are."""
    if not form.startswith("sternpost "):
        return False
    given = form.split()[1:]
    path = [word for number, word in enumerate(given) if number < 2 and re.fullmatch(r"[a-z]+", word)]
    told = CliRunner().invoke(cli, [*path, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    options = {word for word in given if word.startswith("-")}
    return told.exit_code == 0 and options <= set(re.findall(r"--?[a-z][a-z-]*", told.output))


def is_a_setting(form: str) -> bool:
    return form.startswith("STERNPOST_") and form.removeprefix("STERNPOST_").lower() in Settings.model_fields
