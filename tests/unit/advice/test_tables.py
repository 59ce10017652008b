"""The tables hold every row that they were made from, in its own words."""

from __future__ import annotations

import re

import pytest

from sternpost.advice.api_style import API_STYLE
from sternpost.advice.caching import CACHING
from sternpost.advice.messages import MESSAGES
from sternpost.advice.model import Fit, Table
from sternpost.advice.rate_limits import RATE_LIMITS
from sternpost.advice.topics import TABLES

STYLES = """
| Factor | REST | GraphQL | gRPC |
|---|---|---|---|
| Many consumers with different data needs | poor | strong | poor |
| Simple create/read/update/delete | strong | overkill | overkill |
| Real-time subscriptions | needs a WebSocket add-on | built in | built in (streaming) |
| Service to service | good | overkill | strong |
| Public API | strong | good | poor (tooling) |
| Mobile, little bandwidth | risk of overfetching | strong | strong |
"""
STRATEGIES = (
    "cache-aside (general purpose), write-through (strong consistency), write-behind (high write throughput), "
    "read-through (transparent)"
)
ALGORITHMS = (
    "fixed window (simple, low memory; bursts at boundaries; internal APIs) · sliding window (smooth; more memory; public "
    "APIs) · token bucket (controlled bursts; the industry standard) · leaky bucket (constant output, no burst; strict "
    "control)"
)
AGAINST = {"bursts at boundaries", "more memory"}
PATTERNS = {
    "publish/subscribe": ("one event to many consumers", "user registered: email, analytics, CRM"),
    "work queue": ("tasks spread over workers", "image processing, PDF generation"),
    "request/reply": ("asynchronous request with a response", "price calculation"),
    "dead letter": (
        "failed messages after the retry policy is used up; browse, replay, drop",
        "browse, replay or drop",
    ),
}
COUNTS = {
    "strong": Fit.STRONG,
    "built in": Fit.STRONG,
    "built in (streaming)": Fit.STRONG,
    "good": Fit.GOOD,
    "needs a WebSocket add-on": Fit.WEAK,
    "overkill": Fit.WEAK,
    "risk of overfetching": Fit.WEAK,
    "poor": Fit.POOR,
    "poor (tooling)": Fit.POOR,
}


def bracketed(text: str) -> list[tuple[str, str]]:
    """`fixed window (simple; low memory)` as the name and what is in brackets."""
    return re.findall(r"(\w[\w -]+\w) \(([^)]+)\)", text)


def said(table: Table, title: str) -> dict[str, Fit]:
    """What the factors say of a choice."""
    [choice] = [each for each in table.choices if each.title == title]
    return {says.text: says.fit for factor in table.factors for says in factor.says if says.choice == choice.name}


def test_every_cell_of_the_styles_is_there() -> None:
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in STYLES.strip().splitlines()]
    assert [choice.title for choice in API_STYLE.choices] == header[1:]
    assert [[factor.title, *(says.text for says in factor.says)] for factor in API_STYLE.factors] == rows
    order = [choice.name for choice in API_STYLE.choices]
    for factor in API_STYLE.factors:
        assert [says.choice for says in factor.says] == order
        assert [says.fit for says in factor.says] == [COUNTS[says.text] for says in factor.says]


def test_every_strategy_is_there_and_a_factor_that_asks_for_it() -> None:
    strategies = bracketed(STRATEGIES)
    assert len(strategies) == 4
    assert [(choice.title, choice.known_for) for choice in CACHING.choices] == strategies
    assert [factor.title.lower() for factor in CACHING.factors] == [purpose for _, purpose in strategies]
    assert [factor.favours for factor in CACHING.factors] == [{name} for name, _ in strategies]
    assert all(choice.note.startswith("Invalidation: ") for choice in CACHING.choices)
    for name, purpose in strategies:
        assert said(CACHING, name)[purpose] is Fit.STRONG


def test_every_algorithm_is_there_and_each_thing_that_is_said_of_it() -> None:
    algorithms = bracketed(ALGORITHMS)
    assert [(choice.title, choice.known_for) for choice in RATE_LIMITS.choices] == algorithms
    for name, known_for in algorithms:
        for words in known_for.split("; "):
            fit = said(RATE_LIMITS, name)[words]
            assert (fit < 0) if words in AGAINST else (fit is Fit.STRONG), words


def test_every_pattern_is_there_and_a_factor_that_asks_for_it() -> None:
    assert {choice.title: choice.known_for for choice in MESSAGES.choices} == {
        name: known_for for name, (known_for, _) in PATTERNS.items()
    }
    for choice, factor in zip(MESSAGES.choices, MESSAGES.factors, strict=True):
        known_for, example = PATTERNS[choice.title]
        assert factor.favours == {choice.name}
        assert said(MESSAGES, choice.title) == {known_for: Fit.STRONG}
        assert known_for.startswith(factor.title[0].lower() + factor.title[1:])
        assert example in factor.question


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_a_table_is_sound(table: Table) -> None:
    choices = [choice.name for choice in table.choices]
    factors = [factor.name for factor in table.factors]
    assert len({*choices}) == len(choices)
    assert len({*factors}) == len(factors)
    assert {name for factor in table.factors for name in factor.favours} == {*choices}, "each can be recommended"
    for name in (*choices, *factors):
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    for factor in table.factors:
        assert factor.question.endswith("?")
        assert {says.choice for says in factor.says} <= {*choices}
        assert len({says.choice for says in factor.says}) == len(factor.says)
        assert all(says.because.endswith(".") for says in factor.says)
    for choice in table.choices:
        assert bool(choice.planned) == bool(choice.today)
        assert not (choice.planned and choice.stub), "what is not there has no declaration"


def test_topics_are_those_of_the_tables() -> None:
    assert {topic: table.topic for topic, table in TABLES.items()} == {topic: topic for topic in TABLES}
