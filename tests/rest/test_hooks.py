"""Hooks: their places and their order, alone and in batches, and what becomes of one that raises, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Custom,
    Forbidden,
    HookCall,
    Payload,
    Proceed,
    Read,
    Resource,
    Settings,
    Sternpost,
    Transition,
    Update,
    after_authentication,
    after_commit,
    after_validation,
    around_handler,
    authenticated,
    before_encoding,
    field,
    implements,
    provide,
    public,
)
from sternpost.errors import WriteConflict
from sternpost.testing import Client
from tests.conftest import LogLines

V1 = "/api/v1"
PLACES = ("after_authentication", "after_validation", "around_handler", "before_encoding", "after_commit")


class Count(Payload):
    count: int


class Note(Resource, prefix="not"):
    text: str = field(min_length=1)
    state: Literal["draft", "sent"] = field(default="draft", write="never")

    browse = Browse(export=True, allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=authenticated)
    send = Transition("state", source="draft", target="sent", allow=public)
    count = Custom(method="GET", on="collection", output=Count, allow=public)


CONTRACT = Contract("notes", resources=[Note])


class Journal:
    """What happened, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []


@implements(Note.create, retry_safe=True)
async def create(ctx: Context, change: Change[Note], *, journal: Journal) -> Note:
    journal.lines.append("function")
    made = await change.apply()
    if change["text"] == "again" and journal.lines.count("function") < 3:
        raise WriteConflict
    if change["text"] == "bad":
        raise Forbidden("Not this text")
    return made


@implements(Note.count)
async def count(ctx: Context) -> Count:
    return Count(count=await ctx.repository(Note).count({}))


def noting(place: str, name: str) -> Callable[..., Any]:
    """A hook that notes its place."""

    async def hook(call: HookCall, *, journal: Journal) -> None:
        values = "" if call.values is None else f" {dict(call.values)}"
        answer = (
            "" if call.answer is None else f" -> {call.answer.get('text') if isinstance(call.answer, dict) else 'list'}"
        )
        journal.lines.append(f"{name} {place} {call.operation}{values}{answer}")

    async def around(call: HookCall, proceed: Proceed, *, journal: Journal) -> None:
        journal.lines.append(f"{name} in")
        await proceed()
        journal.lines.append(f"{name} out")

    return around if place == "around_handler" else hook


DECLARE = {
    "after_authentication": after_authentication,
    "after_validation": after_validation,
    "around_handler": around_handler,
    "before_encoding": before_encoding,
    "after_commit": after_commit,
}

Make = Callable[..., Client]


@pytest.fixture
async def make(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Make]:
    clients: list[Client] = []

    def made(*hooks: Any) -> Client:
        app = Sternpost(
            CONTRACT,
            services=[create, count],
            hooks=hooks,
            provide=[provide(Journal)],
            settings=make_settings(),
            write_log=log_lines,
        )
        clients.append(Client(app))
        return clients[-1]

    return made


def journal_of(client: Client) -> list[str]:
    return client.app.running.providers.get(Journal).lines


async def test_places_come_in_their_order_and_hooks_of_one_in_that_of_their_declaration(make: Make) -> None:
    declared = [DECLARE[place](noting(place, name)) for name in ("one", "two") for place in reversed(PLACES)]
    async with make(*declared) as client:
        assert (await client.post(f"{V1}/notes", json={"text": "x"})).status == 201
        values = " {'text': 'x'}"
        assert journal_of(client) == [
            "one after_authentication notes.create",
            "two after_authentication notes.create",
            f"one after_validation notes.create{values}",
            f"two after_validation notes.create{values}",
            *("one in", "two in", "function", "two out", "one out"),
            f"one before_encoding notes.create{values} -> x",
            f"two before_encoding notes.create{values} -> x",
            f"one after_commit notes.create{values} -> x",
            f"two after_commit notes.create{values} -> x",
        ]


async def test_reads_have_all_but_the_commit(make: Make) -> None:
    declared = [DECLARE[place](noting(place, "h")) for place in PLACES]
    async with make(*declared) as client:
        for path in ("notes", "notes/count"):
            journal_of(client).clear()
            assert (await client.get(f"{V1}/{path}")).status == 200
            assert [line.split()[1] for line in journal_of(client)] == [
                *("after_authentication", "after_validation", "in", "out", "before_encoding")
            ]
        assert journal_of(client)[-1] == "h before_encoding notes.count -> None"


