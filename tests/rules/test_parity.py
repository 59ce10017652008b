"""Rules over rows mean the same in Python and in both databases: random conditions on random rows, and random spans."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from sternpost import (
    Contract,
    Email,
    IPAddress,
    One,
    Resource,
    Settings,
    Slug,
    Sternpost,
    check,
    field,
    this,
)
from sternpost.compile.compiler import compile_contract
from sternpost.data.database import Database
from sternpost.errors import ConstraintViolated, Overlapping
from sternpost.plan.row_errors import broken
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.sql.checks import row_condition
from sternpost.storage.sqlite.dialect import SqliteDialect
from sternpost.testing import Client
from tests.rules.clinic import Practitioner, Visit
from tests.rules.clinic import contract as clinic
from tests.support.rounds import rounds

DIALECTS = {"sqlite": SqliteDialect(), "postgresql": PostgresqlDialect()}
INSTANT = datetime(2026, 1, 1, tzinfo=UTC)


def things(*checks: Any) -> Any:
    """A contract with a resource that has these checks."""

    class Thing(Resource, prefix="thi", unique=[("mail",)], checks=list(checks)):
        a: int | None
        b: int | None
        x: Decimal | None = field(decimal_places=2)
        y: Decimal | None = field(decimal_places=2)
        f: float | None
        at: datetime | None
        until: datetime | None
        day: date | None
        word: str | None
        name: str | None
        mail: Email | None
        other_mail: Email | None = field(unique=True)
        on: bool | None
        clock: time | None
        clock_most: time | None
        length: timedelta | None
        address: IPAddress | None
        slug: Slug | None
        up: One[Thing] | None
        down: One[Thing] | None

    return Thing, Contract("things", resources=[Thing])


VALUES: dict[str, tuple[Any, ...]] = {
    "a": (0, 1, 2, -(2**63), 2**63 - 1),
    "b": (0, 1, 2, 2**63 - 1),
    "x": tuple(map(Decimal, ("0", "1.50", "1.51", "-2", "10"))),
    "y": tuple(map(Decimal, ("0.00", "1.50", "2.00", "9999999999.99"))),
    "f": (0.0, 0.1, 0.30000000000000004, -1.5, 1e300),
    "at": tuple(INSTANT + timedelta(microseconds=n) for n in (0, 1, 100000, 1000000, 86400000000)),
    "until": tuple(INSTANT + timedelta(microseconds=n) for n in (0, 1, 999999, 1000000)),
    "day": (date(2026, 1, 1), date(2026, 1, 2), date(1, 1, 1), date(9999, 12, 31)),
    "word": ("", "a", "A", "it's", 'say "a"', "a :b", "é"),
    "name": ("a", "A", "b"),
    "mail": ("a@example.com", "A@example.com", "b@example.com"),
    "other_mail": ("a@example.com", "A@Example.com", "c@example.com"),
    "on": (True, False),
    "clock": (time(0), time(12, 30), time(12, 30, 0, 1), time(23, 59, 59, 999999)),
    "clock_most": (time(0), time(12, 30), time(12, 30, 1)),
    "length": (timedelta(0), timedelta(microseconds=1), timedelta(days=1), timedelta(days=-1)),
    "slug": ("a", "a-b"),
}
PAIRS = (
    ("a", "b"),
    ("x", "y"),
    ("at", "until"),
    ("word", "name"),
    ("mail", "other_mail"),
    ("up", "down"),
    ("up", "id"),
)
ORDERED = ("a", "b", "x", "y", "f", "at", "until", "day", "clock", "clock_most", "length")
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def condition(random: Random, depth: int = 0) -> Any:
    """A condition, as its author would write it."""
    kind = random.choice(("constant", "constant", "pair", "null", "in", "not", "and", "or")[: 5 if depth == 3 else 8])
    if kind in ("and", "or"):
        one, other = condition(random, depth + 1), condition(random, depth + 1)
        return one & other if kind == "and" else one | other
    if kind == "not":
        return ~condition(random, depth + 1)
    if kind == "pair":
        names = random.choice(PAIRS)
        operators = OPERATORS if names[0] in ORDERED else ("==", "!=")
        return OPERATORS[random.choice(list(operators))](*(getattr(this, name) for name in names))
    name = random.choice(list(VALUES))
    value = getattr(this, name)
    if kind == "null":
        return value.is_null
    if kind == "in" and name != "on":
        return value.in_(*random.sample(VALUES[name], 2))
    operators = OPERATORS if name in ORDERED else ("==", "!=")
    return OPERATORS[random.choice(list(operators))](value, random.choice(VALUES[name]))


def row(random: Random, ids: list[str]) -> dict[str, Any]:
    values = {name: random.choice((None, *each)) for name, each in VALUES.items() if "mail" not in name}
    values |= dict.fromkeys(("mail", "other_mail"))
    return {**values, "up": random.choice((None, *ids)), "down": random.choice((None, *ids))}


async def test_conditions_mean_the_same_everywhere(make_settings: Callable[..., Settings], database: str) -> None:
    random = Random(7)
    thing, contract = things()
    app = Sternpost(contract, settings=make_settings(), write_log=lambda line: None)
    async with Client(app), app.data() as db:
        ids: list[str] = []
        mails = [(one, None) for one in VALUES["mail"][1:]] + [(None, other) for other in VALUES["other_mail"][1:]]
        mails += [("z@example.com", "Z@example.com"), ("y@example.com", "x@example.com")]
        for number in range(60):
            values = row(random, ids)
            if number < len(mails):
                values["mail"], values["other_mail"] = mails[number]
            given = {name: value for name, value in values.items() if name not in ("up", "down")}
            given |= {f"{name}_id": values[name] for name in ("up", "down")}
            ids.append((await db.table(thing).create(given)).id)
        stored = await db.table(thing).find()
        for _ in range(150):
            await _compare(db, stored, condition(random), database)


async def _compare(db: Database, stored: Any, wanted: Any, database: str) -> None:
    _, contract = things(check(wanted, name="it"))
    resource = compile_contract(contract).plan.by_name["Thing"]
    text = row_condition(resource.checks[0].condition, resource, DIALECTS[database])
    found = {r["id"]: r["it"] for r in await db.sql(f"SELECT id, ({text}) AS it FROM things")}
    found = {str(key).replace("-", ""): None if truth is None else bool(truth) for key, truth in found.items()}
    ((_, test),) = resource.row_checks
    for each in stored:
        values = {name: _plain(value) for name, value in vars(each).items()}
        assert test(values) is found[values["id"]], (text, values)
        assert bool(broken(resource, values)) is (found[values["id"]] is False)


def _plain(value: Any) -> Any:
    """A value in the pipeline's form: ids as digits."""
    value = value.id if isinstance(value, One) else value
    return value.removeprefix("thi_") if isinstance(value, str) else value


