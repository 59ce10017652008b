"""Operations that look at the request, and answers that are no JSON: redirects, files and pages, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from openapi_spec_validator import validate

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Custom,
    HttpContext,
    Media,
    Payload,
    Read,
    Redirect,
    Resource,
    Settings,
    Sternpost,
    Unprocessable,
    Version,
    implements,
    public,
    scope,
)
from sternpost.derive.openapi.document import openapi
from sternpost.pipeline.call import Call
from sternpost.pipeline.execute import execute
from sternpost.protocols.http.observed import observe
from sternpost.testing import Client
from tests.conftest import LogLines

V1 = "/api/v2"


class Seen(Payload):
    method: str
    path: str
    agent: str
    tags: str
    cookie: str
    address: str


class Page(Resource, prefix="pag"):
    title: str

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    look = Custom(method="GET", on="collection", output=Seen, allow=public)
    go = Custom(on="collection", output=Redirect, allow=public)
    pdf = Custom(method="GET", output=Media("application/pdf", max_bytes=1000), allow=scope("pages:print"))
    table = Custom(method="GET", on="collection", output=Media("text/csv"), allow=public)
    html = Custom(
        method="GET",
        on="collection",
        output=Media("text/html", content_security_policy="default-src 'none'; style-src 'self'"),
        allow=public,
    )
    bare = Custom(method="GET", on="collection", output=Media("text/html"), allow=public)
    sign = Custom(output=None, allow=public)


@implements(Page.create)
async def create(ctx: HttpContext, change: Change[Page]) -> Page:
    page = await change.apply()
    ctx.response.cookie("last", page.id)
    if change["title"] == "refused":
        raise Unprocessable("No such title")
    if change["title"] == "mine":
        ctx.response.header("Content-Length", "3")
    return page


@implements(Page.look)
async def look(ctx: HttpContext) -> Seen:
    request = ctx.request
    ctx.log.info("Looked", headers=request.headers, request=str(request))
    ctx.response.header("X-Seen", "yes")
    ctx.response.header("Cache-Control", "max-age=60")
    return Seen(
        method=request.method,
        path=request.path,
        agent=request.headers.get("User-Agent", ""),
        tags="+".join(request.query.get("tag", ())),
        cookie=request.cookies.get("session", ""),
        address=request.address or "",
    )


@implements(Page.go)
async def go(ctx: HttpContext) -> Redirect:
    to = ctx.request.query.get("to", ("/",))[0]
    if to == "nowhere":
        return None  # pyright: ignore[reportReturnType]
    return Redirect(to, int(ctx.request.query.get("status", ("303",))[0]))


@implements(Page.pdf)
async def pdf(ctx: HttpContext, page: Page) -> bytes:
    ctx.response.download(f"{page.title}.pdf")
    return b"%PDF-" + page.title.encode() * (1000 if page.title == "long" else 1)


@implements(Page.table)
async def table(ctx: Context) -> str:
    return "title\r\n" + "".join(f"{page.title}\r\n" for page in await ctx.repository(Page).find({}))


@implements(Page.html, Page.bare)
async def html(ctx: Context) -> str:
    return "<!doctype html><p>ü"


@implements(Page.sign)
async def sign(ctx: Context, page: Page) -> None:
    ctx.request  # type: ignore[attr-defined]  # noqa: B018


SERVICES = (create, look, go, pdf, table, html, sign)
CONTRACT = Contract("pages", api_version="v2", resources=[Page], older=[Version("v1")])


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    app = Sternpost(CONTRACT, services=SERVICES, settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


def test_the_plan_says_what_http_alone_serves() -> None:
    plan = Sternpost(CONTRACT, services=SERVICES).plan
    alone = {name for name, (_, operation) in plan.operations.items() if operation.http_only}
    assert alone == {f"pages.{name}" for name in ("create", "look", "go", "pdf", "table", "html", "bare")}
    assert not {name for name in alone if plan.operations[name][1].in_batches}
    described = openapi(plan)
    validate(described)
    steps = str(described["paths"][f"{V1}/$batch"])
    assert "pages.sign" in steps
    assert not [name for name in alone if name in steps]
    assert "Served over HTTP alone" in described["paths"][f"{V1}/pages"]["post"]["description"]
    assert next(iter(described["paths"][f"{V1}/pages/go"]["post"]["responses"])) == "3XX"
    pdf = described["paths"][f"{V1}/pages/{{id}}/pdf"]["get"]["responses"]["200"]
    assert list(pdf["content"]) == ["application/pdf"]


async def test_a_function_looks_at_the_request(client: Client, log_lines: LogLines) -> None:
    headers = {"User-Agent": "tests", "Cookie": "session=s3cret"}
    token = client.token("ann")
    answer = await client.get(f"{V1}/pages/look?tag=a&tag=b&whatever=1", headers=headers, token=token)
    assert answer.data == {
        "method": "GET",
        "path": f"{V1}/pages/look",
        "agent": "tests",
        "tags": "a+b",
        "cookie": "s3cret",
        "address": "127.0.0.1",
    }
    assert (answer.headers["x-seen"], answer.headers["cache-control"]) == ("yes", "max-age=60")
    assert answer.headers["x-content-type-options"] == "nosniff"
    looked = next(line for line in log_lines.lines if line["message"] == "Looked")
    assert (looked["headers"]["user-agent"], looked["headers"]["cookie"]) == ("tests", "***")
    assert "s3cret" not in str(log_lines.lines)
    assert token not in str(log_lines.lines)


async def test_a_query_that_a_function_reads_is_bounded(client: Client) -> None:
    answer = await client.get(f"{V1}/pages/look?{'&'.join(f'p{n}=1' for n in range(201))}")
    assert (answer.status, answer.error["details"][0]["code"]) == (400, "too_long")
    assert (await client.get(f"{V1}/pages/table?whatever=1")).status == 400


async def test_cookies_and_headers_are_sent_where_the_call_succeeds(client: Client) -> None:
    made = await client.post(f"{V1}/pages", json={"title": "One"})
    assert made.headers["set-cookie"] == f"last={made.data['id']}; Path=/; Secure; HttpOnly; SameSite=Lax"
    refused = await client.post(f"{V1}/pages", json={"title": "refused"})
    assert (refused.status, "set-cookie" in refused.headers) == (422, False)
    assert [page["title"] for page in (await client.get(f"{V1}/pages")).data] == ["One"]


async def test_a_header_that_is_not_the_authors_is_a_bug(client: Client, log_lines: LogLines) -> None:
    answer = await client.post(f"{V1}/pages", json={"title": "mine"})
    assert (answer.status, answer.error["code"]) == (500, "INTERNAL_ERROR")
    assert "Content-Length" not in str(answer.content)
    assert (await client.get(f"{V1}/pages")).data == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects(client: Client, status: int) -> None:
    answer = await client.post(
        f"{V1}/pages/go?to=https%3A%2F%2Fpay.example%2F%C3%BC&status={status}", headers={"Accept": "text/html"}
    )
    assert (answer.status, answer.headers["location"]) == (status, "https://pay.example/%C3%BC")
    assert (answer.content, answer.headers["content-length"]) == (b"", "0")
    assert "content-type" not in answer.headers


@pytest.mark.parametrize("to", ["%2F%2Fevil.example", "javascript%3Aalert(1)", "%2Fa%0D%0AX%3A1", "nowhere"])
async def test_redirects_that_are_none(client: Client, to: str) -> None:
    answer = await client.post(f"{V1}/pages/go?to={to}")
    assert (answer.status, answer.error["code"]) == (500, "INTERNAL_ERROR")
    assert "location" not in answer.headers


async def test_files(client: Client) -> None:
    made = (await client.post(f"{V1}/pages", json={"title": "Größe"})).data
    path, token = f"{V1}/pages/{made['id']}/pdf", client.token("ann", "pages:print")
    answer = await client.get(path, token=token, headers={"Accept": "application/pdf"})
    assert (answer.status, answer.headers["content-type"], answer.content) == (
        *(200, "application/pdf"),
        "%PDF-Größe".encode(),
    )
    assert answer.headers["content-disposition"].endswith("filename*=UTF-8''Gr%C3%B6%C3%9Fe.pdf")
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = await client.request("HEAD", path, token=token)
    assert (head.content, head.headers["content-length"]) == (b"", answer.headers["content-length"])
    assert (await client.get(path)).status == 401
    assert (await client.get(path, token=client.token("ann"))).status == 403
    missing = await client.get(f"{V1}/pages/pag_{'0' * 32}/pdf", token=token)
    assert (missing.status, missing.error["code"]) == (404, "NOT_FOUND")
    other = await client.get(path, token=token, headers={"Accept": "application/json"})
    assert (other.status, "application/pdf" in other.error["message"]) == (406, True)
    assert (await client.get(path, token=token, headers={"Accept": "text/html, application/*;q=0.5"})).status == 200


async def test_a_file_is_not_longer_than_it_is_declared(client: Client) -> None:
    made = (await client.post(f"{V1}/pages", json={"title": "long"})).data
    answer = await client.get(f"{V1}/pages/{made['id']}/pdf", token=client.token("ann", "pages:print"))
    assert (answer.status, answer.error["details"][0]["code"]) == (400, "answer_too_large")


async def test_texts_and_pages(client: Client) -> None:
    await client.post(f"{V1}/pages", json={"title": "One"})
    table = await client.get(f"{V1}/pages/table")
    assert (table.headers["content-type"], table.content) == ("text/csv; charset=utf-8", b"title\r\nOne\r\n")
    page = await client.get(f"{V1}/pages/html", headers={"Accept": "text/html"})
    assert (page.headers["content-type"], page.content.decode()) == ("text/html; charset=utf-8", "<!doctype html><p>ü")
    assert page.headers["content-security-policy"] == "default-src 'none'; style-src 'self'"
    bare = await client.get(f"{V1}/pages/bare")
    assert bare.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_an_older_version_answers_with_them_too(client: Client) -> None:
    assert (await client.get("/api/v1/pages/table")).content == b"title\r\n"
    assert (await client.post("/api/v1/pages/go?to=/x")).headers["location"] == "/x"
    assert (await client.get("/api/v1/pages/look?tag=a")).data["tags"] == "a"


@pytest.mark.parametrize("operation", ["pages.go", "pages.create", "pages.table"])
async def test_batches_refuse_what_http_alone_serves(client: Client, operation: str) -> None:
    body: dict[str, Any] = {"body": {"title": "x"}} if operation == "pages.create" else {}
    answer = await client.post(f"{V1}/$batch", json={"operations": [{"operation": operation, **body}]})
    assert answer.status == 400
    assert [detail["code"] for detail in answer.error["details"]] == ["not_in_a_batch"]
    assert "only HTTP serves" in answer.error["details"][0]["message"]


async def test_a_function_that_does_not_declare_it_is_told_how(client: Client, log_lines: LogLines) -> None:
    made = (await client.post(f"{V1}/pages", json={"title": "One"})).data
    answer = await client.post(f"{V1}/pages/{made['id']}/sign")
    assert answer.status == 500
    assert "ctx: HttpContext" in str(log_lines.lines)


async def test_a_call_that_came_another_way_has_no_request(client: Client) -> None:
    running = client.app.running
    scope: dict[str, Any] = {"method": "GET", "path": "/", "headers": []}
    observation = observe(running.telemetry, client.app.clock, scope, _NoHeaders)  # pyright: ignore[reportArgumentType]
    with pytest.raises(RuntimeError, match="did not come over HTTP"):
        await execute(running.runtime, Call("pages.look"), observation)


class _NoHeaders:
    traceparent = None
