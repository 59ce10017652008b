"""Idempotency keys and rate limits, as somebody tries them who wants another caller's answer, or more than a limit
lets pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    Email,
    HttpContext,
    One,
    Payload,
    Read,
    Resource,
    Settings,
    Sternpost,
    authenticated,
    field,
    fixed_window,
    given,
    implements,
    leaky_bucket,
    one,
    public,
    scope,
)
from sternpost import caller as the_caller
from sternpost.limits.machine import WAYS, MachineStore, shared_memory
from sternpost.ports.limits import Charge, Rule
from sternpost.testing import Client

V1 = "/api/v1"


class Told(Payload):
    who: str


class Mail(Payload):
    email: Email | None = field(default=None)
    words: list[str] = field(max_length=20, default=[])


class Person(Resource, prefix="per"):
    name: str = field(default="")

    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=authenticated)
    who = Custom(on="collection", output=Told, allow=public)


class Note(Resource, prefix="not"):
    owner: One[Person] = one(default=the_caller)
    text: str = field(default="n", max_length=4000)

    read = Read(allow=scope("notes:read"))
    browse = Browse(allow=scope("notes:read"))
    create = Create(allow=public, limit=fixed_window(2, per="day", by=given("owner")))


class Job(Resource, prefix="job"):
    mailed: dict[str, Any] = field(default={})

    read = Read(allow=public)
    create = Create(allow=public)
    send = Custom(
        on="collection",
        input=Mail,
        output=Told,
        allow=public,
        limit=fixed_window(20, per="day", by="address", cost=given("words")),
    )
    invite = Custom(
        on="collection",
        input=Mail,
        output=Told,
        allow=public,
        limit=fixed_window(1, per="day", by=given("email")),
    )
    wait = Custom(
        on="collection",
        output=Told,
        allow=public,
        timeout=3,
        limit=leaky_bucket(1, per="second", by="service", depth=10, queue=True, cost=5),
    )


@implements(Person.who)
async def who(ctx: HttpContext) -> Told:
    session = ctx.request.cookies.get("session", "nobody")
    ctx.response.cookie("csrf", f"for-{session}")
    return Told(who=session)


@implements(Job.send)
async def send(ctx: Context, mail: Mail) -> Told:
    return Told(who=str(len(mail.words)))


@implements(Job.invite)
async def invite(ctx: Context, mail: Mail) -> Told:
    return Told(who=str(mail.email))


@implements(Job.wait)
async def wait(ctx: Context) -> Told:
    return Told(who="")


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> Any:
    contract = Contract("attacked", resources=[Person, Note, Job])
    async with Client(Sternpost(contract, services=[who, send, invite, wait], settings=make_settings())) as client:
        yield client


def batch(*steps: tuple[str, Any]) -> dict[str, Any]:
    return {"operations": [{"operation": name, **({} if body is None else {"body": body})} for name, body in steps]}


async def test_strangers_with_other_cookies_share_no_answer(client: Client) -> None:
    alice, bob, again = [
        await client.post(f"{V1}/persons/who", key="1", headers={"cookie": f"session={name}"})
        for name in ("alice", "bob", "alice")
    ]
    assert [each.data["who"] for each in (alice, bob, again)] == ["alice", "bob", "alice"]
    assert ["idempotent-replayed" in each.headers for each in (alice, bob, again)] == [False, False, True]


async def test_a_batch_with_reads_shows_nothing_that_a_scope_is_missing_for(client: Client) -> None:
    owner = (await client.post(f"{V1}/persons", json={})).data["id"]
    asked = batch(("persons.create", {}), ("notes.create", {"ownerId": owner}), ("notes.browse", None))
    with_scope, without = client.token("me", "notes:read"), client.token("me")
    first = await client.post(f"{V1}/$batch", key="b", token=with_scope, json=asked)
    assert first.status == 200, first.content
    assert (await client.post(f"{V1}/$batch", key="b", token=without, json=asked)).status == 403
    # nor is the refusal kept for when the scope is there
    other = batch(("persons.create", {}), ("notes.browse", None))
    assert (await client.post(f"{V1}/$batch", key="c", token=without, json=other)).status == 403
    assert (await client.post(f"{V1}/$batch", key="c", token=with_scope, json=other)).status == 200


async def test_what_keeps_a_row_is_told_to_nobody_else(client: Client) -> None:
    owner = (await client.post(f"{V1}/persons", json={})).data["id"]
    await client.post(f"{V1}/notes", json={"ownerId": owner})
    told = await client.delete(f"{V1}/persons/{owner}", key="d", token=client.token("me", "notes:read"))
    assert (told.status, len(told.error["details"])) == (409, 1)
    untold = await client.delete(f"{V1}/persons/{owner}", key="d", token=client.token("me"))
    assert (untold.status, untold.error["details"]) == (409, [])


async def test_a_scope_of_no_step_makes_no_second_change(client: Client) -> None:
    asked = batch(("persons.create", {"name": "once"}))
    first = await client.post(f"{V1}/$batch", key="k", token=client.token("me"), json=asked)
    second = await client.post(f"{V1}/$batch", key="k", token=client.token("me", "notes:read"), json=asked)
    assert second.headers["idempotent-replayed"] == "true"
    assert second.data == first.data


async def test_a_batch_that_only_reads_is_not_kept(client: Client) -> None:
    asked, token = batch(("notes.browse", None)), client.token("me", "notes:read")
    for _ in range(2):
        answer = await client.post(f"{V1}/$batch", key="r", token=token, json=asked)
        assert (answer.status, "idempotent-replayed" in answer.headers) == (200, False)


@pytest.mark.parametrize("operation", ["jobs.send", "jobs.invite"])
async def test_a_step_that_is_a_reference_as_a_whole_is_no_way_around_a_limit(client: Client, operation: str) -> None:
    kept = {"operation": "jobs.create", "as": "a", "body": {"mailed": {"words": ["w"] * 20, "email": "v@x.example"}}}
    step = {"operation": operation, "body": {"$ref": "a.mailed"}}
    answer = await client.post(f"{V1}/$batch", json={"operations": [kept, step, step]})
    assert (answer.status, answer.error["details"][0]["code"]) == (400, "reference_in_limit")


async def test_the_caller_is_counted_in_a_batch_as_alone(client: Client) -> None:
    callers = [(await client.post(f"{V1}/persons", json={})).data["id"] for _ in range(2)]
    for _ in range(2):
        assert (await client.post(f"{V1}/notes", json={}, token=client.token(callers[0]))).status == 201
    more = batch(("notes.create", {}))
    assert (await client.post(f"{V1}/$batch", json=more, token=client.token(callers[0]))).status == 429
    assert (await client.post(f"{V1}/$batch", json=more, token=client.token(callers[1]))).status == 200


async def test_the_case_of_letters_is_no_way_around_a_limit(client: Client) -> None:
    sent = [
        (await client.post(f"{V1}/jobs/invite", json={"email": email})).status
        for email in ("victim@x.example", "Victim@x.example", "VICTIM@X.EXAMPLE", "other@x.example")
    ]
    assert sent == [200, 429, 429, 200]


async def test_a_queue_that_is_shorter_than_a_call_costs_lets_one_pass(client: Client) -> None:
    assert (await client.post(f"{V1}/jobs/wait")).status == 200


def test_nobody_can_tell_which_keys_share_a_bucket() -> None:
    """Who could would fill the bucket of another caller, whose count is forgotten then."""
    rule = Rule("fixed_window", 5, 3_600_000_000)
    keys = [number.to_bytes(16, "little") for number in range(64 * WAYS)]
    found = []
    for _ in range(2):
        descriptor = shared_memory(64 * WAYS)
        store = MachineStore(descriptor, lambda: 10**15)
        with closing(store._memory):
            assert store.charge([Charge(keys[0], rule, 1)])[0].remaining == 4  # pyright: ignore[reportIndexIssue]
            found.append([store._offset(key) for key in keys])
            assert len(set(found[-1])) > 32
    assert found[0] != found[1]
