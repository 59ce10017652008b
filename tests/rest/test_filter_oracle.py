"""Filters of lists against Python: random rows and random questions, over what the caller may read."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal, cast
from urllib.parse import quote

from sternpost import (
    Browse,
    Contract,
    Create,
    Database,
    One,
    Read,
    Resource,
    Settings,
    Sternpost,
    Table,
    field,
    public,
    related,
    scope,
    this,
)
from sternpost.testing import Client

QUESTIONS = 250
TEXTS = ("", "Ada", "ada", "ADA", "a", "b%", "b_", "b\\", "it's, so", "Straße", "STRASSE", "Ünal", "ünal", "x,y", "0")
NUMBERS = (-3, 0, 1, 2, 7)
AMOUNTS = tuple(map(Decimal, ("-1.50", "0.00", "2.00", "2.01", "100.00")))
DAYS = (date(1999, 12, 31), date(2000, 1, 1), date(2026, 2, 28))
KINDS = ("cat", "dog", "eel")

Row = dict[str, Any]
Test = Callable[[Row], bool]


class Owner(Resource, prefix="own"):
    name: str = field(filter=True)
    secret: str | None = field(filter=True, read="secrets")
    hidden: bool = field(default=False)

    read = Read(allow=~this.hidden.eq(True) | scope("all"))
    create = Create(allow=public)


class Pet(Resource, prefix="pet"):
    owner: One[Owner] | None
    buddy: One[Pet] | None
    name: str | None = field(filter=True)
    weight: int = field(filter=True)
    amount: Decimal | None = field(decimal_places=2, filter=True)
    born: date | None = field(filter=True)
    kind: Literal["cat", "dog", "eel"] = field(filter=True)
    tame: bool | None = field(filter=True)
    tags: list[str] = field(filter=True)
    numbers: list[int] | None = field(filter=True)
    shown: bool = field(default=True)

    browse = Browse(
        allow=this.shown.eq(True) | scope("all"),
        filter=[
            "owner.name",
            related("owner.secret"),
            "buddy.weight",
            related("buddy.owner.name", all=True),
        ],
        or_groups=3,
        max_page_size=500,
    )
    read = Read(allow=this.shown.eq(True) | scope("all"))
    create = Create(allow=public)


VALUES: Mapping[str, Sequence[Any]] = {
    "name": TEXTS,
    "weight": NUMBERS,
    "amount": AMOUNTS,
    "born": DAYS,
    "kind": KINDS,
    "tame": (True, False),
    "tags": TEXTS,
    "numbers": NUMBERS,
    "secret": TEXTS,
}


def lower(text: str) -> str:
    """Without the case of ASCII letters."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in text)


HOLDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, asked: value == asked,
    "ne": lambda value, asked: value != asked,
    "gt": lambda value, asked: value > asked,
    "gte": lambda value, asked: value >= asked,
    "lt": lambda value, asked: value < asked,
    "lte": lambda value, asked: value <= asked,
    "in": lambda value, asked: value in asked,
    "contains": lambda value, asked: asked in value,
    "startsWith": lambda value, asked: value.startswith(asked),
    "iEq": lambda value, asked: lower(value) == lower(asked),
    "iContains": lambda value, asked: lower(asked) in lower(value),
    "iStartsWith": lambda value, asked: lower(value).startswith(lower(asked)),
    "has": lambda value, asked: asked in value,
    "hasAny": lambda value, asked: any(one in value for one in asked),
    "hasAll": lambda value, asked: all(one in value for one in asked),
}


