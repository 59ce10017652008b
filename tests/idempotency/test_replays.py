"""A change that comes again with its key is answered as it was the first time, and made once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import LogLines
from tests.idempotency.conftest import Bank


def same(first: Any, second: Any) -> None:
    """The second is a replay of the first: it differs in the request's id and the header that says so, in nothing
    else."""
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.status == first.status

    def told(answer: Any) -> tuple[dict[str, str], bytes]:
        headers = {
            name: value for name, value in answer.headers.items() if name not in ("x-request-id", "idempotent-replayed")
        }
        return headers, answer.content.replace(answer.headers["x-request-id"].encode(), b"")

    assert told(second) == told(first)
    assert second.headers["x-request-id"] != first.headers["x-request-id"]


async def test_a_change_is_made_once(bank: Bank, log_lines: LogLines) -> None:
    account = await bank.account()
    first = await bank.pay(account, "k1", 5)
    assert first.status == 200, first.content
    assert first.data["cents"] == 5
    assert first.headers["etag"]
    same(first, await bank.pay(account, "k1", 5))
    assert await bank.entries() == 1
    assert bank.gate.calls == 3, "the function ran once"
    lines = [line for line in log_lines.requests if line["operation"] == "accounts.pay"]
    assert [line.get("replayed") for line in lines] == [None, True]


async def test_what_the_row_has_become_does_not_matter(bank: Bank) -> None:
    account = await bank.account()
    token = bank.client.token("ada", "accounts:delete")
    first = await bank.pay(account, "k1", 5, token=token)
    await bank.pay(account, "k2", 7, token=token)
    same(first, await bank.pay(account, "k1", 5, token=token))
    assert (await bank.client.delete(f"/api/v1/accounts/{account['id']}", token=token)).status == 204
    same(first, await bank.pay(account, "k1", 5, token=token))
    assert await bank.entries() == 2


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", {"name": "B"}, 201),
        ("PATCH", "/{id}", {"name": "B"}, 200),
        ("DELETE", "/{id}", None, 204),
        ("POST", "/{id}/close", None, 200),
        ("POST", "/{id}/goto", None, 303),
        ("POST", "/{id}/page", None, 200),
        ("POST", "/{id}/cookie", None, 204),
        ("POST", "/refused", {"cents": 1}, 200),
    ],
)
async def test_every_kind_of_change(bank: Bank, method: str, path: str, body: Any, status: int) -> None:
    account = await bank.account()
    token = bank.client.token("ada", "accounts:delete")
    url = "/api/v1/accounts" + path.format(id=account["id"])
    first = await bank.client.request(method, url, json=body, token=token, key="k")
    assert first.status == status, first.content
    entries = await bank.entries()
    same(first, await bank.client.request(method, url, json=body, token=token, key="k"))
    assert await bank.entries() == entries
    for name in {
        "": ("location", "etag"),
        "/{id}/close": ("x-closed", "etag"),
        "/{id}/goto": ("location",),
        "/{id}/cookie": ("set-cookie", "x-own", "x-more"),
    }.get(path, ()):
        assert first.headers[name]


async def test_quoted_and_bare_are_the_same_key(bank: Bank) -> None:
    account = await bank.account()
    first = await bank.pay(account, None, headers={"Idempotency-Key": 'a"b\\c'})
    same(first, await bank.pay(account, 'a"b\\c'))
    same(first, await bank.pay(account, None, headers={"Idempotency-Key": '"a\\"b\\\\c"'}))


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ("", "has 1 to 255 characters, and this one has 0"),
        ('""', "this one has 0"),
        ("k" * 256, "this one has 256"),
        ("a b", "visible"),
        ('"a b"', "visible"),
        ("ä", "visible"),
        ('"ä"', "one string"),
        ('"abc', "one string"),
        ('"abc";x=1', "one string"),
        ('"a", "b"', "one string"),
        ('"a\\b"', "one string"),
        ("\x01", "visible"),
    ],
)
async def test_keys_that_are_none(bank: Bank, sent: str, said: str) -> None:
    account = await bank.account()
    answer = await bank.pay(account, None, headers={"Idempotency-Key": sent})
    assert answer.status == 400
    (detail,) = answer.error["details"]
    assert detail["path"] == "Idempotency-Key"
    assert said in detail["message"]
    assert await bank.entries() == 0


async def test_the_longest_key_and_two_headers(bank: Bank) -> None:
    account = await bank.account()
    assert (await bank.pay(account, "k" * 255)).status == 200
    two = [("Idempotency-Key", "a"), ("Idempotency-Key", "a")]
    answer = await bank.pay(account, None, headers=two)
    assert answer.status == 400
    assert "send one" in answer.error["details"][0]["message"]


async def test_a_read_ignores_the_key(bank: Bank) -> None:
    account = await bank.account()
    for sent in ("k", "not a key", ""):
        answer = await bank.client.get(f"/api/v1/accounts/{account['id']}", headers={"Idempotency-Key": sent})
        assert answer.status == 200
        assert "idempotent-replayed" not in answer.headers


async def test_another_request_with_the_key(bank: Bank) -> None:
    account, other = await bank.account(), await bank.account()
    first = await bank.pay(account, "k", 5)
    for answer in (
        await bank.pay(account, "k", 6),
        await bank.pay(other, "k", 5),
        await bank.pay(account, "k", 5, headers={"If-Match": first.headers["etag"]}),
        await bank.client.post(
            f"/api/v1/accounts/{account['id']}/pay",
            content=b'{ "cents": 5}',
            headers={"content-type": "application/json"},
            token=bank.ada,
            key="k",
        ),
    ):
        assert answer.status == 422
        assert answer.error["code"] == "IDEMPOTENCY_KEY_REUSED"
        assert "idempotent-replayed" not in answer.headers
    assert await bank.entries() == 1
    same(first, await bank.pay(account, "k", 5))


async def test_a_key_belongs_to_an_operation_and_a_caller(bank: Bank) -> None:
    account = await bank.account()
    bob = bank.client.token("bob")
    paths = [
        (f"/api/v1/accounts/{account['id']}/{name}", token)
        for name in ("pay", "pay-slowly")
        for token in (bank.ada, bob)
    ]
    for url, token in paths:
        answer = await bank.client.post(url, json={"cents": 1}, token=token, key="1")
        assert answer.status == 200
        assert "idempotent-replayed" not in answer.headers
    assert await bank.entries() == 4


async def test_two_strangers_share_nothing(bank: Bank) -> None:
    one = await bank.client.post("/api/v1/accounts", json={"name": "one"}, key="1")
    two = await bank.client.post("/api/v1/accounts", json={"name": "two"}, key="1")
    assert (one.status, two.status) == (201, 201)
    assert one.data["id"] != two.data["id"]
    same(one, await bank.client.post("/api/v1/accounts", json={"name": "one"}, key="1"))
    named = await bank.client.post("/api/v1/accounts", json={"name": "one"}, key="1", token=bank.ada)
    assert named.data["id"] != one.data["id"]


async def test_scopes_that_matter_are_part_of_the_key(bank: Bank) -> None:
    """What is answered depends on them: whoever has lost one is not shown again what it showed."""
    account = await bank.account()
    with_scope = bank.client.token("ada", "secrets")
    first = await bank.pay(account, "k", token=with_scope)
    assert first.data["secret"] == "s"
    second = await bank.pay(account, "k")
    assert "secret" not in second.data
    assert "idempotent-replayed" not in second.headers
    unrelated = bank.client.token("ada", "secrets", "something:else")
    same(first, await bank.pay(account, "k", token=unrelated))


async def test_who_may_not_is_told_so_before_a_replay(bank: Bank) -> None:
    account = await bank.account()
    url = f"/api/v1/accounts/{account['id']}"
    assert (await bank.client.delete(url, token=bank.client.token("ada", "accounts:delete"), key="k")).status == 204
    gone = await bank.client.delete(url, token=bank.ada, key="k")  # another key: it is told what everybody is
    assert gone.status == 404
    assert "idempotent-replayed" not in gone.headers
    assert (await bank.client.delete(url, key="k")).status == 401
    assert (await bank.client.delete(url, token="not.a.token", key="k")).status == 401


@pytest.mark.parametrize("status", [403, 404, 409, 422])
async def test_what_refuses_the_change_is_kept(bank: Bank, status: int) -> None:
    post = {"json": {"cents": status}, "token": bank.ada, "key": "k"}
    first = await bank.client.post("/api/v1/accounts/refused", **post)
    assert first.status == status, first.content
    same(first, await bank.client.post("/api/v1/accounts/refused", **post))
    assert bank.gate.calls == 1
    assert await bank.entries() == 0, "what refused it has undone it"
    problem = {"Accept": "application/problem+json"}
    again = await bank.client.post("/api/v1/accounts/refused", headers=problem, **post)
    assert again.status == status
    assert again.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("status", [500, 503])
async def test_what_failed_is_tried_again(bank: Bank, status: int) -> None:
    post = {"json": {"cents": status}, "token": bank.ada, "key": "k"}
    for calls in (1, 2):
        answer = await bank.client.post("/api/v1/accounts/refused", **post)
        assert answer.status == status
        assert "idempotent-replayed" not in answer.headers
        assert bank.gate.calls == calls


async def test_conflicts_of_rows_are_kept(bank: Bank) -> None:
    account = await bank.account()
    url = f"/api/v1/accounts/{account['id']}"
    assert (await bank.client.post(f"{url}/close")).status == 200
    conflict = await bank.client.post(f"{url}/close", key="again")
    assert conflict.status == 409
    same(conflict, await bank.client.post(f"{url}/close", key="again"))
    headers = {"If-Match": '"1-0123456789abcdef"'}
    failed = await bank.client.patch(url, json={"name": "B"}, headers=headers, token=bank.ada, key="m")
    assert failed.status == 412
    same(failed, await bank.client.patch(url, json={"name": "B"}, headers=headers, token=bank.ada, key="m"))
    missing = await bank.client.post("/api/v1/accounts/acc_" + "0" * 32 + "/close", key="gone")
    assert missing.status == 404


async def test_what_is_wrong_with_the_input_is_not_kept(bank: Bank) -> None:
    account = await bank.account()
    url = f"/api/v1/accounts/{account['id']}/pay"
    assert (await bank.client.post(url, json={"cents": "five"}, token=bank.ada, key="k")).status == 400
    first = await bank.client.post(url, json={"cents": 5}, token=bank.ada, key="k")
    assert first.status == 200
    assert (await bank.client.post(url, json={"cents": "five"}, token=bank.ada, key="k")).status == 400


async def test_a_required_key(bank: Bank) -> None:
    account = await bank.account()
    url = f"/api/v1/accounts/{account['id']}/must"
    answer = await bank.client.post(url, json={"cents": 1}, token=bank.ada)
    assert answer.status == 400
    assert answer.error["code"] == "IDEMPOTENCY_KEY_REQUIRED"
    assert (await bank.client.post(url, json={"cents": "no"}, token=bank.ada)).error["code"] == "VALIDATION_ERROR"
    assert (await bank.client.post(url, json={"cents": 1})).status == 401
    first = await bank.client.post(url, json={"cents": 1}, token=bank.ada, key="k")
    assert first.status == 200
    same(first, await bank.client.post(url, json={"cents": 1}, token=bank.ada, key="k"))
    assert await bank.entries() == 1


async def test_a_batch_has_one_key(bank: Bank) -> None:
    account = await bank.account()
    steps = [
        {"operation": "accounts.create", "as": "new", "body": {"name": "N"}},
        {"operation": "accounts.pay", "id": {"$ref": "new.id"}, "body": {"cents": 3}},
        {"operation": "entries.browse", "query": {"pageSize": "5"}},
        {"operation": "accounts.refused", "body": {"cents": 4}},
    ]
    batch: dict[str, Any] = {"json": {"operations": steps}, "token": bank.ada, "key": "k"}
    first = await bank.client.post("/api/v1/$batch", **batch)
    assert first.status == 200, first.content
    assert first.data[0]["etag"]
    same(first, await bank.client.post("/api/v1/$batch", **batch))
    assert await bank.entries() == 2
    other = await bank.client.post("/api/v1/$batch", **{**batch, "json": {"operations": steps[:1]}})
    assert other.status == 422
    failing = {"operations": [steps[0], {"operation": "accounts.refused", "body": {"cents": 409}}]}
    refused = await bank.client.post("/api/v1/$batch", json=failing, token=bank.ada, key="f")
    assert refused.status == 409
    same(refused, await bank.client.post("/api/v1/$batch", json=failing, token=bank.ada, key="f"))
    must = [{"operation": "accounts.must", "id": account["id"], "body": {"cents": 1}}]
    answer = await bank.client.post("/api/v1/$batch", json={"operations": must}, token=bank.ada)
    assert answer.error["code"] == "IDEMPOTENCY_KEY_REQUIRED"
    assert (await bank.client.post("/api/v1/$batch", json={"operations": steps[:1]})).status == 200
    done = await bank.client.post("/api/v1/$batch", json={"operations": must}, token=bank.ada, key="m")
    assert done.status == 200


async def test_keys_expire(bank: Bank, clock: Any) -> None:
    account = await bank.account()
    first = await bank.pay(account, "k")
    clock.travel(hours=23, minutes=59)
    token = bank.client.token("ada")
    same(first, await bank.pay(account, "k", token=token))
    clock.travel(minutes=1)
    token = bank.client.token("ada")
    again = await bank.pay(account, "k", 2, token=token)
    assert again.status == 200
    assert "idempotent-replayed" not in again.headers
    assert await bank.entries() == 2
    same(again, await bank.pay(account, "k", 2, token=token))


async def test_those_who_come_meanwhile_get_the_same_answer(bank: Bank) -> None:
    account = await bank.account()
    bank.gate.close()
    calls = [asyncio.create_task(bank.pay(account, "k", 5)) for _ in range(100)]
    await bank.gate.entered.wait()
    bank.gate.open.set()
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} == {200}
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 99
    assert len({answer.content.replace(answer.headers["x-request-id"].encode(), b"") for answer in answers}) == 1
    assert await bank.entries() == 1
