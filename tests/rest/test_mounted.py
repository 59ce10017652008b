"""Beside the pipeline: middleware around the application, and what mounted applications can ask it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from sternpost import (
    Browse,
    Contract,
    Create,
    Custom,
    Delete,
    Forbidden,
    NotFound,
    Read,
    Resource,
    Restore,
    Settings,
    Sternpost,
    authenticated,
    field,
    implements,
    public,
    scope,
    this,
)
from sternpost.errors import StartupError
from sternpost.testing import Client
from tests.conftest import LogLines

V1 = "/api/v1"


def no_middleware(app: Any) -> Any:
    raise ValueError("no room")


class Paper(Resource, prefix="pap", owner="by", soft_delete=True):
    by: str
    text: str
    team: str = field(default="")

    browse = Browse(allow=authenticated)
    read = Read(allow=this.is_owner | scope("papers:read"))
    create = Create(allow=public)
    delete = Delete(allow=scope("papers:admin"))
    restore = Restore(allow=scope("papers:admin"))
    print = Custom(output=None, allow=this.is_owner)
    sweep = Custom(on="collection", output=None, allow=scope("papers:admin"))


@implements(Paper.print)
async def print_paper(ctx: Any, paper: Paper) -> None:
    """Prints it."""


@implements(Paper.sweep)
async def sweep(ctx: Any) -> None:
    """Sweeps."""


class Outer:
    """Middleware with an option, in the pure form of ASGI."""

    def __init__(self, app: Any, name: str = "outer") -> None:
        self.app = app
        self.name = name.encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/broken":
            raise ValueError("s3cret")

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-passed", self.name)]
            await send(message)

        await self.app(scope, receive, sending)


Make = Callable[..., Sternpost]


@pytest.fixture
def make(make_settings: Callable[..., Settings], log_lines: LogLines) -> Make:
    def made(**more: Any) -> Sternpost:
        return Sternpost(
            Contract("papers", resources=[Paper]),
            services=[print_paper, sweep],
            settings=make_settings(),
            write_log=log_lines,
            **more,
        )

    return made


@pytest.mark.parametrize("database", ["sqlite"])
async def test_middleware_is_around_everything_the_first_outermost(make: Make, log_lines: LogLines) -> None:
    inner = functools.partial(Outer, name="inner")
    app = make(middleware=[Outer, inner, functools.partial(GZipMiddleware, minimum_size=10)])
    async with Client(app) as client:
        answer = await client.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
        assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")
        assert answer.headers["x-passed"] == "outer", (
            "a test's client keeps the last of several: the outermost comes last"
        )
        assert (await client.get(f"{V1}/papers")).headers["x-passed"] == "outer"
        broken = await client.get("/broken")
        assert (broken.status, broken.error["code"]) == (500, "INTERNAL_ERROR")
        assert broken.headers["x-request-id"] == broken.error["requestId"]
        assert b"s3cret" not in broken.content
        assert log_lines.requests[-1]["status"] == 500
        assert "builtins.ValueError" in str(log_lines.lines)


@pytest.mark.parametrize("database", ["sqlite"])
async def test_middleware_that_cannot_be_made_ends_the_start(make: Make) -> None:
    app = make(middleware=[no_middleware])
    with pytest.raises(StartupError, match="no_middleware could not be made: ValueError: no room"):
        await app.start()
    assert not app.started


async def called(request: Request) -> Response:
    """A page of the mounted application, as an author would write it."""
    app: Sternpost = request.app.state.sternpost
    try:
        principal = await app.caller(request.scope)
        if principal is None or not await app.allows(principal, "papers.read", request.query_params["paper"]):
            raise NotFound("There is no such paper")
        return JSONResponse({"by": principal.subject, "requestId": request.state.request_id})
    except Exception as error:
        status, headers, body = app.error_answer(request.scope, error)
        return Response(body, status, headers)


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """A mounted application that leaves its errors to the service."""
    if scope["type"] == "lifespan":
        raise RuntimeError("no such thing")
    raise Forbidden("Not here") if scope["path"].endswith("/known") else ValueError("s3cret")


async def test_mounted_applications_know_the_caller_and_ask_the_policy(make: Make, log_lines: LogLines) -> None:
    pages = Starlette(routes=[Route("/page", called)])
    app = make(mounts={"/pages": pages, "/raw": raw})
    pages.state.sternpost = app
    async with Client(app) as client:
        ann, bob = client.token("ann"), client.token("bob")
        paper = (await client.post(f"{V1}/papers", json={"by": "ann", "text": "x"})).data["id"]
        page = await client.get(f"/pages/page?paper={paper}", token=ann)
        assert (page.status, page.json()["by"]) == (200, "ann")
        assert page.json()["requestId"] == log_lines.requests[-1]["requestId"]
        for token in (bob, None):
            hidden = await client.get(f"/pages/page?paper={paper}", token=token)
            assert (hidden.status, hidden.error["code"], hidden.error["message"]) == (
                *(404, "NOT_FOUND"),
                "There is no such paper",
            )
            assert hidden.headers["x-request-id"] == hidden.error["requestId"]
        wrong = await client.get(f"/pages/page?paper={paper}", token="nonsense")
        assert (wrong.status, wrong.error["code"]) == (401, "UNAUTHENTICATED")
        problem = await client.get(
            f"/pages/page?paper={paper}", token=bob, headers={"Accept": "application/problem+json"}
        )
        assert problem.headers["content-type"] == "application/problem+json"
        bug = await client.get("/pages/page", token=ann)
        assert (bug.status, bug.error["code"]) == (500, "INTERNAL_ERROR")
        known = await client.get("/raw/known")
        assert (known.status, known.error["message"]) == (403, "Not here")
        unknown = await client.get("/raw/unknown")
        assert (unknown.status, b"s3cret" in unknown.content) == (500, False)


async def test_what_is_allowed_is_what_a_call_would_be_told(make: Make) -> None:
    app = make()
    async with Client(app) as client:
        paper = (await client.post(f"{V1}/papers", json={"by": "ann", "text": "x"})).data["id"]
        other = (await client.post(f"{V1}/papers", json={"by": "ann", "text": "x"})).data["id"]
        admin = client.token("adm", "papers:admin", "papers:read")
        assert (await client.delete(f"{V1}/papers/{other}", token=admin)).status == 204
        for subject, scopes in (
            ("ann", ()),
            ("bob", ()),
            ("bob", ("papers:read",)),
            ("adm", ("papers:admin",)),
            ("", ()),
        ):
            token = client.token(subject, *scopes) if subject else None
            headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
            principal = await app.caller({"headers": headers})
            for key in (paper, other, f"pap_{'0' * 32}", "nonsense"):
                read = await client.get(f"{V1}/papers/{key}", token=token)
                assert await app.allows(principal, "papers.read", key) is (read.status == 200)
                prints = await client.post(f"{V1}/papers/{key}/print", token=token)
                assert await app.allows(principal, "papers.print", key) is (prints.status == 204)
            swept = await client.post(f"{V1}/papers/sweep", token=token)
            assert await app.allows(principal, "papers.sweep") is (swept.status == 204)
            listed = await client.get(f"{V1}/papers", token=token)
            assert await app.allows(principal, "papers.browse") is (listed.status == 200)
            assert await app.allows(principal, "papers.create")
            may_restore = "papers:admin" in scopes
            assert await app.allows(principal, "papers.restore", other) is may_restore
        with pytest.raises(ValueError, match="no operation"):
            await app.allows(None, "papers.burn")
        with pytest.raises(ValueError, match="give its id"):
            await app.allows(None, "papers.read")
        with pytest.raises(ValueError, match="no operation"):
            await app.allows(None, "$batch")
        with pytest.raises(ValueError, match="not the scope"):
            app.error_answer({}, NotFound())


async def test_files_without_an_application_around_them(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    """`StaticFiles` raises errors of Starlette, which an application of Starlette would answer."""
    (tmp_path / "style.css").write_text("body {}")
    lines = LogLines()
    app = Sternpost(
        Contract("papers", resources=[Paper]),
        settings=make_settings(),
        mounts={"/files": StaticFiles(directory=tmp_path)},
        services=[print_paper, sweep],
        write_log=lines,
    )
    async with Client(app) as client:
        assert (await client.get("/files/style.css")).content == b"body {}"
        missing = await client.get("/files/other.css")
        assert (missing.status, missing.error["code"]) == (404, "NOT_FOUND")
        wrong = await client.post("/files/style.css", json={})
        assert (wrong.status, wrong.headers["allow"]) == (405, "GET, HEAD")
    assert not [line for line in lines.lines if line["level"] == "error"]
