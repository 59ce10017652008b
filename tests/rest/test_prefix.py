"""Below a prefix everything works as without one, and every address in an answer is below it, too."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import pytest
from shop import services
from shop.contract import contract
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from sternpost import Settings, Sternpost
from sternpost.errors import StartupError
from sternpost.protocols.http.prefix import prefix_of, with_prefix, without_prefix
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.rest.test_versions import NEW, SERVICES
from tests.rest.test_versions import contract as versioned
from tests.support.below import PREFIX, Below
from tests.support.shop import Shop

STYLES = ("included", "stripped", "starlette", "parameter")
WRITTEN = quote(PREFIX)


class Outside(Client):
    """Calls addresses as they are seen from outside; those that a test writes without the prefix get it."""

    async def request(self, method: str, url: str, **options: Any) -> Any:
        return await super().request(method, url if url.startswith(WRITTEN) else WRITTEN + url, **options)


@pytest.fixture(params=STYLES)
async def client(
    request: pytest.FixtureRequest, make_settings: Callable[..., Settings], log_lines: LogLines
) -> AsyncIterator[Client]:
    app = Sternpost(contract, services=[services], settings=make_settings(), write_log=log_lines)
    async with Outside(app, outer=Below(app, request.param)) as client:
        yield client


async def test_rows_and_their_addresses(client: Client, log_lines: LogLines) -> None:
    shop = Shop(client)
    made = await client.post("/api/v1/users", json={"name": "Ann", "email": "ann@shop.example"})
    assert made.headers["location"] == f"{WRITTEN}/api/v1/users/{made.data['id']}"
    own = shop.token(made.data)
    assert (await client.get(made.headers["location"], token=own)).data == made.data
    assert log_lines.requests[-1]["path"] == f"/api/v1/users/{made.data['id']}"
    order = await shop.order(made.data, (await shop.product(), 2))
    nested = await client.get(f"/api/v1/users/{made.data['id']}/orders", token=own)
    assert [row["id"] for row in nested.data] == [order["id"]]
    assert (await client.post(f"/api/v1/orders/{order['id']}/place", token=own)).status == 200
    assert (await client.get("/api/v1/nothing")).status == 404
    assert (await client.get("/api/v1/users%2f1")).status == 404


async def test_a_list_goes_on_below_the_prefix(client: Client) -> None:
    shop = Shop(client)
    skus = [(await shop.product())["sku"] for _ in range(5)]
    found: list[str] = []
    address: str | None = "/api/v1/products?sort=sku&pageSize=2"
    while address is not None:
        answer = await client.get(address)
        found += [row["sku"] for row in answer.data]
        link = answer.headers.get("link")
        address = None if link is None else link.removeprefix("<").partition(">")[0]
        assert address is None or address.startswith(f"{WRITTEN}/api/v1/products?")
    assert found == skus


async def test_a_batch_and_an_export(client: Client) -> None:
    """A batch names operations, not addresses, so that the prefix does not matter in it."""
    shop = Shop(client)
    await shop.product(sku="A-1")
    steps = {"operations": [{"operation": "products.browse"}]}
    assert (await client.post("/api/v1/$batch", json=steps)).data[0]["data"][0]["sku"] == "A-1"
    lines = await client.get("/api/v1/products", headers={"accept": "application/x-ndjson"})
    assert (lines.status, lines.content.count(b"\n")) == (200, 1)


async def test_health_and_the_documentation(client: Client) -> None:
    assert (await client.get("/health")).status == 200
    assert (await client.get("/health/ready")).status == 200
    page = (await client.get("/docs")).content.decode()
    loaded = re.findall(r'(?:href|src|data-url)="(/[^"]*)"', page)
    assert len(loaded) == 6
    for address in loaded:
        assert address.startswith(f"{WRITTEN}/")
        assert (await client.get(address)).status == 200, address
    assert (await client.get("/openapi.json")).json()["servers"] == [{"url": WRITTEN}]


@pytest.mark.parametrize("style", STYLES)
async def test_older_versions(style: str, make_settings: Callable[..., Settings], log_lines: LogLines) -> None:
    app = Sternpost(versioned(), services=SERVICES, settings=make_settings(), write_log=log_lines)
    async with Outside(app, outer=Below(app, style)) as client:
        made = await client.post("/api/v1/people", json={**NEW, "jobs": []})
        assert made.headers["location"] == f"{WRITTEN}/api/v1/people/{made.data['id']}"
        assert (await client.get(f"/api/v2/people/{made.data['id']}")).status == 200
        page = (await client.get("/docs/v1")).content.decode()
        for address in re.findall(r'(?:href|src|data-url)="(/[^"]*)"', page):
            assert (await client.get(address)).status == 200, address
        for version in ("v1", "v2"):
            described = (await client.get(f"/api/{version}/openapi.json")).json()
            assert described["servers"] == [{"url": WRITTEN}]


# -- the prefix itself


@pytest.mark.parametrize(
    ("root", "path", "own", "shown"),
    [
        ("/x", "/x/api/v1/a", "/api/v1/a", "/x"),
        ("/x", "/api/v1/a", "/api/v1/a", "/x"),
        ("/x/", "/x/api/v1/a", "/api/v1/a", "/x"),
        ("/x/", "/x//api/v1/a", "/api/v1/a", "/x"),
        ("x", "x/api/v1/a", "/api/v1/a", "/x"),
        ("/", "/api/v1/a", "/api/v1/a", ""),
        ("/x", "/x", "/", "/x"),
        ("/x/", "/x", "/", "/x"),
        ("/x", "/xy/api/v1/a", "/xy/api/v1/a", "/x"),
        ("/api", "/api/api/v1/a", "/api/v1/a", "/api"),
        ("/api", "/api/v1/a", "/api/v1/a", "/api"),
        ("/api/v1", "/api/v1/api/v1/a", "/api/v1/a", "/api/v1"),
        ("//evil.example", "//evil.example/api/v1/a", "/api/v1/a", "/evil.example"),
        ("/\\evil.example", "/\\evil.example/api/v1/a", "/api/v1/a", "/%5Cevil.example"),
        ('/"><script>', '/"><script>/api/v1/a', "/api/v1/a", "/%22%3E%3Cscript%3E"),
        ("/a\r\nb: c", "/a\r\nb: c/api/v1/a", "/api/v1/a", "/a%0D%0Ab:%20c"),
    ],
)
def test_what_is_behind_a_prefix(root: str, path: str, own: str, shown: str) -> None:
    scope: Any = {"path": path, "raw_path": quote(path).encode(), "root_path": root}
    found = without_prefix(scope, root, lambda path: path.startswith("/api/v1/"))
    assert (found["path"], found["raw_path"], prefix_of(found)) == (own, quote(own).encode(), shown)
    assert scope["path"] == path
    below = with_prefix(found)
    assert below["path"] == found["root_path"] + own


def test_bytes_that_a_client_encodes_without_need_are_part_of_the_prefix() -> None:
    scope: Any = {"path": "/xé/api/v1/a/b", "raw_path": b"/%78%C3%a9/api/v1/a%2Fb", "root_path": "/xé"}
    found = without_prefix(scope, "/xé", lambda path: True)
    assert (found["path"], found["raw_path"]) == ("/api/v1/a/b", b"/api/v1/a%2Fb")


# -- an application that is mounted, and those that are mounted in it


async def test_the_first_request_starts_an_application_that_nobody_started(
    make_settings: Callable[..., Settings], log_lines: LogLines
) -> None:
    app = Sternpost(contract, services=[services], settings=make_settings(), write_log=log_lines)
    caller = Client(app, outer=Starlette(routes=[Mount("/shop", app)]))
    try:
        answers = await asyncio.gather(*(caller.get("/shop/health") for _ in range(5)))
        assert [answer.status for answer in answers] == [200] * 5
        starts = [line for line in log_lines.lines if line["message"].startswith("Started by the first request")]
        assert len(starts) == 1
        assert "lifespan=app.lifespan" in starts[0]["fix"]
        with pytest.raises(RuntimeError, match=r"another event loop.*lifespan=app.lifespan"):
            await asyncio.to_thread(asyncio.run, caller.get("/shop/health"))
    finally:
        await app.stop()
    with pytest.raises(RuntimeError, match="has been stopped"):
        await caller.get("/shop/health")


async def test_a_request_that_gives_up_does_not_stop_the_start(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(contract, services=[services], settings=make_settings())
    caller = Client(app)  # which starts nothing outside a block
    first = asyncio.ensure_future(caller.get("/health"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await caller.get("/health")).status == 200
    await app.stop()


async def test_a_start_that_fails_is_tried_again_by_the_next_request(make_settings: Callable[..., Settings]) -> None:
    outcomes = iter([StartupError("not yet"), None])

    @asynccontextmanager
    async def lifespan(outer: object) -> AsyncIterator[None]:
        if error := next(outcomes):
            raise error
        yield

    app = Sternpost(
        contract, services=[services], settings=make_settings(), mounts={"/old": Starlette(lifespan=lifespan)}
    )
    caller = Client(app)  # which starts nothing outside a block
    with pytest.raises(StartupError, match=r"mounted at /old failed to start.*not yet"):
        await caller.get("/health")
    assert (await caller.get("/health")).status == 200
    await app.stop()


async def test_the_lifespan_of_an_outer_application(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(contract, services=[services], settings=make_settings())
    outer = Starlette(routes=[Mount("/shop", app)], lifespan=app.lifespan)
    async with outer.router.lifespan_context(outer):
        assert app.started
        assert (await Client(app, outer=outer).get("/shop/health")).status == 200
    assert not app.started


async def fails(request: Request) -> PlainTextResponse:
    raise LookupError("of the mounted application")


async def tells_state(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.state.kept} {request.url.path}")


async def breaks_off(request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"part"
        raise LookupError("in the middle")

    return StreamingResponse(parts())


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """Answers no lifespan event, and fails without an answer of its own."""
    raise KeyError(scope["type"])


class Inner:
    """A Starlette application that notes when it starts and stops."""

    def __init__(self) -> None:
        self.events: list[str] = []
        routes = [Route("/fails", fails), Route("/state", tells_state), Route("/breaks", breaks_off)]
        self.app = Starlette(routes=routes, lifespan=self.lifespan)

    @asynccontextmanager
    async def lifespan(self, outer: object) -> AsyncIterator[dict[str, Any]]:
        self.events.append("start")
        yield {"kept": "state"}
        self.events.append("stop")


@pytest.mark.parametrize("style", ["plainly", *STYLES])
async def test_what_a_mounted_application_is_given_and_raises(
    style: str, make_settings: Callable[..., Settings], log_lines: LogLines
) -> None:
    inner = Inner()
    app = Sternpost(
        contract,
        services=[services],
        settings=make_settings(),
        mounts={"/inner": inner.app, "/plain": plain},
        write_log=log_lines,
    )
    below = style != "plainly"
    async with Outside(app, outer=Below(app, style)) if below else Client(app) as client:
        assert inner.events == ["start"]
        outside = PREFIX if below else ""
        assert (await client.get("/inner/state")).content.decode() == f"state {outside}/inner/state"
        assert (await client.get("/inner/fails")).status == 500
        assert_logged(log_lines, "LookupError", "in fails")
        answer = await client.get("/plain/x")
        assert answer.status == 500
        assert answer.error["code"] == "INTERNAL_ERROR"
        assert_logged(log_lines, "KeyError", "in plain", answer.headers["x-request-id"])
        with pytest.raises(LookupError):  # the server cuts the connection off
            await client.get("/inner/breaks")
        assert_logged(log_lines, "LookupError", "in parts")
    assert inner.events == ["start", "stop"]


def assert_logged(log_lines: LogLines, error: str, place: str, request_id: str | None = None) -> None:
    """The last two lines are the error, with its stack, and the request."""
    *_, told, request = log_lines.lines
    assert told["requestId"] == request["requestId"]
    assert request_id in (None, told["requestId"])
    assert error in told["stack"]
    assert place in told["stack"]