async def test_a_hook_of_one_operation_is_not_run_for_others(make: Make) -> None:
    async with make(after_commit(noting("after_commit", "h"), Note.send, Note.update)) as client:
        made = (await client.post(f"{V1}/notes", json={"text": "x"})).data
        assert journal_of(client) == ["function"]
        await client.post(f"{V1}/notes/{made['id']}/send")
        assert journal_of(client)[1:] == ["h after_commit notes.send -> x"]


async def test_refused_calls_come_no_further_than_the_refusal(make: Make) -> None:
    async with make(*(DECLARE[place](noting(place, "h")) for place in PLACES)) as client:
        assert (await client.post(f"{V1}/notes", json={"text": ""})).status == 400
        assert journal_of(client) == ["h after_authentication notes.create"]
        journal_of(client).clear()
        assert (await client.patch(f"{V1}/notes/not_{'0' * 32}", json={})).status == 401
        assert journal_of(client) == []
        assert (await client.post(f"{V1}/notes", json={"text": "bad"})).status == 403
        assert [line.split()[1] for line in journal_of(client) if " " in line] == [
            *("after_authentication", "after_validation", "in")
        ]
        assert (await client.get(f"{V1}/notes")).data == []


async def test_steps_of_a_batch_have_them_as_if_they_came_alone(make: Make) -> None:
    async with make(*(DECLARE[place](noting(place, "h")) for place in PLACES)) as client:
        steps = [
            {"operation": "notes.create", "as": "n", "body": {"text": "x"}},
            {"operation": "notes.send", "id": {"$ref": "n.id"}},
            {"operation": "notes.read", "id": {"$ref": "n.id"}},
        ]
        assert (await client.post(f"{V1}/$batch", json={"operations": steps})).status == 200
        assert [" ".join(line.split()[1:3]) for line in journal_of(client)] == [
            *("after_authentication notes.create", "after_validation notes.create", "in", "", "out"),
            "before_encoding notes.create",
            *("after_authentication notes.send", "after_validation notes.send", "in", "out"),
            "before_encoding notes.send",
            *("after_authentication notes.read", "after_validation notes.read", "in", "out"),
            "before_encoding notes.read",
            *("after_commit notes.create", "after_commit notes.send"),
        ]


def failing(place: str, error: Exception) -> Any:
    async def hook(call: HookCall) -> None:
        raise error

    async def around(call: HookCall, proceed: Proceed) -> None:
        await proceed()
        raise error

    return DECLARE[place](around if place == "around_handler" else hook, Note.create)


@pytest.mark.parametrize("batch", [False, True], ids=["alone", "batch"])
@pytest.mark.parametrize("place", PLACES[:4])
async def test_an_error_of_sternpost_refuses_the_call(make: Make, place: str, batch: bool) -> None:
    async with make(failing(place, Forbidden("Not on Sundays")), after_commit(noting("after_commit", "h"))) as client:
        answer = await created(client, batch)
        assert (answer.status, answer.error["code"], answer.error["message"]) == (403, "FORBIDDEN", "Not on Sundays")
        assert (answer.error["details"][0]["path"] if batch else "operations.1") == "operations.1"
        assert (await client.get(f"{V1}/notes")).data == []
        assert [line for line in journal_of(client) if "after_commit" in line] == []


@pytest.mark.parametrize("batch", [False, True], ids=["alone", "batch"])
@pytest.mark.parametrize("place", PLACES[:4])
async def test_any_other_error_is_a_bug(make: Make, log_lines: LogLines, place: str, batch: bool) -> None:
    async with make(failing(place, ValueError("s3cret"))) as client:
        answer = await created(client, batch)
        assert (answer.status, answer.error["code"]) == (500, "INTERNAL_ERROR")
        assert b"s3cret" not in answer.content
        assert (await client.get(f"{V1}/notes")).data == []
        logged = next(line for line in log_lines.lines if line["message"] == "Unexpected ValueError")
        assert "test_hooks.py" in logged["stack"]


@pytest.mark.parametrize("batch", [False, True], ids=["alone", "batch"])
async def test_an_error_after_the_commit_is_logged_and_the_others_run(
    make: Make, log_lines: LogLines, batch: bool
) -> None:
    hooks = failing("after_commit", ValueError("s3cret")), after_commit(noting("after_commit", "h"), Note.create)
    async with make(*hooks) as client:
        answer = await created(client, batch)
        assert answer.status == (200 if batch else 201)
        assert len((await client.get(f"{V1}/notes")).data) == (2 if batch else 1)
        assert len([line for line in journal_of(client) if "after_commit" in line]) == (2 if batch else 1)
        logged = [line for line in log_lines.lines if line["message"] == "A function after the commit failed"]
        assert len(logged) == (2 if batch else 1)
        assert (logged[0]["level"], "s3cret" in str(logged)) == ("error", False)
        assert logged[0]["traceId"]
        assert "builtins.ValueError" in logged[0]["stack"]


