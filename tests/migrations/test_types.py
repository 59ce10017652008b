"""Every type of a field becomes every other one: what fits arrives as clients expect it, and what does not fit stays."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from sternpost import Settings
from sternpost.app.migrating import fingerprints_of, shape_of
from sternpost.migrations.conversions import conversion
from sternpost.migrations.history import History, read_history, write_revision
from sternpost.migrations.planner import Answers, plan_steps
from sternpost.migrations.runner import MigrationFailed, Runner
from sternpost.migrations.shape import same
from sternpost.migrations.verify import verify
from sternpost.ports.migrator import Migrator
from sternpost.ports.schema import Shape
from sternpost.testing import Client
from tests.migrations.test_databases import run, scratch, target, target_of
from tests.support.contracts import app_of, contract_text, plan_of

__all__ = ["scratch", "target"]

UUID = "0190f1d2-0000-7000-8000-00000000000a"
WORDS = ("12", "1.50", "true", "2026-01-02", "2026-01-02T03:04:05Z", UUID)

TYPES = {
    "text": "str",
    "word": f"Literal[{', '.join(map(repr, WORDS))}]",
    "whole": "int",
    "number": "float",
    "truth": "bool",
    "price": "Decimal",
    "exact": "Decimal",
    "instant": "datetime",
    "day": "date",
    "key": "UUID",
    "data": "Json",
}
OPTIONS = {"price": "max_digits=8, decimal_places=2", "exact": "max_digits=14, decimal_places=4"}
DEFAULTS = {
    "text": "'12'",
    "word": "'12'",
    "whole": "12",
    "number": "1.5",
    "truth": "True",
    "price": "Decimal('1.50')",
    "exact": "Decimal('1.5')",
    "instant": "datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)",
    "day": "date(2026, 1, 2)",
    "key": f"UUID('{UUID}')",
    "data": "{'a': 1}",
}
VALUES: dict[str, Any] = {
    "text": "some text",
    "word": "12",
    "whole": 12,
    "number": 1.5,
    "truth": True,
    "price": "1.50",
    "exact": "1.5000",
    "instant": "2026-01-02T03:04:05Z",
    "day": "2026-01-02",
    "key": UUID,
    "data": {"a": 1},
}
"""What clients send and get."""

BECOMES: dict[tuple[str, str], tuple[Any, Any]] = {
    **{("whole", to): (12, value) for to, value in {"text": "12", "number": 12.0, "truth": True}.items()},
    ("whole", "price"): (12, "12.00"),
    ("whole", "exact"): (-3, "-3.0000"),
    ("number", "text"): (1.5, "1.5"),
    ("number", "whole"): (2.5, 2),
    ("number", "price"): (1.005, "1.01"),
    ("number", "exact"): (-0.00005, "-0.0001"),
    ("truth", "text"): (False, "false"),
    ("truth", "whole"): (True, 1),
    ("price", "text"): ("-0.05", "-0.05"),
    ("price", "whole"): ("-1.99", -1),
    ("price", "number"): ("1.10", 1.1),
    ("price", "exact"): ("123456.78", "123456.7800"),
    ("exact", "price"): ("-1.0050", "-1.01"),
    ("exact", "text"): ("0.5000", "0.5000"),
    ("exact", "whole"): ("9.9999", 9),
    ("exact", "number"): ("0.1000", 0.1),
    ("instant", "text"): ("2026-01-02T03:04:05.060000Z", "2026-01-02T03:04:05.060000Z"),
    ("instant", "day"): ("2026-01-02T23:30:00-01:00", "2026-01-03"),
    ("day", "text"): ("2026-01-02", "2026-01-02"),
    ("day", "instant"): ("2026-01-02", "2026-01-02T00:00:00Z"),
    ("key", "text"): (UUID, UUID),
    **{(text, "text" if text == "word" else "word"): (UUID, UUID) for text in ("text", "word")},
    **{
        (text, to): (source, value)
        for text in ("text", "word")
        for to, source, value in (
            ("whole", "12", 12),
            ("number", "1.50", 1.5),
            ("truth", "true", True),
            ("price", "1.50", "1.50"),
            ("exact", "1.50", "1.5000"),
            ("instant", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("day", "2026-01-02", "2026-01-02"),
            ("key", UUID, UUID),
        )
    },
}
"""What is sent as one type, and what it is as another. Pairs that are not here have no obvious way: they are asked."""

TEXTS: list[tuple[str, str, Any]] = [
    ("whole", "+0012", 12),
    ("whole", "-9223372036854775808", -9223372036854775808),
    ("number", ".5e1", 5.0),
    ("price", "1.005", "1.01"),
    ("price", "-1.005", "-1.01"),
    ("price", "1e3", "1000.00"),
    ("instant", "2026-01-02T03:04:05", "2026-01-02T03:04:05Z"),
    ("instant", "2026-01-02 03:04:05+02:00", "2026-01-02T01:04:05Z"),
    ("instant", "2026-01-02T03:04:05.5Z", "2026-01-02T03:04:05.500000Z"),
    ("key", UUID.replace("-", "").upper(), UUID),
]
"""Texts that are not written as clients would get them."""

MISFITS: list[tuple[str, str, str]] = [
    *(("text", to, "hello") for to in ("whole", "number", "truth", "price", "instant", "day", "key", "word")),
    *(("text", to, "") for to in ("whole", "number", "truth", "price", "instant", "day", "key")),
    ("text", "whole", "1.0"),
    ("text", "whole", " 1"),
    ("text", "whole", "1_000"),
    ("text", "whole", "9223372036854775808"),
    ("text", "number", "nan"),
    ("text", "number", "1e999"),
    ("text", "number", "infinity"),
    ("text", "truth", "yes"),
    ("text", "price", "1-2"),
    ("text", "price", "1000000"),
    ("text", "price", "NaN"),
    ("text", "day", "2026-02-30"),
    ("text", "day", "2026-1-2"),
    ("text", "day", "tomorrow"),
    ("text", "day", "01/02/2026"),
    ("text", "instant", "2026-02-30T00:00:00Z"),
    ("text", "instant", "2026-01-02T24:00:00Z"),
    ("text", "instant", "2026-01-02"),
    ("text", "instant", "now"),
    ("text", "instant", "helloZ"),
    ("text", "instant", "9999-12-31T23:00:00-02:00"),
    ("text", "instant", "0001-01-01T00:00:00+02:00"),
    ("text", "key", "{" + UUID + "}"),
    ("text", "key", UUID[:-1]),
    ("whole", "price", "1000000"),
    ("number", "whole", "1e19"),
    ("number", "price", "1e6"),
    ("exact", "price", "9999999999"),
]

FORMS = [
    "required",
    *(
        pytest.param(form, marks=pytest.mark.slow)
        for form in ("becomes required", "nullable", "default", "becomes nullable")
    ),
]


def declared(kind: str, *, nullable: bool, default: bool, other: str = "") -> str:
    """A field; the default of a text can become a value of the `other` type."""
    text, _ = BECOMES.get((kind, other), (None, None)) if kind in ("text", "word") else (None, None)
    value = DEFAULTS[kind] if text is None else repr(text)
    options = [option for option in (OPTIONS.get(kind), f"default={value}" if default else None) if option]
    return f"{TYPES[kind]}{' | None' if nullable else ''}" + (f" = field({', '.join(options)})" if options else "")


IMPORTS = (
    "from datetime import UTC\nfrom ipaddress import ip_address\nfrom uuid import UUID\n"
    "from sternpost import IPAddress, Json\n"
)


def boxes(fields: dict[str, str]) -> str:
    first = "from __future__ import annotations"
    return contract_text({"Box": fields}).replace(first, f"{first}\n{IMPORTS}", 1)


def asked(old: Shape, new: Shape, using: Callable[[str], str]) -> Answers:
    """Answers for the columns that have no conversion of their own, and for those that had no value."""
    before = {column.name: column for column in old["boxes"].columns}
    after = [column for column in new["boxes"].columns if column.name in before]
    names = [one.name for one in after if conversion(before[one.name].type, one.type, "x") is None]
    empty = [one.name for one in after if before[one.name].nullable and not one.nullable and one.fill is None]
    fills, conversions = ({f"boxes.{name}": using(name) for name in found} for found in (empty, names))
    return Answers(fills=fills, conversions=conversions)


def history_of(folder: Path, before: str, after: str, up: Callable[[str], str], down: Callable[[str], str]) -> History:
    for text in (before, after):
        plan, history = plan_of(text), read_history(folder)
        old, new = history.shape(), shape_of(plan)
        there, back = (asked(old, new, up), asked(new, old, down)) if old else (Answers(), Answers())
        (steps, questions), (undo, more) = plan_steps(old, new, there), plan_steps(new, old, back)
        assert [question.text for question in (*questions, *more)] == []
        write_revision(history, title="boxes", fingerprints=fingerprints_of(plan), up=steps, down=undo)
    history = read_history(folder)
    assert same(history.shape(), shape_of(plan))
    assert plan_steps(history.shape(), shape_of(plan), Answers()) == ([], [])
    return history


@pytest.mark.parametrize("form", FORMS)
async def test_every_type_becomes_every_other(
    form: str, database_url: str, scratch: Any, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """All pairs in one table: what is planned converges, is proved, and clients get what they had in the new type."""
    import asyncio

    pairs = {f"{old}_to_{new}": (old, new) for old, new in product(TYPES, TYPES)}
    was_nullable, is_nullable = form in ("nullable", "becomes required"), form in ("nullable", "becomes nullable")
    default = form in ("default", "becomes required")
    before = boxes(
        {n: declared(old, nullable=was_nullable, default=default, other=new) for n, (old, new) in pairs.items()}
    )
    after = boxes(
        {n: declared(new, nullable=is_nullable, default=default, other=old) for n, (old, new) in pairs.items()}
    )
    history = history_of(
        tmp_path,
        before,
        after,
        lambda name: literal(*pairs[name], nullable=is_nullable),
        lambda name: literal(*reversed(pairs[name]), nullable=was_nullable),
    )
    sent = {camel(name): BECOMES.get(pair, (VALUES[pair[0]], None))[0] for name, pair in pairs.items()}
    expected = {
        camel(name): VALUES[pair[0]] if pair[0] == pair[1] else BECOMES[pair][1]
        for name, pair in pairs.items()
        if pair[0] == pair[1] or pair in BECOMES
    }
    async with Client(app_of(before, make_settings())) as client:
        answer = await client.request("POST", "/api/v1/boxes", json=sent)
        assert answer.status == 201, answer.content
        made = answer.json()["data"]
        empty = await client.request("POST", "/api/v1/boxes", json=dict.fromkeys(sent) if was_nullable else sent)
        assert empty.status == 201, empty.content

    def migrated() -> None:
        assert Runner(target_of(database_url), history).apply(allow_destructive=True) == ["0002_boxes"]
        with scratch as make:
            problems = [
                text[-900:] for proof in verify(history, plan_of(after), make(), make()) for text in proof.problems
            ]
            assert problems == []

    await asyncio.to_thread(migrated)
    async with Client(app_of(after, make_settings())) as client:
        answer = await client.request("GET", f"/api/v1/boxes/{made['id']}")
        assert answer.status == 200, answer.content
        found = answer.json()["data"]
        assert {name: found[name] for name in expected} == expected
        answer = await client.request("GET", f"/api/v1/boxes/{empty.json()['data']['id']}")
        assert answer.status == 200, answer.content
        if form == "nullable":
            nothing = answer.json()["data"]
            assert {name: nothing[name] for name in expected} == dict.fromkeys(expected)


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def literal(source: str, kind: str, *, nullable: bool) -> str:
    """An expression in the words of both databases, where there is no conversion, whose value can become `source` again."""
    if nullable:
        return "NULL"
    if (kind, source) in BECOMES and kind == "word":
        return f"'{BECOMES[kind, source][0]}'"
    return {
        "word": "'12'",
        "text": "'12'",
        "whole": "12",
        "number": "1.5",
        "truth": "1 = 1",
        "price": "1",
        "exact": "1",
        "data": "'{}'",
        "key": f"'{UUID}'",
        "day": "'2026-01-02'",
        "instant": "'2026-01-02T03:04:05'",
    }[kind]


def one_change(folder: Path, before: str, after: str) -> tuple[History, str]:
    texts = [boxes({"value": declared(kind, nullable=False, default=False)}) for kind in (before, after)]
    return history_of(folder, *texts, lambda name: "NULL", lambda name: "NULL"), texts[1]


@pytest.mark.parametrize(("before", "after", "value"), MISFITS)
def test_a_value_that_does_not_fit_stops_the_migration_and_stays(
    target: Migrator, database: str, tmp_path: Path, before: str, after: str, value: str
) -> None:
    history, _ = one_change(tmp_path, before, after)
    runner = Runner(target, history)
    runner.apply(to="0001")
    bad, good = f"'{value}'" if before == "text" else value, "12"
    if (before, database) == ("exact", "sqlite"):
        bad, good = f"{value}0000", "120000"
    if before == "text":
        good = {"truth": "'true'", "instant": "'2026-01-02T03:04:05Z'", "day": "'2026-01-02'", "key": f"'{UUID}'"}.get(
            after, "'12'"
        )
    run(
        target,
        f"INSERT INTO boxes (id, value) VALUES ('{1:032x}', {good})",
        f"INSERT INTO boxes (id, value) VALUES ('{2:032x}', {bad})",
    )
    rows = run(target, "SELECT id, value FROM boxes ORDER BY id")
    with pytest.raises(MigrationFailed):
        runner.apply(allow_destructive=True)
    assert run(target, "SELECT id, value FROM boxes ORDER BY id") == rows
    run(target, f"DELETE FROM boxes WHERE id = '{2:032x}'")
    assert runner.apply(allow_destructive=True) == ["0002_boxes"]


async def test_texts_in_other_notations_become_values(
    database_url: str, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    import asyncio

    names = {f"value_{number}": kind for number, (kind, _, _) in enumerate(TEXTS)}
    before = boxes(dict.fromkeys(names, "str"))
    after = boxes({name: declared(kind, nullable=False, default=False) for name, kind in names.items()})
    history = history_of(tmp_path, before, after, lambda name: "NULL", lambda name: "NULL")
    async with Client(app_of(before, make_settings())) as client:
        sent = {camel(name): text for name, (_, text, _) in zip(names, TEXTS, strict=True)}
        answer = await client.request("POST", "/api/v1/boxes", json=sent)
        assert answer.status == 201, answer.content
    await asyncio.to_thread(Runner(target_of(database_url), history).apply, allow_destructive=True)
    async with Client(app_of(after, make_settings())) as client:
        found = (await client.request("GET", f"/api/v1/boxes/{answer.json()['data']['id']}")).json()["data"]
    assert [found[camel(name)] for name in names] == [value for _, _, value in TEXTS]


FILLED: dict[str, tuple[str, str, Any]] = {
    "text": ("str", '"it\'s 10% of :a; -- \\\\ ü\\n"', "it's 10% of :a; -- \\ ü\n"),
    "word": ("Literal['a:b', \"it's\"]", '"it\'s"', "it's"),
    "whole": ("int", "-9223372036854775808", -9223372036854775808),
    "number": ("float", "1e300", 1e300),
    "small": ("float", "-2.5e-7", -2.5e-7),
    "truth": ("bool", "False", False),
    "price": ("Decimal", "Decimal('-0.05'), max_digits=8, decimal_places=2", "-0.05"),
    "exact": ("Decimal", "Decimal('99999999999999.9999'), max_digits=18, decimal_places=4", "99999999999999.9999"),
    "day": ("date", "date(2026, 1, 1)", "2026-01-01"),
    "instant": ("datetime", "datetime(2026, 1, 1, 12, tzinfo=UTC)", "2026-01-01T12:00:00Z"),
    "moved": (
        "datetime",
        "datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))",
        "2026-01-01T10:00:00.000005Z",
    ),
    "key": ("UUID", f"UUID('{UUID}')", UUID),
    "starts": ("time", "time(23, 59, 59, 5)", "23:59:59.000005"),
    "lasts": ("timedelta", "timedelta(days=-1, microseconds=7)", "-PT23H59M59.999993S"),
    "address": ("IPAddress", "ip_address('2001:db8::1')", "2001:db8::1"),
    "raw": ("bytes", "b'\\x00\\xff\\''", "AP8n"),
    "document": ("Json", "{'a': [1, 2.5, None, \"it's :b %\"]}", {"a": [1, 2.5, None, "it's :b %"]}),
    "listed": ("Json", "[]", []),
}


async def test_a_default_of_every_kind_is_created_and_migrated(
    database_url: str, scratch: Any, make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    """A row that is made has it, as does a row that is older than the field, whether it may be null or not."""
    import asyncio

    fields = {"label": "str | None"}
    for name, (kind, default, _) in FILLED.items():
        fields |= {
            name: f"{kind} = field(default={default})",
            f"{name}_or_null": f"{kind} | None = field(default={default})",
        }
    before, after = (
        boxes({"label": "str | None"}),
        boxes(fields).replace("import UTC", "import UTC, time, timedelta, timezone"),
    )
    history = history_of(tmp_path, before, after, lambda name: "NULL", lambda name: "NULL")
    expected = {name: value for name, (_, _, value) in FILLED.items()}
    async with Client(app_of(before, make_settings())) as client:
        older = (await client.request("POST", "/api/v1/boxes", json={})).json()["data"]

    def migrated() -> None:
        Runner(target_of(database_url), history).apply()
        with scratch as make:
            assert [text for proof in verify(history, plan_of(after), make(), make()) for text in proof.problems] == []

    await asyncio.to_thread(migrated)
    async with Client(app_of(after, make_settings())) as client:
        answer = await client.request("POST", "/api/v1/boxes", json={})
        assert answer.status == 201, answer.content
        made = answer.json()["data"]
        assert {name: made[name] for name in FILLED} == expected
        assert {name: made[f"{name}OrNull"] for name in FILLED} == expected
        found = (await client.request("GET", f"/api/v1/boxes/{older['id']}")).json()["data"]
        assert {name: found[name] for name in FILLED if name not in ("document", "listed")} == {
            name: value for name, value in expected.items() if name not in ("document", "listed")
        }


async def test_a_schema_with_a_default_of_every_kind_is_created_directly(
    make_settings: Callable[..., Settings],
) -> None:
    fields = {name: f"{kind} = field(default={default})" for name, (kind, default, _) in FILLED.items()}
    text = boxes(fields).replace("import UTC", "import UTC, time, timedelta, timezone")
    async with Client(app_of(text, make_settings())) as client:
        answer = await client.request("POST", "/api/v1/boxes", json={})
        assert answer.status == 201, answer.content
        made = answer.json()["data"]
    assert {name: made[name] for name in FILLED} == {name: value for name, (_, _, value) in FILLED.items()}
