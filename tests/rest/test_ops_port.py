"""The ops port's pages, and what an override does to calls, in one process with an injected clock."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sternpost import Settings
from sternpost.app.ops.fleet import Alone, Answered
from sternpost.app.ops.limits import OVERRIDES_MAX, LimitPages
from sternpost.app.ops.pages import BODY_BYTES_MAX, OpsPages
from sternpost.app.ops.process import OpsProcess
from sternpost.telemetry.log import Log
from sternpost.telemetry.telemetry import Telemetry
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.limited import make

TOKEN = "ops-port-8c1f0e7d2b6a4953c1e0d7f2a1b3"
V1 = "/api/v1/bells"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 5, 4, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


@dataclass
class Port:
    """The port without a socket."""

    pages: OpsPages
    client: Client
    clock: Clock
    lines: LogLines

    async def ask(
        self, method: str, path: str, body: Any = None, token: str | None = TOKEN, raw: bytes | None = None, **more: str
    ) -> tuple[int, dict[str, str], Any]:
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        headers = [(b"host", b"ops"), *((name.encode(), value.encode()) for name, value in more.items())]
        if token is not None:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "headers": headers,
            "client": ("127.0.0.9", 1),
        }
        await self.pages(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        answer = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], found, json.loads(answer) if answer else None

    async def put(self, limit: str, key: Any, **more: Any) -> str:
        """Puts an override in force; its id."""
        asked = {"limit": limit, "key": key, "expires": 3600, "reason": "a test", **more}
        status, _, answer = await self.ask("PUT", "/limits/overrides", asked)
        assert status == 200, answer
        assert answer["data"]["processes"] == [
            {"worker": None, "pid": answer["data"]["processes"][0]["pid"], "answered": True}
        ]
        return answer["data"]["override"]["id"]

    async def passes(self, operation: str, subject: str = "usr_1", body: Any = None, **more: Any) -> int:
        """How many calls pass before one is refused; at most 12."""
        token = self.client.token(subject, **more)
        for count in range(12):
            answer = await self.client.post(f"{V1}/{operation}", token=token, json=body)
            if answer.status == 429:
                self.refused = answer
                return count
            assert answer.status == 200, answer.content
        return 12


@pytest.fixture
async def port(tmp_path: Any, log_lines: LogLines) -> AsyncIterator[Port]:
    clock = Clock()
    settings = Settings.model_validate(
        {
            "env": "test",
            "database_url": f"sqlite:///{tmp_path / 'bells.sqlite'}",
            "jwt_secret": "ops-tests-8c1f0e7d2b6a4953c1e0d7f2",
        }
    )
    app = make(settings=settings, clock=clock, write_log=log_lines)
    telemetry = Telemetry(Log("bells", clock, write=log_lines), clock)
    async with Client(app) as client:
        pages = OpsPages(LimitPages(Alone(OpsProcess(app).answer), telemetry, clock).pages(), TOKEN, telemetry, clock)
        yield Port(pages, client, clock, log_lines)


# -- what an override does


async def test_an_override_changes_what_one_caller_may_do_until_it_expires(port: Port) -> None:
    assert await port.passes("ring") == 3
    await port.put("bells.ring/daily", "usr_1", quantity=5)
    assert await port.passes("ring") == 2, "what was counted before counts"
    assert port.refused.headers["ratelimit-policy"] == '"service/all";q=1000;w=86400, "daily";q=5;w=86400'
    assert await port.passes("ring", "usr_2") == 3
    port.clock.at += timedelta(seconds=3600)
    assert await port.passes("ring") == 0, "the limit holds again as it is declared"
    port.clock.at += timedelta(days=1)
    assert await port.passes("ring") == 3


async def test_a_quantity_of_0_blocks_a_caller(port: Port) -> None:
    await port.put("bells.ring/daily", "usr_1", quantity=0, expires=600)
    assert await port.passes("ring") == 0
    assert port.refused.headers["retry-after"] == "600"
    assert port.refused.error["code"] == "RATE_LIMITED"
    assert port.lines.requests[-1]["rateLimited"] == "bells.ring/daily"
    assert await port.passes("ring", "usr_2") == 3
    port.clock.at += timedelta(seconds=600)
    assert await port.passes("ring") == 3


async def test_a_factor_multiplies_what_would_hold(port: Port) -> None:
    await port.put("bells.ring/daily", "usr_1", factor=2)
    assert await port.passes("ring") == 6
    await port.put("bells.ring/daily", "usr_1", factor=0.01)
    assert await port.passes("ring", "usr_1") == 0
    await port.put("bells.ring/daily", "usr_3", factor=0.01)
    assert await port.passes("ring", "usr_3") == 1, "a factor that is not 0 leaves one"
    await port.put("bells.ring/daily", "usr_4", factor=0)
    assert await port.passes("ring", "usr_4") == 0


async def test_a_deleted_override_does_not_hold(port: Port) -> None:
    name = await port.put("bells.ring/daily", "usr_1", quantity=0)
    assert await port.passes("ring") == 0
    status, _, answer = await port.ask("DELETE", f"/limits/overrides/{name}")
    assert (status, answer["data"]["override"]["id"]) == (200, name)
    assert await port.passes("ring") == 3
    assert (await port.ask("DELETE", f"/limits/overrides/{name}"))[0] == 404


@pytest.mark.parametrize(
    ("limit", "key", "operation", "caller"),
    [
        ("bells.knock/address-day", "127.0.0.1", "knock", {}),
        ("bells.knock/address-day", "::ffff:127.0.0.1", "knock", {}),
        ("bells.knock/address-day", {"address": "127.0.0.1"}, "knock", {}),
        ("bells.plan/plan", "pro", "plan", {"claims": {"plan": "pro"}}),
        ("bells.plan/plan", {"claim:plan": "pro"}, "plan", {"claims": {"plan": "pro"}}),
        ("bells.plan/plan", {"principal": "usr_1"}, "plan", {}),
        ("bells.call/calls", ["one", "a@b.example"], "call", {"tenant": "one", "body": {"email": "a@b.example"}}),
        (
            "bells.call/calls",
            {"tenant": "one", "given:email": "a@b.example"},
            "call",
            {"tenant": "one", "body": {"email": "a@b.example"}},
        ),
        ("bells.call/calls", {"principal": "usr_1", "given:email": "a"}, "call", {"body": {"email": "a"}}),
        ("service/all", None, "ring", {}),
    ],
)
async def test_a_key_names_whom_the_limit_counts(
    port: Port, limit: str, key: Any, operation: str, caller: dict[str, Any]
) -> None:
    assert await port.passes(operation, **caller) > 0
    await port.put(limit, key, quantity=0)
    assert await port.passes(operation, **caller) == 0
    port.clock.at += timedelta(days=1)
    assert await port.passes(operation, **caller) > 0


# -- the pages


async def test_limits_are_listed(port: Port) -> None:
    status, _, answer = await port.ask("GET", "/limits")
    assert status == 200
    found = {limit["id"]: limit for limit in answer["data"]["limits"]}
    assert found.keys() == {
        "service/all",
        "bells.ring/daily",
        "bells.knock/address-day",
        "bells.call/calls",
        "bells.plan/plan",
    }
    assert found["bells.call/calls"]["by"] == ["tenant", "given:email"]
    assert (found["bells.ring/daily"]["quantity"], found["bells.ring/daily"]["periodSeconds"]) == (3, 86_400)
    assert found["service/all"]["operation"] is None


async def test_overrides_are_listed_until_they_expire(port: Port) -> None:
    first = await port.put("bells.ring/daily", "usr_1", quantity=5)
    assert await port.put("bells.ring/daily", {"principal": "usr_1"}, quantity=7) == first, "one for each caller"
    await port.put("bells.ring/daily", "usr_2", factor=2, expires="2026-05-04T16:00:00+02:00")
    found = (await port.ask("GET", "/limits/overrides"))[2]["data"]["overrides"]
    assert [(each["key"], each.get("quantity"), each.get("factor"), each["expires"]) for each in found] == [
        ({"principal": "usr_1"}, 7, None, "2026-05-04T13:00:00Z"),
        ({"principal": "usr_2"}, None, 2.0, "2026-05-04T14:00:00Z"),
    ]
    port.clock.at += timedelta(hours=1)
    found = (await port.ask("GET", "/limits/overrides"))[2]["data"]["overrides"]
    assert [each["key"] for each in found] == [{"principal": "usr_2"}]


@pytest.mark.parametrize(
    ("limit", "spellings", "key"),
    [
        (
            "bells.knock/address-day",
            ["::1", "0:0:0:0:0:0:0:1", "::2", "::/64", "::1/64", "0::%lo", {"address": "::1"}, ["::1"]],
            {"address": "::/64"},
        ),
        (
            "bells.knock/address-day",
            ["2001:db8:1:2::5", "2001:DB8:1:2::/64", "2001:0db8:0001:0002:ffff::"],
            {"address": "2001:db8:1:2::/64"},
        ),
        (
            "bells.knock/address-day",
            ["127.0.0.1", "127.0.0.1/32", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:127.0.0.1/128"],
            {"address": "127.0.0.1"},
        ),
        ("bells.plan/plan", [{"address": "::1"}, {"address": "::2"}], {"address": "::/64"}),
        ("bells.call/calls", [["one", "a@b.example"], ["one", "A@B.example"]], None),
        ("bells.plan/plan", ["pro", {"claim:plan": "pro", "principal": "usr_1"}], None),
    ],
)
async def test_a_caller_has_one_override_however_the_key_is_spelled(
    port: Port, limit: str, spellings: list[Any], key: Any
) -> None:
    """Before: each spelling had an override of its own, and the end of one ended what the others said."""
    names = {await port.put(limit, spelling, quantity=5) for spelling in spellings}
    assert len(names) == 1
    [found] = (await port.ask("GET", "/limits/overrides"))[2]["data"]["overrides"]
    assert key is None or found["key"] == key


@pytest.mark.parametrize(
    "network", ["2001:db8::/48", "2001:db8::1/128", "10.0.0.0/8", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1/64"]
)
async def test_a_network_that_is_not_counted_as_one_client_is_refused(port: Port, network: str) -> None:
    """Before: it was taken for its first address."""
    asked = {**GOOD, "limit": "bells.knock/address-day", "key": network}
    status, _, answer = await port.ask("PUT", "/limits/overrides", asked)
    assert status == 400
    [problem] = answer["error"]["details"]
    assert problem["path"] == "key"
    assert "An IPv4 client is counted by its address, an IPv6 client by its network of 64 bits" in problem["message"]
    for wrong in ("::1/", "::1/x", "::1/-64", "10.0.0.1/33", "::1/064", "::1/64/64"):
        assert (await port.ask("PUT", "/limits/overrides", {**asked, "key": wrong}))[0] == 400, wrong


async def test_every_change_is_logged(port: Port) -> None:
    name = await port.put("bells.ring/daily", "usr_1", quantity=5, reason="ticket 4711")
    await port.ask("DELETE", f"/limits/overrides/{name}")
    audited = [line for line in port.lines.lines if line.get("event") == "limit override"]
    assert [line["change"] for line in audited] == ["set", "deleted"]
    for line in audited:
        assert line["level"] == "warning"
        assert (line["limit"], line["key"], line["quantity"]) == ("bells.ring/daily", {"principal": "usr_1"}, 5)
        assert (line["expires"], line["reason"], line["address"]) == (
            "2026-05-04T13:00:00+00:00",
            "ticket 4711",
            "127.0.0.9",
        )
    assert TOKEN not in str(port.lines.raw)


GOOD: dict[str, Any] = {"limit": "bells.ring/daily", "key": "usr_1", "quantity": 5, "expires": 60, "reason": "why"}


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"limit": "bells.sing/daily"}, "limit"),
        ({"limit": 7}, "limit"),
        ({"key": None}, "key"),
        ({"key": 7}, "key"),
        ({"key": ""}, "key"),
        ({"key": ["a", "b"]}, "key"),
        ({"key": {"tenant": "a"}}, "key"),
        ({"key": {}}, "key"),
        ({"key": {"address": "nowhere"}}, "key"),
        ({"key": "a" * 3000}, "key"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"quantity": True}, "quantity"),
        ({"quantity": 10**10}, "quantity"),
        ({"quantity": None}, "quantity"),
        ({"factor": 2}, "quantity"),
        ({"quantity": None, "factor": "2"}, "factor"),
        ({"quantity": None, "factor": -1}, "factor"),
        ({"limit": "bells.call/calls", "key": ["one", "a"], "quantity": 10**6}, "quantity"),
        ({"limit": "service/all", "key": "usr_1"}, "key"),
        ({"expires": None}, "expires"),
        ({"expires": 0}, "expires"),
        ({"expires": 31 * 86_400}, "expires"),
        ({"expires": 1e300}, "expires"),
        ({"expires": "2026-05-05T12:00:00"}, "expires"),
        ({"expires": "2026-05-04T12:00:00Z"}, "expires"),
        ({"expires": "tomorrow"}, "expires"),
        ({"reason": " "}, "reason"),
        ({"reason": None}, "reason"),
        ({"reason": "a" * 501}, "reason"),
        ({"until": 5}, "until"),
    ],
)
async def test_what_is_no_override_is_refused(port: Port, change: dict[str, Any], member: str) -> None:
    status, _, answer = await port.ask("PUT", "/limits/overrides", {**GOOD, **change})
    assert (status, [detail["path"] for detail in answer["error"]["details"]]) == (400, [member]), answer
    assert (await port.ask("GET", "/limits/overrides"))[2]["data"]["overrides"] == []


async def test_there_are_not_too_many(port: Port) -> None:
    for number in range(OVERRIDES_MAX):
        await port.put("bells.ring/daily", f"usr_{number}", quantity=5)
    assert (await port.ask("PUT", "/limits/overrides", {**GOOD, "key": "one more"}))[0] == 409
    assert (await port.ask("PUT", "/limits/overrides", {**GOOD, "key": "usr_7"}))[0] == 200
    port.clock.at += timedelta(hours=1)
    assert (await port.ask("PUT", "/limits/overrides", {**GOOD, "key": "one more"}))[0] == 200


async def test_nothing_is_told_without_the_token(port: Port) -> None:
    for path in ("/limits", "/limits/overrides", "/", "/nothing"):
        for token in (None, "", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ä" * 40):
            for method in ("GET", "PUT", "OPTIONS"):
                status, headers, answer = await port.ask(method, path, token=token)
                assert (status, answer["error"]["code"]) == (401, "UNAUTHENTICATED")
                assert headers["www-authenticate"].startswith("Bearer")
    status, _, _ = await port.ask("GET", "/limits", token=None, authorization=f"Basic {TOKEN}")
    assert status == 401
    told = [line for line in port.lines.lines if "without its token" in line["message"]]
    assert len(told) == 1, "once a second"


async def test_what_is_no_request_of_the_port(port: Port) -> None:
    assert (await port.ask("GET", "/nothing"))[0] == 404
    assert (await port.ask("GET", "/limits/overrides/"))[0] == 404
    status, headers, _ = await port.ask("POST", "/limits/overrides")
    assert (status, headers["allow"]) == (405, "GET, PUT")
    for raw in (b"{", b"\xff", b"[" * 10_000, b"[]", b""):
        assert (await port.ask("PUT", "/limits/overrides", raw=raw))[0] == 400
    assert (await port.ask("PUT", "/limits/overrides", raw=b" " * (BODY_BYTES_MAX + 1)))[0] == 413


async def test_without_an_answer_nothing_is_changed(port: Port) -> None:
    class Silent:
        async def ask(self, message: Any) -> list[Answered]:
            return [Answered(1, 4711, None)]

    telemetry = Telemetry(Log("bells", port.clock, write=port.lines), port.clock)
    port.pages = OpsPages(LimitPages(Silent(), telemetry, port.clock).pages(), TOKEN, telemetry, port.clock)
    assert (await port.ask("PUT", "/limits/overrides", GOOD))[0] == 503
    assert (await port.ask("GET", "/limits/overrides"))[2]["data"]["overrides"] == []
    status, _, answer = await port.ask("GET", "/limits")
    assert (status, answer["data"]["processes"]) == (200, [{"worker": 1, "pid": 4711, "answered": False}])
