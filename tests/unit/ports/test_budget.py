"""How large an answer may become, by what it could hold and by what it holds."""

from __future__ import annotations

import pytest

from sternpost.ports.budget import Budget, TooLarge


def test_what_may_have_been_taken_is_not_free_any_more() -> None:
    """Rows are not counted as long as they fit whatever they hold; until then the most that they may hold counts."""
    budget = Budget(10, 1000)
    assert budget.allows(1000)
    assert not budget.allows(1001)
    budget.take_bytes([("x",)], 600, 0)
    assert budget.allows(400)
    assert not budget.allows(401)
    budget.take_bytes([("x",)], 600, 0)  # now they are counted: two letters
    assert budget.allows(998)


def test_what_occurs_often_counts_as_often() -> None:
    budget = Budget(10, 1000)
    with pytest.raises(TooLarge):
        budget.take_bytes([("x" * 100,)], 100, 0, [11])
