"""Medians, spreads, ratios to the baseline of the same round, percentiles; and what is written about them."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.load import LoadError, Result, percentile
from benchmarks.measure import Sample
from benchmarks.plot import Bar, Panel, draw
from benchmarks.report import PAGE, replace, results, section, tables
from benchmarks.results import Report, newest
from benchmarks.summary import Spread, spread, summarise


def sample(round: int, stack: str, server_us: float, database_us: float | None, workload: str = "W1") -> Sample:
    cpu = {"server": server_us * 1000 / 1e6, "client": 0.001, "machine": 3.0}
    if database_us is not None:
        cpu["database"] = database_us * 1000 / 1e6
    result = Result(1000, 2.0, cpu, (0.001, 0.002, 0.004, 0.010))
    return Sample(round, stack, "postgresql", workload, 32, result, 1.25, 0.9, 90_000_000)


SAMPLES = [
    sample(0, "sternpost", 80, 10),
    sample(0, "fastify-bare", 100, 50),
    sample(0, "fastapi-hardened", 2000, 150),
    sample(1, "fastify-bare", 200, 80),
    sample(1, "sternpost", 100, 20),
    sample(2, "sternpost", 90, 12),
    sample(2, "fastify-bare", 120, 60),
    sample(3, "sternpost", 900, 90),  # its baseline's run was never made
]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.9, 90), (0.99, 99), (0.991, 100), (1.0, 100), (0.0, 1), (0.001, 1)]
)
def test_percentiles_are_nearest_ranks(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 101)], share) == expected


def test_percentiles_of_few() -> None:
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([1.0, 2.0], 0.5) == 1.0
    with pytest.raises(LoadError):
        percentile([], 0.5)


def test_a_spread() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert spread([]) is None


def test_ratios_are_of_the_same_round() -> None:
    rows = {row.stack: row for row in summarise(SAMPLES, "fastify-bare")}
    own = rows["sternpost"]
    assert own.server == Spread(pytest.approx(95), pytest.approx(80), pytest.approx(900))
    # 80/100, 100/200, 90/120: the fourth round has no baseline; a ratio of medians would say 0.79
    assert own.server_ratio == Spread(pytest.approx(0.75), pytest.approx(0.5), pytest.approx(0.8))
    assert own.database_ratio == Spread(pytest.approx(0.2), pytest.approx(0.2), pytest.approx(0.25))
    assert rows["fastify-bare"].server_ratio == Spread(1.0, 1.0, 1.0)
    assert (own.per_second, own.p99_seconds) == (500, 0.004)


def test_a_database_that_cannot_be_seen_is_left_out() -> None:
    (row,) = summarise([sample(0, "sternpost", 80, None)], "fastify-bare")
    assert (row.database, row.database_ratio, row.server_ratio) == (None, None, None)


def report(samples: list[Sample]) -> Report:
    machine = {"cpu": "a CPU", "cores": 2, "memory_gib": 8.0, "system": "Linux 6"}
    return Report(
        "bench", "2026-01-02T03:04:05+00:00", "abc1234", False, machine, {"python": "3.11"}, {"rounds": 4}, samples
    )


def test_tables() -> None:
    text = results(summarise(SAMPLES, "fastify-bare"))
    assert "| **Sternpost, the shop** | 95 µs = 0.75× (0.50–0.80)<br>database 16 |" in text
    assert "| Fastify, bare | 120 µs<br>database 60 |" in text
    assert section("latency", [{"stack": "A", "n": 12345, "x": 0.123456, "none": None, "yes": True}]).splitlines()[
        2
    ] == ("| A | 12,345 | 0.123 | – | yes |")


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = report(SAMPLES)
    path = written.write(tmp_path)
    assert path.name == "2026-01-02-abc1234.json"
    assert Report.read(path) == written
    later = Report(**{**vars(written), "made": "2026-01-02T04:00:00+00:00", "commit": "0000000"})
    assert newest("bench", tmp_path) == path
    assert newest("bench", tmp_path) != later.write(tmp_path) == newest("bench", tmp_path)
    assert newest("scale", tmp_path) is None


def test_the_page_has_a_place_for_everything() -> None:
    full = report(SAMPLES)
    full.sections = {
        "latency": [{"stack": "Sternpost, the shop", "workload": "W1", "p99 / p50": 2.0}],
        "workers": [{"a": 1}],
    }
    scale = report([])
    scale.kind, scale.sections = "scale", {"rows": [{"rows": 1}]}
    page = PAGE.read_text(encoding="utf-8")
    for name, content in {**tables(full), **tables(scale)}.items():
        page = replace(page, name, content)
    assert "Not measured yet" not in page
    assert replace(page, "results", "x") == replace(replace(page, "results", "y"), "results", "x")
    with pytest.raises(ValueError, match="no marks for nothing"):
        replace(page, "nothing", "x")


def test_a_plot_is_drawn_to_scale() -> None:
    svg = draw("CPU <per> request", [Panel("W1", [Bar("Sternpost", 50, 50, own=True), Bar("Other & more", 150, 50)])])
    widths = [float(part.split('"')[0]) for part in svg.split('width="')[1:]][:4]
    assert widths[2] == pytest.approx(widths[0] * 3, rel=0.01)
    assert widths[0] == widths[1]
    assert "CPU &lt;per&gt; request" in svg
    assert "Other &amp; more" in svg
    assert "50 + 50 µs" in svg
