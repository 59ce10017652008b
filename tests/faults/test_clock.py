"""The machine's clock is set back and forth by an hour while the service runs: what is measured is measured by a clock
that never goes back, and what is said to be a time is what the clock says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import pytest

from sternpost import Browse, Contract, Create, Read, Resource, Settings, Sternpost, Update, field, scope
from sternpost.auth.api_keys import make_key
from sternpost.clock import SystemClock
from sternpost.ids import new_hex
from sternpost.testing import Client

HOUR = timedelta(hours=1)
JUMPS = (-HOUR, HOUR, -HOUR, 2 * HOUR, -HOUR)
"""From one to the next; they end where they have begun."""


class Note(Resource, prefix="not"):
    """Something written down."""

    text: str = field(max_length=40)
    version: int = field(auto="version")
    created_at: datetime = field(auto="created", filter=True)
    updated_at: datetime = field(auto="updated")

    browse = Browse(allow=scope("notes"), sort=["created_at"])
    read = Read(allow=scope("notes"))
    create = Create(allow=scope("notes"))
    update = Update(allow=scope("notes"))


CONTRACT = Contract("notes", resources=[Note], api_keys=True)


class Set:
    """The machine's clocks; the one that says what time it is can be set."""

    def __init__(self) -> None:
        self.by = timedelta()
        self._real = SystemClock()
        self.passed = 0.0

    def now(self) -> datetime:
        return self._real.now() + self.by

    def monotonic(self) -> float:
        return self._real.monotonic() + self.passed


@pytest.fixture
def clock() -> Set:
    return Set()


@pytest.fixture
async def client(make_settings: Callable[..., Settings], clock: Set) -> AsyncIterator[Client]:
    async with Client(Sternpost(CONTRACT, settings=make_settings(), clock=clock)) as client:
        yield client


async def pages(client: Client, url: str, token: Callable[[], str], between: Callable[[], None]) -> list[str]:
    """The ids of all pages, by cursor."""
    found, cursor = [], ""
    while cursor is not None:
        page = (await client.get(f"{url}&cursor={cursor}", token=token())).json()
        found += [row["id"] for row in page["data"]]
        cursor = page["meta"]["nextCursor"]
        between()
    return found


async def test_a_token_counts_when_the_clock_says_so(client: Client, clock: Set) -> None:
    """Also one that was found to be good, an hour ago or an hour later; and nothing is refused for good."""
    short = client.token("usr_1", "notes")  # it is valid for an hour
    url = "/api/v1/notes"
    assert (await client.get(url, token=short)).status == 200
    clock.by = HOUR + timedelta(minutes=1)
    expired = await client.get(url, token=short)
    assert (expired.status, expired.json()["error"]["code"]) == (401, "UNAUTHENTICATED")
    later = client.token("usr_1", "notes")
    assert (await client.get(url, token=later)).status == 200
    clock.by = timedelta()
    assert (await client.get(url, token=short)).status == 200
    clock.by = -HOUR
    early = await client.get(url, token=client.token("usr_2", "notes"))
    assert early.status == 200, "one that is made now"
    clock.by = HOUR
    not_yet = client.token("usr_3", "notes")
    clock.by = timedelta()
    refused = await client.get(url, token=not_yet)
    assert (refused.status, refused.json()["error"]["code"]) == (401, "UNAUTHENTICATED")


async def test_rows_say_what_the_clock_said_and_changes_are_told_apart(client: Client, clock: Set) -> None:
    """A version counts changes, not time: what was changed at an earlier time than it was read is changed all the
    same."""
    made = await client.post("/api/v1/notes", json={"text": "first"}, token=client.token("usr_1", "notes"))
    url, etag = made.headers["location"], made.headers["etag"]
    for number, jump in enumerate(JUMPS):
        clock.by += jump
        token = client.token("usr_1", "notes")
        before = clock.now()
        changed = await client.patch(url, json={"text": f"{number}"}, token=token, headers={"If-Match": etag})
        assert changed.status == 200
        at = datetime.fromisoformat(changed.json()["data"]["updatedAt"])
        assert before <= at <= clock.now()
        lost = await client.patch(url, json={"text": "lost"}, token=token, headers={"If-Match": etag})
        assert (lost.status, lost.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
        etag = changed.headers["etag"]
    assert clock.by == timedelta()
    row = (await client.get(url, token=client.token("usr_1", "notes"))).json()["data"]
    assert (row["text"], row["version"]) == (f"{len(JUMPS) - 1}", 1 + len(JUMPS))


@pytest.mark.parametrize("sort", ["createdAt", "-createdAt"])
async def test_a_list_is_read_to_its_end_whatever_the_clock_does(client: Client, clock: Set, sort: str) -> None:
    """Rows that were written in an hour that came twice, and jumps between the pages."""
    made: list[str] = []
    for jump in JUMPS:
        clock.by += jump
        token = client.token("usr_1", "notes")
        for _ in range(3):
            answer = await client.post("/api/v1/notes", json={"text": "one of many"}, token=token)
            made.append(answer.json()["data"]["id"])
    jumps = iter(JUMPS * 3)

    def jumping() -> None:
        clock.by += next(jumps)

    url = f"/api/v1/notes?sort={sort}&pageSize=2"
    found = await pages(client, url, lambda: client.token("usr_1", "notes"), jumping)
    assert sorted(found) == sorted(made)
    assert len(set(made)) == len(made)


async def revoked_an_hour_ago(client: Client, clock: Set) -> int:
    """What an API key is answered with that was revoked, when the clock has gone back since."""
    key, stored = make_key("robot", "robot-1", ["notes"], id=f"key_{new_hex()}", now=clock.now())
    keys = client.app.running.runtime.storage.keys()
    await keys.add(stored)
    headers = {"authorization": f"Bearer {key}"}
    for jump in JUMPS:
        clock.by += jump
        assert (await client.get("/api/v1/notes", headers=headers)).status == 200
        assert (await client.get("/health/ready")).status == 200
    assert await keys.revoke(stored.id, clock.now())
    clock.by -= HOUR
    clock.passed += client.app.settings.api_key_cache_seconds
    return (await client.get("/api/v1/notes", headers=headers)).status


async def test_what_is_measured_goes_on(client: Client, clock: Set) -> None:
    """No request is given up for a jump, readiness stays, and a revoked API key is not kept for an hour."""
    assert await revoked_an_hour_ago(client, clock) == 401


class Wrong(Set):
    """It measures by the clock that can be set."""

    def monotonic(self) -> float:
        return super().monotonic() + self.by.total_seconds()


async def test_what_is_measured_by_the_wrong_clock_is_found(make_settings: Callable[..., Settings]) -> None:
    """The control."""
    clock = Wrong()
    async with Client(Sternpost(CONTRACT, settings=make_settings(), clock=clock)) as client:
        assert await revoked_an_hour_ago(client, clock) == 200