async def created(client: Client, batch: bool) -> Any:
    """A new row, alone, or as the second step of a batch."""
    if not batch:
        return await client.post(f"{V1}/notes", json={"text": "x"})
    steps = [{"operation": "notes.browse"}, {"operation": "notes.create", "body": {"text": "x"}}]
    steps = [*steps, {"operation": "notes.create", "body": {"text": "y"}}]
    return await client.post(f"{V1}/$batch", json={"operations": steps})


async def test_a_hook_around_that_does_not_proceed_is_a_bug(make: Make, log_lines: LogLines) -> None:
    async def idle(call: HookCall, proceed: Proceed) -> None:
        """Forgets it."""

    async def eager(call: HookCall, proceed: Proceed) -> None:
        await proceed()
        await proceed()

    for hook, told in ((idle, "without `await proceed()`"), (eager, "proceeds twice")):
        async with make(around_handler(hook, Note.create)) as client:
            assert (await client.post(f"{V1}/notes", json={"text": "x"})).status == 500
            assert (await client.get(f"{V1}/notes")).data == []
        assert told in str(log_lines.lines)


async def test_a_hook_around_sees_an_error_and_cannot_answer_in_its_place(make: Make) -> None:
    seen: list[BaseException] = []

    async def curious(call: HookCall, proceed: Proceed) -> None:
        try:
            await proceed()
        except Forbidden as error:
            seen.append(error)

    async with make(around_handler(curious)) as client:
        assert (await client.post(f"{V1}/notes", json={"text": "bad"})).status == 403
        assert (await client.get(f"{V1}/notes")).data == []
    assert len(seen) == 1


async def test_a_call_that_runs_again_runs_what_is_around_it_again_and_what_is_behind_it_once(make: Make) -> None:
    async with make(*(DECLARE[place](noting(place, "h")) for place in PLACES)) as client:
        assert (await client.post(f"{V1}/notes", json={"text": "again"})).status == 201
        lines = [line.split()[1] for line in journal_of(client) if " " in line]
        assert lines == [
            *("after_authentication", "after_validation", "in", "in", "in", "out", "before_encoding", "after_commit")
        ]
        assert len((await client.get(f"{V1}/notes")).data) == 1


async def test_hooks_see_the_request_and_add_to_the_answer(make: Make) -> None:
    async def tell(call: HookCall) -> None:
        assert call.request is not None
        assert call.response is not None
        call.response.header("X-Operation", f"{call.operation} for {call.request.headers['user-agent']}")
        if call.request.address != "127.0.0.1":
            raise Forbidden

    headers = {"User-Agent": "tests"}
    async with make(after_authentication(tell)) as client:
        answer = await client.post(f"{V1}/notes", json={"text": "again"}, headers=headers)
        assert answer.headers["x-operation"] == "notes.create for tests"
        steps = [{"operation": "notes.browse"}, {"operation": "notes.create", "body": {"text": "y"}}]
        batch = await client.post(f"{V1}/$batch", json={"operations": steps}, headers=headers)
        assert batch.headers["x-operation"] == "notes.create for tests"
        export = await client.get(f"{V1}/notes", headers={**headers, "Accept": "text/csv"})
        assert (export.headers["x-operation"], export.content.count(b"\r\n")) == ("notes.browse for tests", 3)


async def test_the_input_that_a_hook_sees_cannot_be_changed(make: Make) -> None:
    async def change(call: HookCall) -> None:
        call.values["text"] = "mine"  # pyright: ignore[reportOptionalSubscript, reportIndexIssue]

    async with make(after_validation(change)) as client:
        assert (await client.post(f"{V1}/notes", json={"text": "x"})).status == 500


async def test_hooks_are_within_the_time_limit(make_settings: Callable[..., Settings], log_lines: LogLines) -> None:
    async def wait(call: HookCall) -> None:
        await asyncio.Event().wait()

    app = Sternpost(
        CONTRACT,
        services=[create, count],
        hooks=[before_encoding(wait)],
        provide=[provide(Journal)],
        settings=make_settings(request_timeout_seconds=0.2),
        write_log=log_lines,
    )
    async with Client(app) as client:
        answer = await client.post(f"{V1}/notes", json={"text": "x"})
        assert (answer.status, answer.error["code"]) == (504, "TIMEOUT")
