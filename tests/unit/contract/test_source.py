"""Where something was declared."""

from __future__ import annotations

from pathlib import Path

from sternpost.contract.source import Source, attribute_source, call_keyword_source, class_keyword_source

TEXT = """class User(
    Base,
    prefix="usr",
):
    name: str
    size: int = field(
        default=0,
        ge=0,
    )


contract = Contract(
    "shop",
    resources=[User],
)
"""


def test_lines_down_to_a_keyword(tmp_path: Path) -> None:
    path = tmp_path / "contract.py"
    path.write_text(TEXT, encoding="utf-8")
    user, contract = Source(str(path), 1), Source(str(path), 12)
    assert attribute_source(user, "User", "name").line == 5
    assert attribute_source(user, "User", "size").line == 6
    assert attribute_source(user, "User", "size", "ge").line == 8
    assert attribute_source(user, "User", "size", "le").line == 6
    assert attribute_source(user, "User", "other").line == 1
    assert class_keyword_source(user, "User", "prefix").line == 3
    assert class_keyword_source(user, "User", "owner").line == 1
    assert call_keyword_source(contract, "resources").line == 14
    assert call_keyword_source(contract, "name", 0).line == 13
    assert call_keyword_source(contract, "title").line == 12


def test_without_a_file_the_place_itself_must_do() -> None:
    place = Source("<console>", 3)
    assert (
        attribute_source(place, "User", "name")
        == class_keyword_source(place, "User", "owner")
        == call_keyword_source(place, "name")
        == place
    )
    assert str(place) == "<console>:3"


def test_a_file_in_another_encoding_is_read_as_python_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "contract.py"
    path.write_bytes(b"# coding: latin-1\nclass User(Base):\n    # gr\xfc\xdfe\n    name: str\n")
    assert attribute_source(Source(str(path), 2), "User", "name").line == 4
