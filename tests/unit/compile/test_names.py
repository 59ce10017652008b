"""How names of Python become names elsewhere."""

from __future__ import annotations

import pytest

from sternpost.compile.names import PASCAL, SNAKE, camel, kebab, listed, plural, singular, snake, words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", "name"),
        ("created_at", "createdAt"),
        ("unit_price_cents", "unitPriceCents"),
        ("line_1", "line1"),
        ("a_b_c", "aBC"),
    ],
)
def test_camel(name: str, expected: str) -> None:
    assert camel(name) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("User", "user"),
        ("OrderItem", "order_item"),
        ("HTTPServer", "http_server"),
        ("MediaType", "media_type"),
        ("Area51", "area51"),
        ("URL", "url"),
        ("firstName", "first_name"),
    ],
)
def test_snake(name: str, expected: str) -> None:
    assert snake(name) == expected
    assert words(name) == expected.split("_")


@pytest.mark.parametrize(
    ("one", "several"),
    [
        ("user", "users"),
        ("category", "categories"),
        ("day", "days"),
        ("address", "addresses"),
        ("box", "boxes"),
        ("church", "churches"),
        ("dish", "dishes"),
        ("order_item", "order_items"),
        ("media_type", "media_types"),
        ("employee", "employees"),
        ("key", "keys"),
    ],
)
def test_plural_and_singular_are_each_other_backwards(one: str, several: str) -> None:
    assert plural(one) == several
    assert singular(several) == one


def test_what_is_no_plural_stays() -> None:
    assert singular("sheep") == "sheep"


def test_kebab() -> None:
    assert kebab("media_types") == "media-types"


def test_listed() -> None:
    assert listed(["a", "b"]) == "a, b"
    assert listed(()) == "none"


@pytest.mark.parametrize("name", ["name", "created_at", "line_1", "a1_b2"])
def test_names_in_lower_case_with_underscores(name: str) -> None:
    assert SNAKE.fullmatch(name)


@pytest.mark.parametrize("name", ["Name", "createdAt", "_name", "name_", "a__b", "1a", "größe", "", "a-b"])
def test_other_names(name: str) -> None:
    assert not SNAKE.fullmatch(name)


@pytest.mark.parametrize(
    ("name", "fits"), [("Order", True), ("OrderItem2", True), ("order", False), ("Order_Item", False), ("Größe", False)]
)
def test_class_names(name: str, fits: bool) -> None:
    assert bool(PASCAL.fullmatch(name)) is fits
