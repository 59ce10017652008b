"""Values in messages, and the types of options."""

from __future__ import annotations

from sternpost import Browse, authenticated, field, many, public, this
from sternpost.compile.options import FIELD, OPERATION, SHOWN_MAX, is_names, is_seconds, is_whole, shown, well_typed


class Odd:
    """Something whose text cannot be had."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def test_values_are_shown_as_their_author_wrote_them() -> None:
    texts = [
        shown(value)
        for value in (
            5,
            "a",
            None,
            str,
            Odd,
            Browse(allow=public),
            field(),
            many(),
            this.user.name,
            authenticated,
            shown,
            Odd(),
        )
    ]
    assert texts == [
        "5",
        "'a'",
        "None",
        "str",
        "Odd",
        "Browse(…)",
        "field(…)",
        "many(…)",
        "this.user.name",
        "<policy authenticated>",
        "shown",
        "a Odd",
    ]


def test_long_values_are_cut() -> None:
    assert len(shown("x" * 1000)) == SHOWN_MAX


def test_options_of_a_wrong_type_are_left_out_and_told() -> None:
    told: list[tuple[str, ...]] = []
    kept = well_typed(
        {"unique": 5, "filter": "eq", "ge": "anything", "sensitive": True}, FIELD, lambda *mistake: told.append(mistake)
    )
    assert kept == {"ge": "anything", "sensitive": True}
    assert told == [
        ("unique", "SP216", 'unique=5 is not True, False or "nocase"', "write unique=True"),
        ("filter", "SP214", "filter='eq' is not True, False or a list of operators", 'write filter=["eq"]'),
    ]


def test_right_options_are_kept() -> None:
    options = {"page_size": 5, "sort": ("name",), "timeout": None, "summary": ""}
    assert well_typed(options, OPERATION, lambda *_: None) == options


def test_a_text_is_no_list_and_a_truth_no_number() -> None:
    assert not is_names("name")
    assert not is_names(b"name")
    assert not is_names([1])
    assert is_names(("name",))
    assert not is_whole(True)
    assert is_whole(2**100)
    assert [is_seconds(value) for value in (1, 0.5, 0, -1, True, float("inf"), float("nan"), 10**400, "5")] == [
        True,
        True,
        *[False] * 7,
    ]
