"""What is measured is compared with what is declared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from shop.app import app as shop

from sternpost.load.histogram import Histogram
from sternpost.load.job import Answered, Outcome
from sternpost.load.measuring import Phase, PhaseResult, Run, measured_of, phases_of
from sternpost.load.objectives import critical_paths, goal_of
from sternpost.load.report import html
from sternpost.load.scenario import Path

PLAN = shop.compiled.plan
READ = Path(*PLAN.operations["products.read"], goal_of(PLAN.operations["products.read"][1]))
PHASE = Phase("load", 10.0, 1.0)


def answered(milliseconds: float, **statuses: int) -> Answered:
    found = Histogram()
    counts = {name.removeprefix("s"): count for name, count in statuses.items()}
    for _ in range(sum(counts.values())):
        found.record(milliseconds / 1000)
    return Answered(found.encoded(), counts)


def missed(found: Answered, seconds: float = 10.0) -> tuple[str, ...]:
    outcome = Outcome({"products.read": found}, Histogram().encoded(), seconds, 0.1, 1)
    return measured_of(READ, found, outcome, PHASE).missed


@pytest.mark.parametrize(
    ("operation", "p95_ms"),
    [("products.read", 50), ("products.browse", 200), ("products.create", 500), ("orders.pay", 500)],
)
def test_the_defaults_are_those_of_a_production_service(operation: str, p95_ms: float) -> None:
    goal = goal_of(PLAN.operations[operation][1])
    assert (goal.p95_ms, goal.p99_ms, goal.error_rate, goal.rate) == (p95_ms, 2 * p95_ms, 0.001, 20)


def test_the_critical_operations_are_measured() -> None:
    assert [operation.id for _, operation in critical_paths(PLAN)] == ["orders.place", "orders.pay"]
    assert [operation.id for _, operation in critical_paths(PLAN, ["users.read"])] == ["users.read"]


@pytest.mark.parametrize(
    ("found", "seconds", "what"),
    [
        (answered(20, s200=200), 10.0, ()),
        (answered(60, s200=200), 10.0, ("p95 is 60.0 ms, not 50",)),
        (answered(120, s200=200), 10.0, ("p95 is 120.1 ms, not 50", "p99 is 120.1 ms, not 100")),
        (answered(20, s200=190, s500=6, s0=4), 10.0, ("5.00% of the calls fail, not 0.10%",)),
        (answered(20, s200=100, s409=100), 10.0, ("50% of the calls are refused (100 with 409): it is not measured",)),
        (answered(20, s200=200), 20.0, ("10 calls a second are answered of 20",)),
        (answered(20), 10.0, ("100.00% of the calls fail, not 0.10%", "no call was due in this time")),
    ],
)
def test_what_is_missed_is_told(found: Answered, seconds: float, what: tuple[str, ...]) -> None:
    assert missed(found, seconds) == what


def result(name: str = "load", lag_ms: float = 1.0, busy: float = 0.1, milliseconds: float = 20) -> PhaseResult:
    found = answered(milliseconds, s200=200)
    outcome = Outcome({"products.read": found}, Histogram().encoded(), 10.0, busy, 1)
    phase = replace(PHASE, name=name)
    measured = measured_of(READ, found, outcome, phase)
    return PhaseResult(phase, (measured,), lag_ms, busy, 1, {"products.read": found.latencies})


def test_a_load_that_was_late_itself_says_nothing() -> None:
    assert result().lagged == ""
    assert result(lag_ms=12).lagged == "the generator was late itself: 12.0 ms for one in a hundred calls"
    assert result(busy=0.9).lagged == "the generator was busy for 90% of the time"
    assert Run("load", (result(lag_ms=12),)).lagged == ["load: " + result(lag_ms=12).lagged]


def test_of_a_spike_what_comes_behind_it_counts() -> None:
    slow = 400.0
    assert Run("spike", (result("before"), result("spike", milliseconds=slow), result("behind"))).missed == []
    assert Run("spike", (result("before"), result("spike"), result("behind", milliseconds=slow))).missed == [
        "behind: products.read: p95 is 400.1 ms, not 50",
        "behind: products.read: p99 is 400.1 ms, not 100",
    ]


@pytest.mark.parametrize(("knee", "fails"), [(2.5, False), (1.0, False), (0.7, True), (None, True)])
def test_a_knee_below_the_declared_rates_is_missed(knee: float | None, fails: bool) -> None:
    assert bool(Run("stress", (result(),), knee).missed) == fails


def test_the_phases_of_a_kind() -> None:
    assert [(each.name, each.factor) for each in phases_of("spike", 30)] == [("before", 1), ("spike", 5), ("behind", 1)]
    assert phases_of("smoke", 60)[0].seconds == 5
    assert phases_of("soak", 1800)[0].seconds == 1800


def test_a_page_has_plots_and_loads_nothing() -> None:
    data = {**Run("stress", (result(), result("step 2")), 1.0).as_data(), "at": "2026-01-01", "sternpost": "<b>"}
    page = html(data).decode()
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "http" not in page
    assert "&lt;b&gt;" in page
