"""How large an answer may become, by what it could hold and by what it holds."""

from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from sternpost.ports.budget import Budget, TooLarge


def test_what_may_have_been_taken_is_not_free_any_more() -> None:
    """Documents are not counted as long as they fit whatever they hold; until then the most that they may hold
    counts."""
    budget = Budget(10, 1000)
    assert budget.allows(1000)
    assert not budget.allows(1001)
    document = {"name": "x"}
    budget.take_bytes([document], ["name"], 600, 7)
    assert budget.allows(400)
    assert not budget.allows(401)
    document["relation"] = "y" * 500  # which is counted by itself
    budget.take_bytes([{"name": "x"}], ["name"], 600, 7)  # now they are counted: 12 bytes each
    assert budget.allows(976)
    assert not budget.allows(977)


def test_what_occurs_often_counts_as_often() -> None:
    budget = Budget(10, 1000)
    with pytest.raises(TooLarge):
        budget.take_bytes([{"name": "x" * 100}], ["name"], 110, 7, [11])


@pytest.mark.parametrize(
    "value",
    [
        [[]] * 100,
        [""] * 100,
        [{}] * 100,
        [-(2**63)] * 100,
        [-1.2345678901234567e-300] * 100,
        [0, None, True] * 50,
        {"\x01" * 20 + str(number): 0 for number in range(50)},
        {"é" * 20 + str(number): '"' for number in range(50)},
        '"' * 100,
        "\x01" * 100,
        "é" * 100,
    ],
)
def test_a_document_counts_as_it_is_written(value: Any) -> None:
    document = {"id": "x", "value": value}
    size = len(orjson.dumps(document))
    budget = Budget(10, 2 * size)
    budget.take(document)
    assert budget.allows(size)
    assert not budget.allows(size + 1)
    budget.take_bytes([document], ["id", "value"], math.inf, len('"id":"value":'))
    assert budget.allows(0)
    assert not budget.allows(1)


def test_what_cannot_be_written_counts_too() -> None:
    budget = Budget(10, 1000)
    budget.take({"value": 2**70})
    assert not budget.allows(1000)
