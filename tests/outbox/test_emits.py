"""What operations tell: each change that was made has its events, and no other has any. On each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sternpost import Settings, Sternpost
from sternpost.ids import new_hex
from sternpost.ports.outbox import READ_MAX, Event
from sternpost.ports.storage import Statistics
from sternpost.testing import Client
from sternpost.testing.clock import ManualClock
from tests.conftest import LogLines
from tests.outbox.ledger import contract, services

V1 = "/api/v1"
LAST = "entry.asked"
"""The event that is waited for."""

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def client(
    make_settings: Callable[..., Settings], log_lines: LogLines, clock: ManualClock
) -> AsyncIterator[Client]:
    app = Sternpost(contract, services=services, settings=make_settings(), write_log=log_lines, clock=clock)
    async with Client(app) as client:
        yield client


async def told(client: Client) -> list[Event]:
    """All that was told before, which is there once what is told now is: events come in the order of commits, and what
    else the database server does may hold them back."""
    storage, last = client.app.running.runtime.storage, f"evt_{new_hex()}"
    async with storage.transaction(Statistics()) as session:
        await session.emit([Event(last, LAST, "Entry", None, "entries.sum", None, None, None, None, START)])
    async with asyncio.timeout(60):
        while True:
            events, _ = await storage.outbox().after(None, READ_MAX)
            if any(event.id == last for event in events):
                return [event for event in events if event.name != LAST]
            await asyncio.sleep(0.01)


async def names(client: Client) -> list[str]:
    return [event.name for event in await told(client)]


async def entry(client: Client, key: str = "a", **options: Any) -> dict[str, Any]:
    answer = await client.post(f"{V1}/entries", json={"key": key}, **options)
    assert answer.status == 201, answer.content
    return answer.data


async def test_an_event_holds_what_is_known_of_the_call(
    client: Client, log_lines: LogLines, clock: ManualClock
) -> None:
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "content-type": "application/json"}
    token = client.token("ann", tenant="azure")
    made = await client.post(f"{V1}/accounts", json={"name": "n"}, token=token, headers=trace)
    clock.travel(hours=1)
    alone = await entry(client)
    first, created, counted = await told(client)
    lines = log_lines.requests
    assert first == Event(
        first.id,
        "account.created",
        "Account",
        made.data["id"],
        "accounts.create",
        lines[0]["requestId"],
        "a" * 32,
        "azure",
        "ann",
        clock.now().replace(hour=clock.now().hour - 1),
    )
    assert (created.row_id, created.actor, created.tenant) == (alone["id"], None, None)
    assert (created.occurred_at, created.request_id) == (clock.now(), lines[1]["requestId"])
    assert [event.name for event in (created, counted)] == ["entry.created", "entry.counted"]
    assert len({first.id, created.id, counted.id}) == 3


async def test_each_kind_of_change_tells_of_its_row(client: Client) -> None:
    row = await entry(client)
    url = f"{V1}/entries/{row['id']}"
    for method, path, body in (
        ("PUT", url, {"key": "b"}),
        ("PATCH", url, {"amount": 3}),
        ("POST", f"{url}/close", None),
        ("POST", f"{url}/touch", None),
        ("POST", f"{V1}/entries/sum", None),
        ("DELETE", url, None),
    ):
        answer = await client.request(method, path, json=body)
        assert answer.status < 300, answer.content
    token = client.token("ann", tenant="azure")
    account = (await client.post(f"{V1}/accounts", json={"name": "n", "parts": [{"label": "x"}]}, token=token)).data
    for method, end in (("DELETE", ""), ("POST", "/restore")):
        answer = await client.request(method, f"{V1}/accounts/{account['id']}{end}", token=token)
        assert answer.status < 300, answer.content
    assert (await client.post(f"{V1}/silents", json={"key": "s"})).status == 201
    rows = [(event.name, event.row_id) for event in await told(client)]
    entries = ("created", "counted", "replaced", "updated", "closed", "touched", "summed", "deleted")
    expected = [(f"entry.{name}", None if name == "summed" else row["id"]) for name in entries]
    accounts = [(f"account.{name}", account["id"]) for name in ("created", "deleted", "restored")]
    assert rows == [*expected, *accounts]


async def test_what_is_refused_is_not_told(client: Client) -> None:
    row = await entry(client)
    before = await names(client)
    url = f"{V1}/entries/{row['id']}"
    assert (await client.post(f"{url}/close")).status == 200
    token = client.token("ann", tenant="azure")
    for status, method, path, body in (
        (409, "POST", f"{V1}/entries", {"key": "a"}),
        (400, "POST", f"{V1}/entries", {"key": "x" * 41}),
        (400, "PATCH", url, {"amount": -1}),
        (500, "PATCH", url, {"amount": 13}),
        (409, "POST", f"{url}/close", None),
        (404, "DELETE", f"{V1}/entries/ent_{'0' * 32}", None),
        (403, "POST", f"{V1}/accounts", {"name": "refused"}),
    ):
        answer = await client.request(method, path, json=body, token=token)
        assert answer.status == status, answer.content
    assert await names(client) == [*before, "entry.closed"]
    assert (await client.get(url)).data["amount"] == 0


async def test_of_creations_that_come_together_the_refused_ones_tell_nothing(client: Client) -> None:
    """All at once, so that they share statements; every third has a key that is taken."""
    keys = [f"k{number - number % 3 if number % 3 == 2 else number}" for number in range(60)]
    answers = await asyncio.gather(*(client.post(f"{V1}/entries", json={"key": key}) for key in keys))
    made = [answer.data["id"] for answer in answers if answer.status == 201]
    assert sorted({answer.status for answer in answers}) == [201, 409]
    assert len(made) == 40
    events = await told(client)
    for name in ("entry.created", "entry.counted"):
        assert sorted(str(event.row_id) for event in events if event.name == name) == sorted(made)


async def test_a_batch_tells_all_of_it_or_nothing(client: Client) -> None:
    good = [
        {"as": "one", "operation": "entries.create", "body": {"key": "a"}},
        {"operation": "entries.close", "id": {"$ref": "one.id"}},
        {"operation": "silents.create", "body": {"key": "s"}},
    ]
    bad = {"operation": "entries.create", "body": {"key": "a"}}
    refused = await client.post(f"{V1}/$batch", json={"operations": [*good, bad]})
    assert refused.status == 409
    assert await names(client) == []
    done = await client.post(f"{V1}/$batch", json={"operations": good})
    assert done.status == 200
    events = await told(client)
    assert [event.name for event in events] == ["entry.created", "entry.counted", "entry.closed"]
    assert {event.row_id for event in events} == {done.data[0]["data"]["id"]}
    assert [event.operation for event in events] == ["entries.create", "entries.create", "entries.close"]


async def test_an_operation_that_is_tried_again_is_told_once(client: Client, database: str) -> None:
    """Transitions of two rows in opposite order, by batches: one of the two transactions is given up for the other."""
    if database == "sqlite":
        pytest.skip("a transaction of SQLite is never given up for another one")
    for number in range(5):
        one, other = [await entry(client, f"{number}{end}") for end in "ab"]

        def moved(*rows: dict[str, Any]) -> Any:
            changes = [{"operation": "entries.touch", "id": row["id"]} for row in rows]
            return client.post(f"{V1}/$batch", json={"operations": changes})

        answers = await asyncio.gather(moved(one, other), moved(other, one))
        ids = {one["id"], other["id"]}
        events = [event for event in await told(client) if event.name == "entry.touched" and event.row_id in ids]
        assert len(events) == 2 * sum(answer.status == 200 for answer in answers)


async def test_a_contract_without_events_has_no_outbox(make_settings: Callable[..., Settings]) -> None:
    from tests.support.contracts import contract_of, contract_text

    with contract_of(contract_text({"Thing": {"label": "str"}})) as plain:
        app = Sternpost(plain, settings=make_settings())
    async with Client(app):
        ddl = app.running.runtime.storage.ddl()
    assert not any("outbox" in statement for statement in ddl)