def _may(spans: dict[str, Any], key: str, span: Any) -> bool:
    """Whether a span has room among the others: the model."""
    if span is None:
        return True
    start, end = _closed(span)
    others = [_closed(other) for name, other in spans.items() if name != key and other is not None]
    return not any(low < end and start < high for low, high in others)


def _closed(span: Any) -> tuple[int, int]:
    start, end = span
    return -1 if start is None else start, 1000 if end is None else end


@rounds(2, 40)
async def test_spans_keep_apart_as_in_a_model(make_settings: Callable[..., Settings], rounds: int) -> None:
    app = Sternpost(clinic, settings=make_settings(), write_log=lambda line: None)
    async with Client(app), app.data(tenants="all") as db:
        for seed in range(rounds):
            who = await db.table(Practitioner).create({"name": str(seed)})
            await _play(db, Random(seed), who.id)


async def _play(db: Database, random: Random, who: str) -> None:
    """Random changes of one practitioner's visits; `alive` has the span of each that is compared."""
    alive: dict[str, Any] = {}
    spans: dict[str, Any] = {}
    deleted: set[str] = set()
    visits = db.table(Visit)
    for _ in range(40):
        start, end = random.choice((None, *range(12))), random.choice((None, *range(12)))
        action = random.choice(("create", "create", "move", "cancel", "plan", "delete", "restore", "many"))
        values = {"starts_at": _hour(start), "ends_at": _hour(end)}
        wrong = start is not None and end is not None and start >= end
        if action in ("create", "many"):
            data = {"practitioner_id": who, **values}
            allowed = _may(alive, "", (start, end))
            if action == "create":
                made = await _tried(visits.create(data), wrong=wrong, allowed=allowed)
            else:
                skipped = visits.create_many([data], on_conflict="skip", returning=True)
                rows = await _tried(skipped, wrong=wrong, allowed=True)
                assert wrong or len(rows) == allowed
                made = rows[0] if rows else None
            if made is not None:
                alive[made.id] = spans[made.id] = (start, end)
            continue
        key = random.choice([*spans, None])
        if key is None or (key in deleted) is not (action == "restore"):
            continue
        if action == "move":
            allowed = alive[key] is None or _may(alive, key, (start, end))
            if await _tried(visits.update(key, values), wrong=wrong, allowed=allowed):
                spans[key] = (start, end)
                alive[key] = None if alive[key] is None else (start, end)
        elif action == "cancel":
            await visits.update(key, {"status": "cancelled"})
            alive[key] = None
        elif action == "plan":
            allowed = _may(alive, key, spans[key])
            if await _tried(visits.update(key, {"status": "planned"}), wrong=False, allowed=allowed):
                alive[key] = spans[key]
        elif action == "delete":
            await visits.delete(key)
            deleted.add(key)
            alive[key] = None
        elif await _tried(visits.restore(key), wrong=False, allowed=await _may_return(db, alive, spans, key)):
            deleted.discard(key)
            alive[key] = spans[key] if (await visits.get(key)).status == "planned" else None


async def _may_return(db: Database, alive: dict[str, Any], spans: dict[str, Any], key: str) -> bool:
    found = await db.table(Visit).with_deleted().get(key)
    return found.status != "planned" or _may(alive, key, spans[key])


async def _tried(change: Any, *, wrong: bool, allowed: bool) -> Any:
    """What a change gives; None where it is refused, as it must be."""
    if wrong:
        with pytest.raises(ConstraintViolated):
            await change
        return None
    if not allowed:
        with pytest.raises(Overlapping):
            await change
        return None
    return await change


def _hour(number: int | None) -> datetime | None:
    return None if number is None else INSTANT + timedelta(hours=number)
