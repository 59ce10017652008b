"""What a key depends on, what waits end with, and services that keep no keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sternpost import Contract, Create, Read, Resource, Settings, Sternpost, public
from sternpost.errors import Forbidden, Invalid, LockTimeout, NotFound, Unauthenticated, WriteConflict
from sternpost.pipeline.idempotency import is_kept
from sternpost.testing import Client
from tests.idempotency.conftest import Bank


def keys_of(bank: Bank) -> Any:
    return bank.client.app.running.runtime.keys


async def test_a_wait_ends_with_the_setting(bank: Bank) -> None:
    account = await bank.account()
    keys_of(bank).wait_seconds = 0.05
    bank.gate.close()
    first = asyncio.create_task(bank.pay(account, "k"))
    await bank.gate.entered.wait()
    late = await bank.pay(account, "k")
    assert (late.status, late.headers["retry-after"]) == (409, "1")
    assert late.error["code"] == "IDEMPOTENCY_KEY_IN_USE"
    bank.gate.open.set()
    assert (await first).status == 200
    assert (await bank.pay(account, "k")).headers["idempotent-replayed"] == "true"


async def test_who_waits_gives_up_and_leaves_nothing(bank: Bank) -> None:
    account = await bank.account()
    bank.gate.close()
    first = asyncio.create_task(bank.pay(account, "k"))
    await bank.gate.entered.wait()
    waiting = asyncio.create_task(bank.pay(account, "k"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    bank.gate.open.set()
    assert (await first).status == 200
    assert not keys_of(bank).running


async def test_where_the_first_fails_one_of_those_who_wait_makes_the_change(bank: Bank) -> None:
    bank.gate.close()
    post: dict[str, Any] = {"json": {"cents": 500}, "token": bank.ada, "key": "k"}
    calls = [asyncio.create_task(bank.client.post("/api/v1/accounts/refused", **post)) for _ in range(5)]
    await bank.gate.entered.wait()
    bank.gate.open.set()
    answers = await asyncio.gather(*calls)
    assert [answer.status for answer in answers] == [500] * 5
    assert bank.gate.calls == 5, "each has tried, one after the other"
    assert await bank.entries() == 0
    assert not keys_of(bank).running


async def test_the_first_goes_away(bank: Bank) -> None:
    """A call that is cancelled leaves the key to the next."""
    account = await bank.account()
    bank.gate.close()
    first = asyncio.create_task(bank.pay(account, "k", 5))
    await bank.gate.entered.wait()
    second = asyncio.create_task(bank.pay(account, "k", 5))
    await asyncio.sleep(0.05)
    first.cancel()
    bank.gate.open.set()
    answer = await second
    assert answer.status == 200
    assert "idempotent-replayed" not in answer.headers
    assert await bank.entries() == 1


async def test_the_scopes_that_matter_are_found_at_the_start(bank: Bank) -> None:
    operations = bank.client.app.running.runtime.operations
    assert operations["accounts.pay"].depends.scopes == {"secrets"}
    assert operations["accounts.delete"].depends.scopes == {"secrets", "accounts:delete"}
    assert operations["$batch"].depends.scopes == {"secrets", "accounts:delete"}
    assert operations["accounts.browse"].depends.scopes == {"secrets"}  # as a step of a batch


class Leaf(Resource, prefix="lea"):
    """A row of another program."""

    name: str

    read = Read(allow=public)
    create = Create(allow=public)


class Fixed(Resource, prefix="fix"):
    """What is only read."""

    name: str

    read = Read(allow=public)


async def test_an_external_database_keeps_no_keys(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(Contract("external", resources=[Leaf], schema="external"), settings=make_settings())
    async with Client(app) as client:
        answer = await client.post("/api/v1/leafs", json={"name": "a"}, key="k")
        assert answer.status == 400, answer.content
        assert "keeps no keys" in answer.error["details"][0]["message"]
        parameters = (await client.get("/openapi.json")).json()["paths"]["/api/v1/leafs"]["post"].get("parameters", [])
        assert not parameters


async def test_where_nothing_is_changed_a_key_makes_no_difference(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(Contract("fixed", resources=[Fixed]), settings=make_settings())
    async with Client(app) as client:
        steps = {"operations": [{"operation": "fixeds.read", "id": "fix_" + "0" * 32}]}
        answer = await client.post("/api/v1/$batch", json=steps, key="k")
        assert answer.status == 404, answer.content
        assert not app.plan.keeps_answers


def test_which_errors_are_kept() -> None:
    assert all(is_kept(error) for error in (NotFound(), Forbidden()))
    assert not any(is_kept(error) for error in (Invalid(), Unauthenticated(), WriteConflict(), LockTimeout()))
