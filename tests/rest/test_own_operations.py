"""Operations of the author's own: what they take and give, beside a payload in a body."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Literal

import pytest

from sternpost import (
    Browse,
    Conflict,
    Context,
    Contract,
    Create,
    Custom,
    One,
    Page,
    PageRequest,
    Payload,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Transition,
    Unprocessable,
    caller,
    field,
    implements,
    one,
    public,
    scope,
    this,
)
from sternpost.testing import Client
from tests.conftest import LogLines


class TooLate(Conflict):
    """The visit has begun."""

    code = "TOO_LATE"
    message = "The visit has already begun"
    fix = "Call the practice."


class Odd(Unprocessable):
    code = "ODD"
    http_status = 451


class Reason(Payload):
    text: str = field(min_length=3)
    notify: bool = field(default=False)


class Search(Payload):
    first: date
    days: int = field(default=2, ge=1, le=5)
    kinds: list[Literal["short", "long"]] = field(default=["short"], max_items=2)
    word: str | None = field(max_length=5)
    exact: bool = field(default=False)


class Slot(Payload):
    day: date
    kind: str


class Mean(Payload):
    minutes: Decimal = field(decimal_places=2)


class Visit(Resource, prefix="vis"):
    title: str
    secret: str = field(default="s", read="secrets")
    hidden: bool = field(default=False)
    reason: str | None = field(write="never")
    status: Literal["planned", "cancelled"] = field(default="planned", write="never")

    browse = Browse(allow=public)
    read = Read(allow=this.hidden.eq(False) | scope("all"))
    create = Create(allow=public)
    cancel = Transition(
        "status",
        source="planned",
        target="cancelled",
        allow=public,
        input=Reason,
        errors=[TooLate],
        headers={"X-Notified": "whether the patient was told"},
    )
    slots = Custom(method="GET", on="collection", input=Search, output=list[Slot], max_items=6, allow=public)
    pages = Custom(
        method="GET", on="collection", input=Search, output=Page[Slot], page_size=2, max_page_size=3, allow=public
    )
    numbers = Custom(method="GET", on="collection", output=Page[Slot], page_size=1, allow=public)
    latest = Custom(method="GET", on="collection", output=list["Visit"], allow=public)
    copy_of = Custom(on="item", output="Visit", status=201, allow=public, errors=[Odd])
    start = Custom(on="collection", output=None, allow=public, headers={"Retry-After": "seconds until it is done"})
    mean = Custom(method="GET", on="collection", output=Mean, allow=public)
    queue = Custom(on="collection", output=Slot, status=202, allow=public)


@implements(Visit.cancel)
async def cancel(ctx: Context, visit: Visit, reason: Reason) -> None:
    if reason.text == "late":
        raise TooLate
    ctx.headers["x-notified"] = str(reason.notify).lower()
    await ctx.repository(Visit).update(visit.id, {"reason": reason.text})


def found(search: Search) -> list[Slot]:
    days = [search.first + timedelta(days=number) for number in range(search.days)]
    return [Slot(day=day, kind=f"{kind}{search.word or ''}{search.exact}") for day in days for kind in search.kinds]


@implements(Visit.slots)
async def slots(ctx: Context, search: Search) -> list[Slot]:
    return found(search)


@implements(Visit.pages)
async def pages(ctx: Context, search: Search, page: PageRequest) -> Page[Slot]:
    every = found(search)
    return Page(every[page.offset : page.offset + page.size], len(every))


@implements(Visit.numbers)
async def numbers(ctx: Context, page: PageRequest) -> Page[Slot]:
    return Page([Slot(day=date(2026, 1, page.number), kind=str(page.size))], 31)


@implements(Visit.latest)
async def latest(ctx: Context) -> list[Visit]:
    return await ctx.repository(Visit).find(order=["-title"])


@implements(Visit.copy_of)
async def copy_of(ctx: Context, visit: Visit) -> Visit:
    if visit.title == "odd":
        raise Odd("Not so")
    return await ctx.repository(Visit).create({"title": f"{visit.title}2", "hidden": visit.title == "H"})


@implements(Visit.start)
async def start(ctx: Context) -> None:
    ctx.headers["Retry-After"] = "5"
    with pytest.raises(ValueError, match="does not declare"):
        ctx.headers["X-Other"] = "5"
    with pytest.raises(ValueError, match="one line"):
        ctx.headers["Retry-After"] = "5\r\nSet-Cookie: a=b"


@implements(Visit.mean)
async def mean(ctx: Context) -> Mean:
    return Mean(minutes=Decimal(2) / 3)


@implements(Visit.queue)
async def queue(ctx: Context) -> Slot:
    return Slot(day=date(2026, 1, 1), kind="x")


SERVICES = [cancel, slots, pages, numbers, latest, copy_of, start, mean, queue]


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(Contract("visits", resources=[Visit]), services=SERVICES, settings=make_settings())
    app._write_log = lambda line: None
    async with Client(app) as client:
        yield client


async def visit(client: Client, title: str, **more: Any) -> str:
    answer = await client.post("/api/v1/visits", json={"title": title, **more}, token=client.token("a", "secrets"))
    assert answer.status == 201, answer.content
    return answer.data["id"]


async def test_a_transition_takes_an_input(client: Client) -> None:
    path = f"/api/v1/visits/{await visit(client, 'A')}/cancel"
    for wrong, code in (
        ({}, "missing"),
        ({"text": "x"}, "string_too_short"),
        ({"text": "abc", "x": 1}, "unknown_field"),
    ):
        answer = await client.post(path, json=wrong)
        assert (answer.status, answer.error["details"][0]["code"]) == (400, code)
    late = await client.post(path, json={"text": "late"})
    assert (late.status, late.error["code"], late.error["message"]) == (409, "TOO_LATE", "The visit has already begun")
    assert late.error["fix"] == "Call the practice."
    done = await client.post(path, json={"text": "ill", "notify": True})
    assert (done.status, done.data["status"], done.data["reason"]) == (200, "cancelled", "ill")
    assert done.headers["x-notified"] == "true"


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("first=2026-01-31", ["shortFalse"] * 2),
        ("first=2026-01-31&days=1&kinds=short,long&exact=true&word=a%2Cb", ["shorta,bTrue", "longa,bTrue"]),
        ("first=2026-01-31&kinds=", []),
    ],
)
async def test_a_get_operation_takes_parameters(client: Client, query: str, kinds: list[str]) -> None:
    answer = await client.get(f"/api/v1/visits/slots?{query}")
    assert answer.status == 200, answer.content
    assert [slot["kind"] for slot in answer.data] == kinds
    assert answer.data == [] or answer.data[0]["day"] == "2026-01-31"


@pytest.mark.parametrize(
    ("query", "path", "code"),
    [
        ("", "first", "missing"),
        ("first=x", "first", "date_format"),
        ("first=2026-01-31&days=9", "days", "less_than_equal"),
        ("first=2026-01-31&days=1.5", "days", "int_type"),
        ("first=2026-01-31&days=x", "days", "int_type"),
        ("first=2026-01-31&exact=1", "exact", "bool_type"),
        ("first=2026-01-31&kinds=short,huge", "kinds.1", "literal_error"),
        ("first=2026-01-31&kinds=short,short,short", "kinds", "too_long"),
        ("first=2026-01-31&more=1", "more", "unknown_field"),
        ("first=2026-01-31&first=2026-01-30", "first", "repeated_parameter"),
        ("first=2026-01-31&word=%00", "word", "nul_character"),
        ("first=2026-01-31&word=%FF", "", "malformed_query"),
        ("first=2026-01-31&page=1", "page", "unknown_field"),
    ],
)
async def test_parameters_that_do_not_fit_are_told(client: Client, query: str, path: str, code: str) -> None:
    answer = await client.get(f"/api/v1/visits/slots?{query}")
    assert answer.status == 400, answer.content
    assert [(detail["path"], detail["code"]) for detail in answer.error["details"]] == [(path, code)]


async def test_more_items_than_are_declared_are_a_mistake(client: Client) -> None:
    answer = await client.get("/api/v1/visits/slots?first=2026-01-31&days=5&kinds=short,long")
    assert (answer.status, answer.error["code"]) == (500, "INTERNAL_ERROR")


async def test_pages_are_asked_for_by_number(client: Client) -> None:
    query = "/api/v1/visits/pages?first=2026-01-31&days=5"
    first = await client.get(query)
    counts = {name: first.json()["meta"][name] for name in ("page", "pageSize", "totalCount", "totalPages")}
    assert (len(first.data), counts) == (2, {"page": 1, "pageSize": 2, "totalCount": 5, "totalPages": 3})
    last = await client.get(f"{query}&page=2&pageSize=3")
    assert [slot["day"] for slot in last.data] == ["2026-02-03", "2026-02-04"]
    for wrong in ("pageSize=4", "page=0", "page=x"):
        answer = await client.get(f"{query}&{wrong}")
        assert answer.error["details"][0]["code"] == "invalid_parameter", answer.content
    assert (await client.get("/api/v1/visits/numbers?page=3")).data == [{"day": "2026-01-03", "kind": "1"}]
    unknown = await client.get("/api/v1/visits/numbers?cursor=")
    assert unknown.error["details"][0]["code"] == "unknown_parameter"


async def test_rows_are_given_as_far_as_the_caller_may_read_them(client: Client) -> None:
    await visit(client, "A", secret="1")
    await visit(client, "B", hidden=True)
    await visit(client, "C")
    seen = await client.get("/api/v1/visits/latest")
    assert [(row["title"], "secret" in row) for row in seen.data] == [("C", False), ("A", False)]
    everything = await client.get("/api/v1/visits/latest", token=client.token("a", "all", "secrets"))
    assert [(row["title"], row["secret"]) for row in everything.data] == [("C", "s"), ("B", "s"), ("A", "1")]


async def test_one_row_is_given_or_there_is_none(client: Client) -> None:
    copied = await client.post(f"/api/v1/visits/{await visit(client, 'A')}/copy-of")
    assert (copied.status, copied.data["title"], "secret" in copied.data) == (201, "A2", False)
    hidden = await client.post(f"/api/v1/visits/{await visit(client, 'H')}/copy-of")
    assert hidden.status == 404
    odd = await client.post(f"/api/v1/visits/{await visit(client, 'odd')}/copy-of")
    assert (odd.status, odd.error["code"], odd.error["message"]) == (451, "ODD", "Not so")
    assert (await client.get("/api/v1/visits?pageSize=9")).json()["meta"]["totalCount"] == 4, "what is 404 is undone"


async def test_an_answer_has_its_status_and_headers(client: Client) -> None:
    started = await client.post("/api/v1/visits/start")
    assert (started.status, started.headers["retry-after"]) == (204, "5")
    assert (await client.post("/api/v1/visits/queue")).status == 202


async def test_a_decimal_of_an_answer_is_rounded_to_its_places(client: Client) -> None:
    assert (await client.get("/api/v1/visits/mean")).data == {"minutes": "0.67"}


async def test_the_description_says_all_of_it(client: Client) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    slots = paths["/api/v1/visits/slots"]["get"]
    named = {parameter["name"]: parameter for parameter in slots["parameters"]}
    assert list(named) == ["first", "days", "kinds", "word", "exact"]
    assert named["first"]["required"] is True
    assert named["days"]["schema"] == {"type": "integer", "format": "int64", "minimum": 1, "maximum": 5, "default": 2}
    assert (named["kinds"]["schema"]["type"], named["kinds"]["explode"]) == ("array", False)
    listed = slots["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["data"]
    assert (listed["type"], listed["maxItems"]) == ("array", 6)
    cancel = paths["/api/v1/visits/{id}/cancel"]["post"]
    assert "requestBody" in cancel
    assert "TOO_LATE" in cancel["responses"]["409"]["description"]
    assert "X-Notified" in cancel["responses"]["200"]["headers"]
    copied = paths["/api/v1/visits/{id}/copy-of"]["post"]["responses"]
    assert "ODD" in copied["451"]["content"]["application/json"]["examples"]
    assert "Retry-After" in paths["/api/v1/visits/start"]["post"]["responses"]["204"]["headers"]
    pages = {each["name"] for each in paths["/api/v1/visits/pages"]["get"]["parameters"]}
    assert {"page", "pageSize", "first"} <= pages


class Span(Payload):
    from_: date
    to: date


class Author(Resource, prefix="aut", owner="id"):
    name: str

    read = Read(allow=public)
    create = Create(allow=public)


class Remark(Resource, prefix="rmk"):
    by: One[Author] = one(default=caller, write="never")
    class_: str | None = field(filter=True)
    text: str

    browse = Browse(sort=["class_"], allow=public)
    create = Create(allow=this.by.is_owner)
    replace = Replace(allow=this.by.is_owner)
    span = Custom(method="GET", on="collection", input=Span, output=Span, allow=public)


@implements(Remark.span)
async def same_span(ctx: Context, span: Span) -> Span:
    return Span(from_=span.from_, to=span.to)


async def test_names_that_are_keywords_and_a_caller_that_no_client_sets(
    make_settings: Callable[..., Settings], log_lines: LogLines
) -> None:
    contract = Contract("remarks", resources=[Author, Remark])
    app = Sternpost(contract, services=[same_span], settings=make_settings(), write_log=log_lines)
    url = "/api/v1/remarks"
    async with Client(app) as client:
        ids = [(await client.post("/api/v1/authors", json={"name": name})).data["id"] for name in ("Ann", "Ben")]
        ann, ben = map(client.token, ids)
        made = await client.post(url, json={"class": "x", "text": "one"}, token=ann)
        assert (made.status, made.data["byId"], made.data["class"]) == (201, ids[0], "x")
        assert (await client.post(url, json={"text": "one", "byId": ids[1]}, token=ann)).status == 400
        assert (await client.post(url, json={"text": "one"}, token=client.token("nobody"))).status == 422
        path = f"{url}/{made.data['id']}"
        assert (await client.put(path, json={"text": "two"}, token=ben)).status == 403
        kept = await client.put(path, json={"text": "two"}, token=ann)
        assert (kept.data["byId"], kept.data["class"]) == (ids[0], None)
        await client.post(url, json={"class": "y", "text": "three"}, token=ben)
        assert [row["text"] for row in (await client.get(f"{url}?class=y&sort=-class")).data] == ["three"]
        span = {"from": "2026-01-01", "to": "2026-01-02"}
        assert (await client.get(f"{url}/span?from=2026-01-01&to=2026-01-02")).data == span
        missing = await client.get(f"{url}/span?to=2026-01-02")
        assert [detail["path"] for detail in missing.error["details"]] == ["from"]
        async with app.data() as db:
            assert await db.table(Remark).count({"class_": None}) == 1
