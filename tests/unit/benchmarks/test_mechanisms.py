"""The table of what mechanisms cost, and the requests that carry idempotency keys."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load import Result
from benchmarks.measure import Sample
from benchmarks.mechanisms import COSTS, ORDER, VARIANTS, cost_rows, measured
from benchmarks.workloads import REPLAYED, WORKLOADS, Target, encoder


def sample(number: int, stack: str, workload: str, server_us: float, database_us: float) -> Sample:
    used = {"server": server_us * 1e-3, "database": database_us * 1e-3, "client": 0.0, "machine": 0.0}
    return Sample(number, stack, "postgresql", workload, 32, Result(1000, 1.0, used, (0, 0, 0, 0)), 0, 0, 0)


def test_a_cost_is_the_median_of_the_differences_within_each_round() -> None:
    # the second round ran on a machine twice as slow: the medians of the figures alone would tell another cost
    samples = [
        sample(0, "plain", "W1", 40, 5),
        sample(0, "limit", "W1", 42, 5),
        sample(1, "plain", "W1", 80, 10),
        sample(1, "limit", "W1", 84, 10),
        sample(2, "plain", "W1", 41, 5),
        sample(2, "limit", "W1", 43, 7),
    ]

    (row,) = cost_rows(samples)

    assert row["mechanism"] == "a limit per principal in the process: W1"
    assert (row["without, µs"], row["with, µs"], row["cost, µs"]) == (41.0, 43.0, 2.0)
    assert row["with the database, µs"] == 4.0
    assert row["ratio"] == 1.05


def test_what_is_switched_off_by_a_variant_costs_what_the_plain_contract_has_more() -> None:
    (row,) = cost_rows([sample(0, "plain", "W1", 50, 5), sample(0, "quiet", "W1", 40, 5)])
    assert row["mechanism"] == "a log line: W1"
    assert (row["without, µs"], row["with, µs"], row["cost, µs"]) == (40.0, 50.0, 10.0)


def test_what_was_not_measured_has_no_row() -> None:
    assert cost_rows([sample(0, "plain", "W1", 40, 5)]) == []


def test_every_cost_is_of_what_is_measured() -> None:
    names = {variant.name for variant in VARIANTS}
    for cost in COSTS:
        for variant, workload in (cost.without, cost.with_it):
            assert variant in names
            assert workload in measured(variant)
            assert workload in ORDER


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_modules_of_variants_are_contracts(variant: Any, tmp_path: Path) -> None:
    module = runpy.run_path(str(write(tmp_path / "variant.py", variant.source)))
    operations = module["app"].plan.operations
    assert {name for name in operations if name.startswith("users.")} == operations.keys()


def test_variants_switch_one_thing_each() -> None:
    plain = VARIANTS[0]
    assert plain.name == "plain"
    for variant in VARIANTS[1:]:
        differs = [
            variant.create != plain.create,
            variant.contract != plain.contract,
            variant.read != plain.read,
            variant.exports != plain.exports,
            bool(variant.environment) and variant.name not in ("redis", "spans"),  # how a limit or a span is had
        ]
        assert sum(differs) == 1, variant.name


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def keys(workload: str, count: int) -> list[tuple[bytes, bytes, bytes]]:
    target = Target("127.0.0.1", 1, "prefixed", ["a", "b", "c"], 10, 1, "run")
    encode = encoder(WORKLOADS[workload], target)
    found: list[tuple[bytes, bytes, bytes]] = []
    for _ in range(count):
        head, _, body = encode().partition(b"\r\n\r\n")
        lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        found.append((lines[b"Idempotency-Key"], lines[b"Authorization"], body))
    return found


def test_new_keys_are_all_different() -> None:
    found = keys("W3k", 500)
    assert len({key for key, _, _ in found}) == 500


def test_replays_send_a_key_with_the_same_token_and_body_each_time() -> None:
    found = keys("replay", REPLAYED * 3 * 4)
    assert len({key for key, _, _ in found}) == REPLAYED * 3
    assert len(set(found)) == REPLAYED * 3
