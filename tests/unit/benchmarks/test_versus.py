"""The statistics of two source trees: intervals of a median, the verdict, ratios of the same round; and what is whose."""

from __future__ import annotations

import os
from io import StringIO
from itertools import product
from pathlib import Path

import pytest
import typer
from rich.console import Console

from benchmarks.__main__ import finish_versus
from benchmarks.load import Result
from benchmarks.measure import Sample, together
from benchmarks.ratios import Interval, Outcome, Ratio, coverage, interval_of_median, outcomes, ratio_of
from benchmarks.results import Report
from benchmarks.rows import Size
from benchmarks.stacks import StackError
from benchmarks.trees import Tree, checked_out, this_checkout
from benchmarks.versus import Contest, Page, outcome_table, page_rows, page_table, process_rows, process_table, sections

OLD, NEW = Tree("old", Path("/trees/old"), "abc1234"), Tree("new", Path("/trees/new"), "def5678")


def sample(
    number: int,
    tree: str,
    server_us: float,
    database_us: float | None = None,
    *,
    workload: str = "W1",
    memory: int = 90,
) -> Sample:
    cpu = {"server": server_us * 1000 / 1e6, "client": 0.001, "machine": 3.0}
    if database_us is not None:
        cpu["database"] = database_us * 1000 / 1e6
    result = Result(1000, 2.0, cpu, (0.001, 0.002, 0.004, 0.010))
    kind = "sqlite" if database_us is None else "postgresql"
    return Sample(number, tree, kind, workload, 32, result, 1.0 + number / 10, 0.8, memory * 1_000_000)


@pytest.mark.parametrize(
    ("count", "low", "high", "confidence"),
    [
        (1, 1, 1, 0.0),
        (2, 1, 2, 0.5),
        (5, 1, 5, 0.9375),
        (6, 1, 6, 0.96875),
        (10, 2, 9, 0.978515625),
        (20, 6, 15, 0.9586),
    ],
)
def test_intervals_are_order_statistics(count: int, low: float, high: float, confidence: float) -> None:
    """The ranks of published tables for the sign test, at 95 %."""
    found = interval_of_median(float(value) for value in reversed(range(1, count + 1)))
    assert found == Interval(low, high, pytest.approx(confidence, abs=1e-4))


def test_coverage_is_what_counting_every_case_gives() -> None:
    """Of all ways in which seven values lie below or above the median, those where the interval has it inside."""
    for rank in (1, 2, 3):
        inside = sum(rank <= sum(below) <= 7 - rank for below in product((0, 1), repeat=7))
        assert coverage(7, rank) == pytest.approx(inside / 2**7)


def test_one_bad_round_of_ten_moves_neither_median_nor_interval() -> None:
    quiet = [0.98, 0.99, 0.99, 1.0, 1.0, 1.0, 1.01, 1.01, 1.02, 1.03]
    assert interval_of_median([*quiet[:-1], 3.0]) == interval_of_median(quiet)


@pytest.mark.parametrize(
    ("ratio", "low", "high", "holds"),
    [
        (0.80, 0.75, 0.85, True),
        (1.03, 1.02, 1.30, True),
        (1.031, 1.00, 1.10, True),
        (1.031, 0.99, 1.101, False),
        (1.031, 1.001, 1.05, False),
        (1.30, 0.90, 1.60, False),
    ],
)
def test_the_verdict(ratio: float, low: float, high: float, holds: bool) -> None:
    found = Ratio(100, 100 * ratio, ratio, Interval(low, high, 0.98))
    assert found.holds is holds
    assert Outcome("sqlite", "W1", found, None, None).holds is holds


def test_ratios_are_of_the_same_round() -> None:
    """A machine that is half as fast in one round says nothing about the trees."""
    samples = [
        sample(0, "old", 100, 10),
        sample(0, "new", 101, 12),
        sample(1, "new", 202, 20),
        sample(1, "old", 200, 30),
        sample(2, "old", 100, 20),
        sample(2, "new", 90, 16),
        sample(0, "old", 50, workload="W3"),
        sample(0, "new", 60, workload="W3"),
    ]
    first, second = outcomes(samples)
    assert (first.database, first.workload, second.database, second.workload) == ("postgresql", "W1", "sqlite", "W3")
    assert (first.server.old, first.server.new) == (pytest.approx(100), pytest.approx(101))
    assert first.server.ratio == pytest.approx(1.01)
    assert first.server.interval == Interval(pytest.approx(0.9), pytest.approx(1.01), 0.75)
    assert (first.database_old, first.database_new) == (pytest.approx(20), pytest.approx(16))
    assert (second.database_old, second.database_new, second.server.ratio) == (None, None, pytest.approx(1.2))
    assert (first.holds, second.holds) == (True, False)


