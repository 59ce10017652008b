"""`/metrics` of a service in one process: what its calls leave there, and what clients cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics

from sternpost import Settings
from sternpost.telemetry.metric_names import EVERY
from sternpost.testing import Client
from tests.support.limited import make
from tests.support.measured import OPS_TOKEN, Page

V1 = "/api/v1/bells"
OPENMETRICS = b"application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    settings = Settings.model_validate(
        {
            "env": "test",
            "database_url": f"sqlite:///{tmp_path / 'bells.sqlite'}",
            "jwt_secret": "ops-tests-8c1f0e7d2b6a4953c1e0d7f2",
            "ops_token": OPS_TOKEN,
        }
    )
    app = make(settings=settings, mounts={"/mounted": mounted})
    async with Client(app) as client:
        yield Page(client)


async def test_calls_are_told_by_operation(page: Page) -> None:
    token = page.client.token("usr_1")
    for _ in range(4):
        await page.client.post(f"{V1}/ring", token=token)
    found = await page.samples()
    assert found["sternpost_requests_total", "bells.ring", "ok"] == 3
    assert found["sternpost_requests_total", "bells.ring", "rejected"] == 1
    assert found["sternpost_errors_total", "RATE_LIMITED", "bells.ring", "rejected"] == 1
    assert found["sternpost_request_duration_seconds_count", "bells.ring"] == 4
    assert found["sternpost_request_duration_seconds_bucket", "+Inf", "bells.ring"] == 4
    assert 0 < found["sternpost_request_duration_recent_seconds", "bells.ring", "95"] < 10
    assert found["sternpost_worker_up", "1"] == 1
    assert found["sternpost_requests_in_flight", "1"] == 0


async def test_what_is_no_operation_has_one_name_for_each_kind(page: Page) -> None:
    for path in ("/health", "/health/ready", "/docs", "/openapi.json", "/mounted/a", "/mounted/b", "/nothing"):
        await page.client.get(path)
    await page.client.delete("/docs")
    await page.client.get("/api/v1/nothing")
    found = await page.samples()
    counted = {
        labels[1:]: value for labels, value in found.items() if labels[0] == "sternpost_requests_total" and value
    }
    assert counted == {
        ("health", "ok"): 2,
        ("docs", "ok"): 2,
        ("docs", "rejected"): 1,
        ("mount:/mounted", "ok"): 2,
        ("elsewhere", "rejected"): 2,
    }


async def test_nothing_that_a_client_writes_gets_into_the_metrics(page: Page) -> None:
    secret = "pl4nted-7c1e"
    await page.client.get(f"/{secret}")
    await page.client.get(f"{V1}/{secret}?{secret}={secret}")
    await page.client.get(f"/mounted/{secret}")
    await page.client.request(secret.upper(), "/docs")
    await page.client.request(secret.upper(), f"{V1}/ring")
    headers = {"traceparent": secret, "user-agent": secret, "x-request-id": secret, "idempotency-key": secret}
    await page.client.post(f"{V1}/ring", token=page.client.token(secret), headers=headers)
    await page.client.post(f"{V1}/ring", token=secret)
    await page.client.post(f"{V1}/ring", json={secret: secret}, token=page.client.token("usr_1"))
    for accept in (b"", OPENMETRICS):
        text = await page.text(accept)
        assert "bells.ring" in text
        assert secret not in text.lower()


async def test_ten_thousand_addresses_make_no_series(page: Page) -> None:
    await page.client.get("/nothing")
    before = set(await page.samples())
    for number in range(10_000):
        await page.client.get(f"/nothing/{number}")
    found = await page.samples()
    assert {name for name in set(found) - before if name[0].startswith("sternpost_request")} == set()
    assert found["sternpost_requests_total", "elsewhere", "rejected"] == 10_001


async def test_both_formats_can_be_read(page: Page) -> None:
    await page.client.get("/health")
    plain, open_metrics = await page.answer(), await page.answer(OPENMETRICS)
    assert plain.content is not None
    assert open_metrics.content is not None
    assert plain.content[0].startswith(b"text/plain; version=0.0.4")
    assert open_metrics.content[0].startswith(b"application/openmetrics-text; version=1.0.0")
    families = list(openmetrics.text_string_to_metric_families(open_metrics.content[1].decode()))
    known = {description.name: description for description in EVERY}
    assert {family.name for family in families} <= known.keys()
    for family in families:
        assert family.documentation == known[family.name].help
        assert family.unit == known[family.name].unit


@pytest.mark.parametrize(
    "accept", [b"text/plain;version=x", b"application/openmetrics-text;version=", b"\xff;;,=", b"*/*"]
)
async def test_a_strange_wish_is_answered_in_the_usual_format(page: Page, accept: bytes) -> None:
    assert "sternpost_requests_total" in await page.text(accept)


async def test_without_a_token_of_the_ops_port_nothing_is_counted(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "env": "test",
            "database_url": f"sqlite:///{tmp_path / 'bells.sqlite'}",
            "jwt_secret": "ops-tests-8c1f0e7d2b6a4953c1e0d7f2",
        }
    )
    app = make(settings=settings)
    async with Client(app):
        assert app.metrics is None
