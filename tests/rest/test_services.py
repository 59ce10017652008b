"""What authors' functions return and raise, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest

from sternpost import (
    Change,
    Context,
    Contract,
    Create,
    Custom,
    Json,
    Payload,
    Resource,
    Settings,
    Sternpost,
    Update,
    field,
    implements,
    public,
)
from sternpost.errors import Detail, SternpostError, Unavailable, Unprocessable
from sternpost.testing import Client
from tests.conftest import LogLines


class Report(Payload):
    total: int
    price: Decimal = field(decimal_places=2, max_digits=10)
    day: date | None
    state: Literal["open", "shut"] = field(default="open")
    extra: Json = field(default=None)


class Note(Resource, prefix="not"):
    text: str = field(default="")
    extra: Json = field(default=None)

    update = Update(allow=public)
    create = Create(allow=public)
    report = Custom(on="collection", output=Report, allow=public)
    pay = Custom(on="collection", output=None, allow=public)
    fail = Custom(on="collection", output=None, allow=public)


class Unpaid(SternpostError):
    """An author's own error, with a status of its own."""

    http_status = 402


@dataclass
class Given:
    """What the functions return or raise next."""

    returned: Any = None
    raised: Exception | None = None
    make: Callable[[], Exception] | None = None
    """Makes what is raised, within the function."""


GIVEN = Given()


@implements(Note.report)
async def report(ctx: Context) -> Report:
    await ctx.data.table(Note).create({"text": "kept with the answer"})
    return GIVEN.returned


@implements(Note.update)
async def update(ctx: Context, change: Change[Note]) -> Note:
    change["extra"] = GIVEN.returned
    return await change.apply()


@implements(Note.pay)
async def pay(ctx: Context) -> None:
    await ctx.data.table(Note).create({"text": "not kept"})
    assert GIVEN.raised is not None
    raise GIVEN.raised


@implements(Note.fail)
async def fail(ctx: Context) -> None:
    await ctx.data.table(Note).create({"text": "not kept"})
    assert GIVEN.make is not None
    raise GIVEN.make()


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    contract = Contract("notes", resources=[Note])
    app = Sternpost(contract, services=[report, update, pay, fail], settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


@dataclass
class Loose:
    """Not the declared class, but with its attributes."""

    total: Any = 1
    price: Any = Decimal("1.50")
    day: Any = None
    extra: Any = None
    secret: str = "stays inside"


def endless() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


NO_JSON: list[Any] = [
    {1, 2},
    "\ud800",
    {"\ud800": 1},
    "\x00",
    Decimal("NaN"),
    {1: 2},
    float("nan"),
    [float("inf")],
    b"x",
    endless(),
]


async def test_only_what_is_declared_leaves(client: Client) -> None:
    GIVEN.returned = Loose(day=date(2026, 1, 2))
    answer = await client.post("/api/v1/notes/report")
    assert answer.data == {"total": 1, "price": "1.50", "day": "2026-01-02", "state": "open", "extra": None}


@pytest.mark.parametrize(
    ("returned", "member"),
    [
        (None, "total"),
        ({"total": 1, "price": Decimal(1)}, "total"),
        (Loose(total=None), "total"),
        (Loose(total="1"), "total"),
        (Loose(total=True), "total"),
        (Loose(total=2**63), "total"),
        (Loose(price=None), "price"),
        (Loose(price="1.50"), "price"),
        (Loose(price=Decimal("NaN")), "price"),
        (Loose(day="2026-01-02"), "day"),
        *((Loose(extra=value), "extra") for value in NO_JSON),
        (type("Strange", (Loose,), {"state": "gone"})(), "state"),
    ],
)
async def test_an_answer_that_does_not_fit_is_500_and_named_in_the_log(
    client: Client, log_lines: LogLines, returned: Any, member: str
) -> None:
    GIVEN.returned = returned
    answer = await client.post("/api/v1/notes/report")
    assert (answer.status, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
    assert "Report" not in answer.content.decode()
    (line,) = [line for line in log_lines.lines if line["level"] == "error" and "stack" in line]
    assert f"Report.{member} does not fit its declaration" in line["stack"]
    async with client.app.data() as db:
        assert await db.table(Note).count() == 0


@pytest.mark.parametrize("number", range(len(NO_JSON)))
async def test_what_is_no_json_is_not_written(client: Client, number: int) -> None:
    """By none of the ways by which an author writes."""
    GIVEN.returned = NO_JSON[number]
    async with client.app.data() as db:
        notes = db.table(Note)
        note = await notes.create({"extra": {"a": [1, 0.5, None, "é", True]}})
        with pytest.raises(ValueError, match=r"Note\.extra is no JSON"):
            await notes.create({"extra": NO_JSON[number]})
        with pytest.raises(ValueError, match=r"Note\.extra is no JSON"):
            await notes.update(note.id, {"extra": [NO_JSON[number]]})
        assert (await client.patch(f"/api/v1/notes/{note.id}", json={"text": "x"})).status == 500
        assert [row.extra for row in await notes.find()] == [{"a": [1, 0.5, None, "é", True]}]


async def test_an_error_of_the_authors_has_its_own_status(client: Client) -> None:
    GIVEN.raised = Unpaid("Pay first", code="UNPAID")
    answer = await client.post("/api/v1/notes/pay")
    assert (answer.status, answer.json()["error"]["code"]) == (402, "UNPAID")
    assert answer.json()["error"]["message"] == "Pay first"
    async with client.app.data() as db:
        assert await db.table(Note).count() == 0


@pytest.mark.parametrize(
    ("make", "message", "details"),
    [
        (lambda: Unprocessable("a\ud800b"), "a\\ud800b", []),
        (lambda: Unprocessable("m", code="\udfff"), "m", []),
        (lambda: Unprocessable("m", details=[Detail("\ud800", "c", "\ud801")]), "m", [("\\ud800", "c", "\\ud801")]),
        (lambda: Unprocessable("m", log={"why": "\ud800", "\ud800": {"\ud801": [object(), "\ud802"]}}), "m", []),
        (lambda: Unprocessable("ä😀\0"), "ä😀\0", []),
    ],
)
async def test_an_error_that_utf_8_cannot_write_is_answered(
    client: Client, log_lines: LogLines, make: Callable[[], Exception], message: str, details: list[tuple[str, ...]]
) -> None:
    GIVEN.make = make
    answer = await client.post("/api/v1/notes/fail")
    assert (answer.status, answer.error["message"]) == (422, message)
    assert [tuple(detail.values()) for detail in answer.error["details"]] == details
    assert message in [line["message"] for line in log_lines.lines]


class Unstarted(SternpostError):
    """Leaves out what the class above does."""

    def __init__(self) -> None:
        pass


class Odd(SternpostError):
    http_status = 999


class Unspeakable(RuntimeError):
    def __str__(self) -> str:
        raise ValueError("has no text")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Unprocessable(5), "The message of an error must be a str, not int"),  # type: ignore[arg-type]
        (lambda: Unprocessable("m", code=5), "The code of an error must be a str, not int"),  # type: ignore[arg-type]
        (lambda: Unprocessable("m", details=["x"]), "details of an error takes Detail, not str"),  # type: ignore[list-item]
        (lambda: Unprocessable("m", details=[Detail("a", "b", object())]), "Detail.message must be a str, not object"),  # type: ignore[arg-type]
        (lambda: Unprocessable("m", log=["x"]), "log of an error takes Mapping, not list"),  # type: ignore[arg-type]
        (lambda: Unavailable(retry_after_seconds="1\r\nx: y"), "takes int, not str"),  # type: ignore[arg-type]
        (Unstarted, "'Unstarted' object has no attribute"),
        (Odd, "Odd.http_status is no status of an error: 999"),
        (Unspeakable, "test_services.Unspeakable"),
    ],
)
async def test_an_error_that_is_none_is_the_authors_mistake(
    client: Client, log_lines: LogLines, make: Callable[[], Exception], said: str
) -> None:
    GIVEN.make = make
    answer = await client.post("/api/v1/notes/fail")
    assert (answer.status, answer.error["code"]) == (500, "INTERNAL_ERROR")
    assert said not in answer.content.decode()
    assert any(said in line.get("stack", "") for line in log_lines.lines)
    async with client.app.data() as db:
        assert await db.table(Note).count() == 0


