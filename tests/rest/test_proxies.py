"""Behind trusted proxies everything sees the client: operations, middleware, and mounted applications."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sternpost import Settings
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.behind import app
from tests.support.limited import make

HEADERS = {"x-forwarded-for": "6.6.6.6, 203.0.113.9", "x-forwarded-proto": "https", "x-forwarded-host": "shop.example"}
FORWARDED = {"forwarded": 'for=6.6.6.6, for="[2001:db8::9]:4711";proto=https;host=shop.example'}


async def seen(folder: Path, headers: Mapping[str, str], **more: Any) -> tuple[dict[str, str], dict[str, str]]:
    """What an operation sees, and what a mounted application does."""
    url = f"sqlite:///{folder / 'behind.sqlite'}"
    app.use(Settings.model_validate({"env": "test", "database_url": url, **more}))
    async with Client(app) as client:
        answer = await client.get("/api/v1/looks/look", headers=headers)
        assert answer.status == 200, answer.content
        return answer.data, (await client.get("/mounted/", headers=headers)).json()


async def test_nobody_is_believed_where_no_proxy_is_declared(tmp_path: Path) -> None:
    plain = {"address": "127.0.0.1", "scheme": "http", "host": "test"}
    for headers in (HEADERS, FORWARDED):
        assert await seen(tmp_path, headers) == ({**plain, "byMiddleware": "127.0.0.1 http"}, plain)
        found = await seen(tmp_path, headers, trusted_proxies="192.0.2.0/24")
        assert found == ({**plain, "byMiddleware": "127.0.0.1 http"}, plain)


@pytest.mark.parametrize(
    ("headers", "names", "address", "scheme", "host"),
    [
        (HEADERS, None, "203.0.113.9", "https", "test"),
        (HEADERS, "x-forwarded-for", "203.0.113.9", "http", "test"),
        (HEADERS, "x-forwarded-for,x-forwarded-proto,x-forwarded-host", "203.0.113.9", "https", "shop.example"),
        (FORWARDED, None, "127.0.0.1", "http", "test"),
        (FORWARDED, "forwarded", "2001:db8::9", "https", "shop.example"),
        ({**HEADERS, **FORWARDED}, "forwarded", "2001:db8::9", "https", "shop.example"),
        ({**HEADERS, **FORWARDED}, "x-forwarded-for", "203.0.113.9", "http", "test"),
    ],
)
async def test_the_client_is_whom_a_trusted_proxy_names(
    tmp_path: Path, headers: Mapping[str, str], names: str | None, address: str, scheme: str, host: str
) -> None:
    more = {"trusted_proxies": "127.0.0.1, 192.0.2.0/24"} | ({"proxy_headers": names} if names else {})
    expected = {"address": address, "scheme": scheme, "host": host}
    found = await seen(tmp_path, headers, **more)
    assert found == ({**expected, "byMiddleware": f"{address} {scheme}"}, expected)


@pytest.mark.parametrize(
    ("names", "headers", "name"),
    [
        (None, {"x-forwarded-for": "203.0.113.9, nonsense"}, "X-Forwarded-For"),
        ("forwarded", {"forwarded": 'for=6.6.6.6;x=", for=203.0.113.9'}, "Forwarded"),
    ],
)
async def test_a_request_whose_client_cannot_be_told_is_refused(
    tmp_path: Path, log_lines: LogLines, names: str | None, headers: Mapping[str, str], name: str
) -> None:
    """Before: it was the proxy's, also for limits."""
    more = {"trusted_proxies": "127.0.0.1"} | ({"proxy_headers": names} if names else {})
    url = f"sqlite:///{tmp_path / 'bells.sqlite'}"
    settings = Settings.model_validate({"env": "test", "database_url": url, **more})
    async with Client(make(settings=settings, write_log=log_lines)) as client:
        for _ in range(4):
            answer = await client.post("/api/v1/bells/knock", headers=headers)
            assert (answer.status, answer.error["code"]) == (400, "VALIDATION_ERROR")
            [detail] = answer.error["details"]
            assert (detail["path"], detail["code"]) == (name, "invalid_header")
            assert log_lines.requests[-1]["status"] == 400
        assert (await client.post("/api/v1/bells/knock")).status == 200, "it was not counted for the proxy"


async def test_a_limit_by_address_counts_clients_and_not_proxies(tmp_path: Path) -> None:
    """An IPv6 client is its network of 64 bits; a header of its own changes nothing."""
    url = f"sqlite:///{tmp_path / 'bells.sqlite'}"
    settings = Settings.model_validate({"env": "test", "database_url": url, "trusted_proxies": "127.0.0.1"})
    async with Client(make(settings=settings)) as client:

        async def knocks(*forwarded: str) -> list[int]:
            sent = [{"x-forwarded-for": each} for each in forwarded]
            return [(await client.post("/api/v1/bells/knock", headers=headers)).status for headers in sent]

        same = [f"{number}.1.1.1, 203.0.113.9" for number in range(1, 5)]
        assert await knocks(*same) == [200, 200, 200, 429]
        assert await knocks("203.0.113.10") == [200]
        assert await knocks(*(f"2001:db8:1:2::{number}" for number in range(1, 5))) == [200, 200, 200, 429]
        assert await knocks("2001:db8:1:3::1") == [200]
