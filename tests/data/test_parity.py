"""Random conditions give the same rows on SQLite, on PostgreSQL and in plain Python."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from sternpost import Settings
from sternpost.data.database import Database
from tests.conftest import SECRET
from tests.data.library import Book, Person, contract
from tests.support.rounds import for_drawn, rounds

TEXTS = ("", "a", "A", "ab", "Ab", "é", "É", "ß", "漢", "%", "_", "😀a")
NUMBERS = (None, -1, 0, 1, 2**53)
PRICES = (None, Decimal("-1.00"), Decimal("0.00"), Decimal("0.10"), Decimal("10.05"))
DAYS = (None, date(1999, 12, 31), date(2024, 2, 29))
INSTANTS = (None, datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC))

PEOPLE = [{"name": text, "email": str(number), "age": NUMBERS[number % 5]} for number, text in enumerate(TEXTS)]
BOOKS = [
    {
        "title": TEXTS[number % 12],
        "edition": number,
        "price": PRICES[number % 5],
        "bought_on": DAYS[number % 3],
        "read_at": INSTANTS[number % 3],
        "state": "in" if number % 2 else "out",
        "owner": None if number % 4 == 0 else number % 7,
    }
    for number in range(24)
]


def ways_of(values: tuple[Any, ...], *, ordered: bool, text: bool = False) -> st.SearchStrategy[Any]:
    some = st.sampled_from([value for value in values if value is not None])
    ways: list[st.SearchStrategy[Any]] = [
        st.sampled_from(values),
        st.fixed_dictionaries({}, optional={"eq": some, "ne": some}),
        st.fixed_dictionaries({"ne": st.none()}),
        st.fixed_dictionaries({"in": st.lists(some, max_size=3)}),
        st.fixed_dictionaries({"notIn": st.lists(some, max_size=3)}),
    ]
    if ordered:
        ways.append(st.fixed_dictionaries({}, optional={"gt": some, "gte": some, "lt": some, "lte": some}))
    if text:
        mode = st.sampled_from(("sensitive", "insensitive"))
        ways += [
            st.fixed_dictionaries({name: some, "mode": mode})
            for name in ("contains", "startsWith", "endsWith", "eq", "ne")
        ]
    return st.one_of(ways)


def joined(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    leaves = st.builds(dict, st.shared(st.none()).flatmap(lambda _: strategy))  # whose text is short
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.fixed_dictionaries({"AND": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"OR": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"NOT": inner}),
        ),
        max_leaves=5,
    )


PERSON = joined(
    st.fixed_dictionaries(
        {},
        optional={
            "name": ways_of(TEXTS, ordered=True, text=True).filter(lambda t: t is not None),
            "age": ways_of(NUMBERS, ordered=True),
        },
    )
)
BOOK = joined(
    st.fixed_dictionaries(
        {},
        optional={
            "title": ways_of(TEXTS, ordered=True, text=True),
            "price": ways_of(PRICES, ordered=True),
            "bought_on": ways_of(DAYS, ordered=True),
            "read_at": ways_of(INSTANTS, ordered=True),
            "state": ways_of(("in", "out"), ordered=False),
            "owner": st.one_of(st.none(), PERSON.filter(bool), st.fixed_dictionaries({"isNot": PERSON})),
        },
    )
)
WHERE = joined(
    st.one_of(
        PERSON,
        st.fixed_dictionaries(
            {"books": st.fixed_dictionaries({}, optional={"some": BOOK, "every": BOOK, "none": BOOK})}
        ),
    )
)


def lower(text: str) -> str:
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


def holds(where: dict[str, Any], row: dict[str, Any], related: Callable[[str, dict[str, Any]], Any]) -> bool:
    """The documented meaning, as simply as it can be said."""

    def one(name: str, wanted: Any) -> bool:
        if name == "AND":
            return all(holds(part, row, related) for part in wanted)
        if name == "OR":
            return any(holds(part, row, related) for part in wanted)
        if name == "NOT":
            return not holds(wanted, row, related)
        if name == "books":
            found = related("books", row)
            fits = {quantifier: [holds(inner, book, related) for book in found] for quantifier, inner in wanted.items()}
            how = {"some": any, "every": all, "none": lambda results: not any(results)}
            return all(how[quantifier](results) for quantifier, results in fits.items())
        if name == "owner":
            owner = related("owner", row)
            if wanted is None:
                return owner is None
            if "isNot" in wanted:
                return owner is None or not holds(wanted["isNot"], owner, related)
            return owner is not None and holds(wanted, owner, related)
        return passes(row[name], wanted if isinstance(wanted, dict) else {"eq": wanted})

    return all(one(name, wanted) for name, wanted in where.items())


def passes(value: Any, tests: dict[str, Any]) -> bool:
    fold: Callable[[Any], Any] = lower if tests.get("mode") == "insensitive" else lambda text: text

    def one(operator: str, wanted: Any) -> bool:
        if operator == "ne":  # a comparison with null does not hold; None asks whether there is a value
            return not one("eq", wanted) and (wanted is None or value is not None)
        if operator == "notIn":
            return not one("in", wanted) and value is not None
        if operator == "eq" and wanted is None:
            return value is None
        if value is None:
            return False
        left = fold(value)
        if operator == "in":
            return left in [fold(item) for item in wanted]
        right = fold(wanted)
        # texts compare by code point, which is the order of their UTF-8, too
        return {
            "eq": lambda: left == right,
            "gt": lambda: left > right,
            "gte": lambda: left >= right,
            "lt": lambda: left < right,
            "lte": lambda: left <= right,
            "contains": lambda: right in left,
            "startsWith": lambda: left.startswith(right),
            "endsWith": lambda: left.endswith(right),
        }[operator]()

    return all(one(operator, wanted) for operator, wanted in tests.items() if operator != "mode")


@pytest.fixture
async def both(tmp_path: Path, postgres_database: str) -> AsyncIterator[list[Database]]:
    from contextlib import AsyncExitStack

    from sternpost import Sternpost
    from tests.data.library import look, write

    async with AsyncExitStack() as stack:
        found: list[Database] = []
        for url in (f"sqlite:///{tmp_path / 'parity.sqlite'}", postgres_database):
            own = Sternpost(
                contract,
                services=[look, write],
                settings=Settings.model_validate({"env": "test", "database_url": url, "jwt_secret": SECRET}),
            )
            db = await stack.enter_async_context(own.data())
            await db.access.model.storage.create_schema()
            people = await db.table(Person).create_many(PEOPLE, returning=True)
            ids = {row.email: row.id for row in people}
            rows = [{**book, "owner_id": None if book["owner"] is None else ids[str(book["owner"])]} for book in BOOKS]
            await db.table(Book).create_many(
                [{name: value for name, value in row.items() if name != "owner"} for row in rows]
            )
            found.append(db)
        yield found


@rounds(50, 1000)
async def test_conditions_mean_the_same_everywhere(both: list[Database], rounds: int) -> None:
    def related(name: str, row: dict[str, Any]) -> Any:
        if name == "books":
            return [book for book in BOOKS if book["owner"] == int(row["email"])]
        return None if row["owner"] is None else PEOPLE[row["owner"]]

    async def check(where: dict[str, Any]) -> None:
        expected = sorted(row["email"] for row in PEOPLE if holds(where, row, related))
        for db in both:
            found = await db.table(Person).find(where, fields=["email"])
            assert sorted(row.email for row in found) == expected

    await for_drawn(rounds, check, WHERE)
