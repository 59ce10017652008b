"""`ctx.after_commit`: only what was committed is followed up, once, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sternpost import (
    Browse,
    Change,
    Conflict,
    Context,
    Contract,
    Create,
    Custom,
    Payload,
    Resource,
    Settings,
    Sternpost,
    field,
    implements,
    provide,
    public,
)
from sternpost.testing import Client
from tests.conftest import LogLines

V1 = "/api/v1"


class Swap(Payload):
    first: str
    second: str


class Job(Resource, prefix="job"):
    name: str
    runs: int = field(default=0)

    browse = Browse(allow=public)
    create = Create(allow=public)
    swap = Custom(on="collection", input=Swap, output=None, allow=public)
    peek = Custom(method="GET", on="collection", output=None, allow=public)


class Outside:
    """What happens outside of the database."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.changed = {"a": asyncio.Event(), "b": asyncio.Event()}

    async def send(self, text: str, *, loud: bool = False) -> None:
        self.done.append(text.upper() if loud else text)

    async def hang(self) -> None:
        await asyncio.Event().wait()


@implements(Job.create)
async def create(ctx: Context, change: Change[Job], *, outside: Outside) -> Job:
    job = await change.apply()
    ctx.after_commit(outside.done.append, "plain")
    ctx.after_commit(outside.send, job.name, loud=True)
    if job.name == "refused":
        raise Conflict("Not this one")
    if job.name == "broken":
        ctx.after_commit(outside.send)  # pyright: ignore[reportCallIssue]
    if job.name == "endless":
        ctx.after_commit(outside.hang)
    ctx.after_commit(outside.send, "last")
    return job


@implements(Job.swap, retry_safe=True)
async def swap(ctx: Context, sent: Swap, *, outside: Outside) -> None:
    ctx.after_commit(outside.send, f"{sent.first} {sent.second}")
    jobs = ctx.repository(Job)
    await jobs.update_many({"name": sent.first}, {"runs": {"increment": 1}})
    outside.changed[sent.first].set()
    await outside.changed[sent.second].wait()  # both have changed one row, and want that of the other
    await jobs.update_many({"name": sent.second}, {"runs": {"increment": 1}})


@implements(Job.peek)
async def peek(ctx: Context) -> None:
    ctx.after_commit(print, "never")


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    app = Sternpost(
        Contract("jobs", resources=[Job]),
        services=[create, swap, peek],
        provide=[provide(Outside)],
        settings=make_settings(),
        write_log=log_lines,
    )
    async with Client(app) as client:
        yield client


def done(client: Client) -> list[str]:
    return client.app.running.providers.get(Outside).done


async def test_it_runs_in_order_before_the_answer(client: Client) -> None:
    assert (await client.post(f"{V1}/jobs", json={"name": "one"})).status == 201
    assert done(client) == ["plain", "ONE", "last"]


async def test_it_does_not_run_where_nothing_is_kept(client: Client) -> None:
    assert (await client.post(f"{V1}/jobs", json={"name": "refused"})).status == 409
    steps = [{"operation": "jobs.create", "body": {"name": name}} for name in ("one", "refused")]
    assert (await client.post(f"{V1}/$batch", json={"operations": steps})).status == 409
    assert done(client) == []
    assert (await client.get(f"{V1}/jobs")).data == []


async def test_in_a_batch_it_runs_when_all_of_it_is_committed(client: Client) -> None:
    steps = [{"operation": "jobs.create", "body": {"name": name}} for name in ("one", "two")]
    assert (await client.post(f"{V1}/$batch", json={"operations": steps})).status == 200
    assert done(client) == ["plain", "ONE", "last", "plain", "TWO", "last"]


async def test_an_error_in_it_is_logged_and_changes_nothing(client: Client, log_lines: LogLines) -> None:
    answer = await client.post(f"{V1}/jobs", json={"name": "broken"})
    assert (answer.status, done(client)) == (201, ["plain", "BROKEN", "last"])
    logged = next(line for line in log_lines.lines if line["message"] == "A function after the commit failed")
    assert (logged["level"], logged["function"]) == ("error", "Outside.send")
    assert "TypeError" in logged["stack"]
    assert [line["status"] for line in log_lines.requests] == [201]


async def test_one_that_does_not_end_is_given_up(
    client: Client, log_lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sternpost.pipeline.ending.AFTER_COMMIT_SECONDS", 0.1)
    assert (await client.post(f"{V1}/jobs", json={"name": "endless"})).status == 201
    assert len((await client.get(f"{V1}/jobs")).data) == 1
    assert "TimeoutError" in str(log_lines.lines)


async def test_what_only_reads_has_nothing_to_follow(client: Client, log_lines: LogLines) -> None:
    assert (await client.get(f"{V1}/jobs/peek")).status == 500
    assert "commits nothing" in str(log_lines.lines)


@pytest.mark.parametrize("database", ["postgresql"])
async def test_after_a_deadlock_only_the_run_that_was_committed_is_followed(client: Client) -> None:
    for name in ("a", "b"):
        await client.post(f"{V1}/jobs", json={"name": name})
    done(client).clear()
    swaps: list[Any] = [{"first": "a", "second": "b"}, {"first": "b", "second": "a"}]
    answers = await asyncio.gather(*(client.post(f"{V1}/jobs/swap", json=sent) for sent in swaps))
    assert [answer.status for answer in answers] == [204, 204]
    assert sorted(done(client)) == ["a b", "b a"]
    assert [job["runs"] for job in (await client.get(f"{V1}/jobs")).data] == [2, 2]
