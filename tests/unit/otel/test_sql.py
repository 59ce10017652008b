"""What spans tell of statements: never a value."""

from __future__ import annotations

import pytest

from sternpost.otel.sql import KEPT_MAX, Statements, Told


@pytest.mark.parametrize(
    ("text", "operation", "collection", "shown"),
    [
        ("SELECT a.id FROM books AS a WHERE a.id = ?", "SELECT", "books", "SELECT a.id FROM books AS a WHERE a.id = ?"),
        ("UPDATE books SET n=$1 WHERE id = $12", "UPDATE", "books", "UPDATE books SET n=$1 WHERE id = $12"),
        ('INSERT INTO "order" (id) VALUES (?)', "INSERT", "order", 'INSERT INTO "order" (id) VALUES (?)'),
        ("DELETE FROM s.books WHERE state IN ('a', 'it''s')", "DELETE", "s.books", None),
        ("with x as (select 1) delete from books where n > 41.5", "DELETE", "books", None),
        ("select 1", "SELECT", None, "select ?"),
    ],
)
def test_statements(text: str, operation: str, collection: str | None, shown: str | None) -> None:
    told = Statements().told(text, own=False)
    assert (told.operation, told.collection) == (operation, collection)
    assert told.text is not None
    if shown is not None:
        assert told.text == shown
    for value in ("'a'", "it''s", "41.5"):
        assert value not in told.text


@pytest.mark.parametrize(
    "text",
    [
        "select * from cards where number = '4111 1111'",
        "select * from cards where number = 4111",
        "select * from cards where number = -4111",
        "select * from cards where number = E'\\'4111'",
        "select * from cards where number = $$4111$$",
        "select * from cards where number = $x$4111$x$",
        "select * from cards /* 4111 */",
        "select * from cards -- 4111",
        "select 'x\\', '4111'",
    ],
)
def test_the_author_s_text_never_shows_a_value(text: str) -> None:
    assert "4111" not in str(Statements().told(text, own=True))


def test_names_are_short_and_statements_are_not_kept_for_ever() -> None:
    statements = Statements()
    for number in range(KEPT_MAX + 5):
        statements.told(f"SELECT x{number}", own=True)
    assert len(statements._known) <= KEPT_MAX
    assert Told("SELECT", "books", None).summary == "SELECT books"