def written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Questions:
    """Makes questions for one caller, each with what finds its rows in Python."""

    def __init__(self, chance: random.Random, filters: Mapping[str, Sequence[str]], *, everything: bool) -> None:
        self.chance = chance
        self.filters = filters
        self.everything = everything

    def one(self, prefix: str = "") -> tuple[str, Test]:
        name = self.chance.choice([name for name in self.filters if self.everything or name != "owner.secret"])
        operator = self.chance.choice(self.filters[name])
        field = name.rpartition(".")[2]
        shown = prefix + (name if operator == "eq" else f"{name}[{operator}]")
        if operator == "isNull":
            wanted = self.chance.random() < 0.5
            return f"{shown}={written(wanted)}", lambda row: self.fits(
                row, name, lambda value: (value is None) is wanted
            )
        values = VALUES[field]
        if operator in ("in", "hasAny", "hasAll"):
            asked: Any = self.chance.sample(values, self.chance.randint(1, 2))
            sent = ",".join(written(value).replace("\\", "\\\\").replace(",", "\\,") for value in asked)
        else:
            asked = self.chance.choice(values)
            sent = written(asked)
        holds = HOLDS[operator]
        return (
            f"{shown}={quote(sent)}",
            lambda row: self.fits(row, name, lambda value: value is not None and holds(value, asked)),
        )

    def fits(self, row: Row, name: str, test: Callable[[Any], bool]) -> bool:
        *way, field = name.split(".")
        seen = self.everything or name == "buddy.owner.name"
        for reference in way:
            row = row[reference]
            if row is None or not (seen or (not row["hidden"] if reference == "owner" else row["shown"])):
                return False
        return test(row[field])

    def question(self) -> tuple[str, Test]:
        """Some filters, and at times groups of them joined by or."""
        parts = [self.one() for _ in range(self.chance.randint(0, 2))]
        groups = [
            [self.one(f"or.{number}.") for _ in range(self.chance.randint(1, 2))]
            for number in range(self.chance.choice((0, 0, 2, 3)))
        ]
        asked = dict(part[0].split("=", 1) for part in (*parts, *(part for group in groups for part in group)))
        if len(asked) < len(parts) + sum(map(len, groups)):
            return self.question()  # the same filter twice is refused

        def found(row: Row) -> bool:
            together = all(test(row) for _, test in parts)
            return together and (not groups or any(all(test(row) for _, test in group) for group in groups))

        return "&".join(f"{quote(name)}={value}" for name, value in asked.items()), found


async def filled(db: Database, chance: random.Random) -> dict[str, Row]:
    """Random rows, and the same as dictionaries."""
    owners, pets, made = Table(db, Owner), Table(db, Pet), dict[str, Row]()

    def some(values: Sequence[Any], null: bool = False) -> Any:
        return None if null and chance.random() < 0.2 else chance.choice(values)

    people = list[Row]()
    for _ in range(12):
        values = {"name": some(TEXTS), "secret": some(TEXTS, null=True), "hidden": chance.random() < 0.4}
        people.append({**values, "id": (await owners.create(cast("Any", values))).id})
    for _ in range(70):
        values = {
            "name": some(TEXTS, null=True),
            "weight": some(NUMBERS),
            "amount": some(AMOUNTS, null=True),
            "born": some(DAYS, null=True),
            "kind": some(KINDS),
            "tame": some((True, False), null=True),
            "tags": chance.sample(TEXTS, chance.randint(0, 3)),
            "numbers": some([chance.sample(NUMBERS, chance.randint(0, 3))], null=True),
            "shown": chance.random() < 0.8,
        }
        owner, buddy = some(people, null=True), some([None, *made.values()])
        links = {f"{name}_id": row["id"] for name, row in (("owner", owner), ("buddy", buddy)) if row is not None}
        key = (await pets.create(cast("Any", {**values, **links}))).id
        made[key] = {**values, "id": key, "owner": owner, "buddy": buddy}
    return made


async def test_lists_find_what_python_finds(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(Contract("pets", resources=[Owner, Pet]), settings=make_settings())
    app._write_log = lambda line: None
    chance = random.Random(20261129)
    query = app.plan.operations["pets.browse"][1].query
    assert query is not None
    rows_shape = query.rows
    filters = {each.public_name: list(each.operators) for each in rows_shape.filters}
    filters |= {
        ".".join((*each.public_path, each.filter.public_name)): list(each.filter.operators)
        for each in rows_shape.related
    }
    assert {operator for operators in filters.values() for operator in operators} == {*HOLDS, "isNull"}
    found_some = 0
    async with Client(app) as client:
        async with app.data() as db:
            rows = await filled(db, chance)
        for number in range(QUESTIONS):
            everything = number % 2 == 0
            token = client.token("ann", *(["all", "secrets"] if everything else []))
            query, fits = Questions(chance, filters, everything=everything).question()
            expected = {key for key, row in rows.items() if (everything or row["shown"]) and fits(row)}
            answer = await client.get(f"/api/v1/pets?pageSize=500&{query}", token=token)
            assert answer.status == 200, (query, answer.content)
            assert {row["id"] for row in answer.data} == expected, query
            found_some += bool(expected)
    assert found_some > QUESTIONS / 3