@pytest.mark.parametrize(
    ("make", "told", "more"),
    [
        (lambda: Unprocessable("m", details=[Detail("a", "b", "c")] * 100), 100, 0),
        (lambda: Unprocessable("m", details=[Detail("a", "b", "c")] * 101), 100, 1),
        (lambda: Unprocessable("m", details=[Detail("a" * 1000, "b", "c" * 1000)] * 20_000), 7, 19_993),
        (lambda: Unprocessable("m" * 5_000_000, details=[Detail("a", "b", "c" * 5_000_000)] * 2), 2, 0),
    ],
)
async def test_an_error_with_much_to_tell_tells_the_first_of_it(
    client: Client, log_lines: LogLines, make: Callable[[], Exception], told: int, more: int
) -> None:
    GIVEN.make = make
    for path, body in (
        ("/api/v1/notes/fail", None),
        ("/api/v1/$batch", {"operations": [{"operation": "notes.fail"}]}),
    ):
        log_lines.raw.clear()
        answer = await client.post(path, json=body)
        assert answer.status == 422
        details = answer.error["details"]
        assert len(details) == told + (more > 0)
        assert not more or details[-1]["message"] == f"There are {more} more problems"
        assert len(answer.content) < 32_000
        assert max(map(len, log_lines.raw)) < 32_000


async def test_an_author_writes_and_reads_numbers_of_any_length(client: Client) -> None:
    extra = {"a": [2**63, -(2**64), 10**40, Decimal("0.1234567890123456789")], "b": 0.1}
    async with client.app.data() as db:
        notes = db.table(Note)
        note = await notes.create({"extra": extra})
        assert note.extra == extra
        (again,) = await notes.find()
        assert again.extra == extra
        assert [type(number) for number in again.extra["a"]] == [int, int, int, Decimal]
        await notes.update(note.id, {"extra": again.extra})
        assert [row.extra for row in await notes.find()] == [extra]