def test_pages_of_the_data_client() -> None:
    pages = [
        Page(number, tree, "sqlite", us, us * 2, "usr_1")
        for number, pair in enumerate([(1000, 100), (2000, 300), (1000, 150)])
        for tree, us in zip(("old", "new"), pair, strict=True)
    ]
    cpu, wall = page_rows(pages)
    assert cpu == ("sqlite", "CPU", ratio_of([1000, 2000, 1000], [100, 300, 150]))
    assert (cpu[2].ratio, wall[1], wall[2].old) == (0.15, "time", 2000)


def test_memory_is_the_greatest_of_a_round() -> None:
    samples = [
        sample(number, tree, 100, workload=workload, memory=memory)
        for number in (0, 1, 2)
        for tree in ("old", "new")
        for workload, memory in (("W1", 90), ("W3", 100 if number else 200))
    ]
    rows = process_rows(samples)
    assert [(row["tree"], row["start, s"], row["memory after load, MB"]) for row in rows] == [
        ("old", 1.1, 100),
        ("new", 1.1, 100),
    ]


def test_turns_alternate() -> None:
    contest = Contest(OLD, NEW, ["W1", "W3"], 10, 2.0, Size(1000, 0, 10), 10)
    assert [contest.turns(number)[0].name for number in range(4)] == ["old", "new", "old", "new"]
    assert contest.measurements() == 60


def test_each_tree_has_its_own_code_and_databases() -> None:
    for tree in (OLD, NEW):
        path = f"{tree.folder}/src{os.pathsep}{tree.folder}/examples/shop"
        variables = tree.stack.variables("sqlite:///x", 8000)
        assert (tree.stack.home, variables["PYTHONPATH"], tree.application.python_path) == (tree.folder, path, path)
        assert variables["STERNPOST_DATABASE_URL"] == "sqlite:///x"
    assert OLD.application.template != NEW.application.template


def test_a_tree_that_runs_other_code_is_refused(tmp_path: Path) -> None:
    this_checkout().check_imports()
    shop = tmp_path / "examples/shop/shop"
    shop.mkdir(parents=True)
    (shop / "__init__.py").touch()
    with pytest.raises(StackError, match="which is not in its source tree"):
        Tree("old", tmp_path, "abc1234").check_imports()


def test_what_is_no_commit_is_refused() -> None:
    with pytest.raises(StackError, match="no-such-branch is no commit"), checked_out("no-such-branch"):
        pass


def test_tables_and_the_file(tmp_path: Path) -> None:
    samples = [sample(0, "old", 100, 10), sample(0, "new", 120.04, 20)]
    pages = [Page(0, "old", "postgresql", 4000, 5000, "usr_1"), Page(0, "new", "postgresql", 400, 500, "usr_1")]
    console = Console(width=140, record=True, file=StringIO())
    for table in (outcome_table(outcomes(samples)), page_table(pages), process_table(samples)):
        console.print(table)
    text = console.export_text()
    for shown in ("0 % interval", "1.200–1.200", "120.0", "20.0", "more", "4,000.0", "0.100", "90.0"):
        assert shown in text
    report = Report("versus", "2026-01-02T03:04:05+00:00", "abc1234", False, {}, {}, {"old": "abc1234"}, samples)
    report.sections = sections(outcomes(samples), pages, samples)
    path = report.write(tmp_path)
    assert path.name == "2026-01-02-abc1234-versus.json"
    assert Report.read(path) == report


def test_the_status_says_whether_every_workload_holds(tmp_path: Path) -> None:
    samples = [sample(0, "old", 100), sample(0, "new", 101)]
    course = {"old": "abc1234", "new": "def5678", "rounds": 1}
    report = Report("versus", "2026-01-02T03:04:05+00:00", "def5678", False, {}, {}, course, samples)
    pages = [Page(0, tree, "sqlite", 100, 200, "usr_1") for tree in ("old", "new")]
    finish_versus(report, pages, tmp_path)
    samples += [sample(0, "old", 100, workload="W3"), sample(0, "new", 120, workload="W3")]
    with pytest.raises(typer.Exit) as ended:
        finish_versus(report, pages, tmp_path)
    assert ended.value.exit_code == 1
    assert len(Report.read(tmp_path / "2026-01-02-def5678-versus.json").sections["versus"]) == 2


def test_turns_of_a_round_count_as_one_measurement() -> None:
    whole = together([sample(3, "new", 80, 20), sample(3, "new", 100, 30), sample(3, "new", 300, 40, memory=95)])
    assert (whole.round, whole.stack, whole.result.answered, whole.result.seconds) == (3, "new", 3000, 6.0)
    assert whole.result.cpu_us("server") == pytest.approx(160)
    assert whole.result.cpu_us("database") == pytest.approx(30)
    assert (whole.result.latencies, whole.resident_bytes) == ((0.001, 0.002, 0.004, 0.010), 95_000_000)
