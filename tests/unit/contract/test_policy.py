"""Policy expressions as authors write them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from sternpost import Many, Resource, authenticated, many, public, scope, this
from sternpost.contract.policy import BOOLEAN_MISUSE, Policy, PolicyPath, names_of


def test_operators_make_data() -> None:
    both = public & ~scope("a")
    assert both.kind == "all"
    assert [part.kind for part in both.parts] == ["public", "not"]
    assert (authenticated | this.is_owner).kind == "any"


def test_a_path_is_the_names_one_after_the_other() -> None:
    assert this.order.user.is_owner.parts == (("order", "user"),)
    path, *compared = this.user.status.eq("a").parts
    assert (names_of(path), compared) == (("user", "status"), ["eq", "a"])
    assert [getattr(this.size, operator)(1).parts[1] for operator in ("ne", "gt", "gte", "lt", "lte")] == [
        "ne",
        "gt",
        "gte",
        "lt",
        "lte",
    ]


def test_a_field_may_be_called_names() -> None:
    path, *compared = this.names.eq("a").parts
    assert (names_of(path), compared) == (("names",), ["eq", "a"])


def test_a_path_shows_itself_as_it_is_written() -> None:
    assert repr(this.user.name) == "this.user.name"
    assert repr(public) == "<policy public>"


def test_a_path_can_be_copied() -> None:
    for copied in (copy.deepcopy(this.user), pickle.loads(pickle.dumps(this.user))):
        assert isinstance(copied, PolicyPath)
        assert repr(copied) == "this.user"


@pytest.mark.parametrize(
    "use",
    [
        lambda: this.paid and public,
        lambda: not this.paid,
        lambda: this.state in ("draft", "paid"),
        lambda: "draft" in this.state,
        lambda: 1 < this.total < 3,
        lambda: this.total == 1 or public,
    ],
)
def test_a_value_of_the_row_is_no_boolean_outside_of_a_class(use: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match="no truth value"):
        use()


def test_a_value_of_the_row_is_no_sequence() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        list(this.tags)  # pyright: ignore


def test_a_declared_field_or_relation_has_no_further_attributes() -> None:
    class Shelf(Resource, prefix="she"):
        books: Many[Resource] = many()

    with pytest.raises(AttributeError):
        _ = Shelf.books.is_owner


@pytest.mark.parametrize("value", ["orders:read", True, None, 5, this, scope])
def test_what_is_no_policy_is_kept_until_it_is_compiled(value: object) -> None:
    for joined in (public & value, public | value):  # pyright: ignore[reportOperatorIssue]
        assert isinstance(joined, Policy)
        assert [part.kind for part in joined.parts] == ["public", "invalid"]


@pytest.mark.parametrize(
    "misuse",
    [lambda: public and authenticated, lambda: public or authenticated, lambda: not public, lambda: bool(public)],
)
def test_a_policy_has_no_truth_value(misuse: object) -> None:
    with pytest.raises(TypeError, match="Use & instead of and"):
        misuse()  # pyright: ignore[reportCallIssue]


def test_in_a_class_body_the_misuse_is_noted_with_its_line() -> None:
    class Body:
        rule = public and authenticated
        other = public or authenticated

    noted = vars(Body)[BOOLEAN_MISUSE]
    assert [place.file for place in noted] == [__file__, __file__]
    assert noted[1].line == noted[0].line + 1
