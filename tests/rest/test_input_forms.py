"""Each value has one form, which is the same in bodies, in steps of batches and in query parameters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from sternpost import Browse, Contract, Create, Email, Resource, Settings, Sternpost, field, public
from sternpost.testing import Client
from sternpost.testing.client import Response

TEXT = "0198c1d0-7e3a-7cc1-9b2f-4f0e5a6b7c8d"
UUIDS = [
    "",
    TEXT.replace("-", ""),
    f"{{{TEXT}}}",
    f"urn:uuid:{TEXT}",
    f" {TEXT}",
    f"{TEXT}\n",
    TEXT.replace("-", "_"),
    "0198c1d07e3a-7cc1-9b2f-4f0e-5a6b7c8d",
    TEXT.replace("0198", "٠198"),
    TEXT[:-1],
    TEXT + "0",
]
NUMBERS = [
    *("", " 1", "1 ", "1\n", "+1", "01", "-01", "1_0", ".5", "1.", "1e", "0x1", "١", "1,0", "--1"),
    *("nan", "NaN", "inf", "Infinity", "-Infinity", "1e999", "true", "null"),
]
JSON = {"content-type": "application/json"}
WHOLES = [*NUMBERS, "1.0", "1e2", "9223372036854775808"]


class Part(Resource, prefix="prt"):
    key: UUID | None = field(default=None, filter=True)
    ratio: float = field(default=0.0, filter=True)
    amount: int = field(default=0, filter=True)
    contact: Email | None

    browse = Browse(allow=public)
    create = Create(allow=public)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    async with Client(Sternpost(Contract("parts", resources=[Part]), settings=make_settings())) as client:
        yield client


async def asked(client: Client, query: dict[str, str]) -> Response:
    return await client.get(f"/api/v1/parts?{urlencode(query)}")


async def problems(client: Client, name: str, value: str) -> list[dict[str, Any]]:
    """What a filter says of a value."""
    answer = await asked(client, {name: value})
    return [] if answer.status == 200 else answer.error["details"]


async def test_a_uuid_is_written_as_rfc_9562_has_it(client: Client) -> None:
    steps: dict[str, Any] = {"operations": [{"operation": "parts.create", "body": {"key": TEXT}}]}
    for key in (TEXT, TEXT.upper()):
        assert (await client.post("/api/v1/parts", json={"key": key})).data["key"] == TEXT
        assert (await asked(client, {"key": key})).data[0]["key"] == TEXT
        assert (await asked(client, {"key[in]": f"{key},{TEXT}"})).data[0]["key"] == TEXT
    assert (await client.post("/api/v1/$batch", json=steps)).status == 200
    for key in UUIDS:
        sent = await client.post("/api/v1/parts", json={"key": key})
        assert [detail["code"] for detail in sent.error["details"]] == ["uuid_format"], key
        steps["operations"][0]["body"]["key"] = key
        assert (await client.post("/api/v1/$batch", json=steps)).status == 400, key
        filtered = await problems(client, "key", key)
        assert [detail["message"] for detail in filtered] == [sent.error["details"][0]["message"]], key
        assert await problems(client, "key[in]", f"{TEXT},{key}"), key


async def test_a_number_is_written_as_in_json(client: Client) -> None:
    for text, ratio in (("0", 0.0), ("-0", 0.0), ("1.50", 1.5), ("-2e2", -200.0), ("1E+2", 100.0), ("5e-1", 0.5)):
        made = await client.post("/api/v1/parts", content=f'{{"ratio":{text}}}'.encode(), headers=JSON)
        assert made.data["ratio"] == ratio
        found = await asked(client, {"ratio": text})
        assert {row["ratio"] for row in found.data} == {ratio}
    for text in NUMBERS:
        assert (await client.post("/api/v1/parts", json={"ratio": text})).status == 400, text
        assert await problems(client, "ratio", text), text
        assert await problems(client, "ratio[gte]", text), text


async def test_a_whole_number_is_written_as_in_json(client: Client) -> None:
    for text, amount in (("0", 0), ("-0", 0), ("12", 12), ("-7", -7), ("9223372036854775807", 2**63 - 1)):
        made = await client.post("/api/v1/parts", content=f'{{"amount":{text}}}'.encode(), headers=JSON)
        assert made.data["amount"] == amount
        found = await asked(client, {"amount": text})
        assert {row["amount"] for row in found.data} == {amount}
    for text in WHOLES:
        assert await problems(client, "amount", text), text
        assert await problems(client, "page", text), text
        assert await problems(client, "pageSize", text), text


async def test_an_email_has_up_to_64_characters_before_the_at(client: Client) -> None:
    """RFC 5321, 4.5.3.1.1."""
    longest = f"{'a' * 64}@example.com"
    made = await client.post("/api/v1/parts", json={"contact": longest})
    assert (made.status, made.data["contact"]) == (201, longest)
    refused = await client.post("/api/v1/parts", json={"contact": f"a{longest}"})
    assert [(detail["path"], detail["code"]) for detail in refused.error["details"]] == [("contact", "email_local")]


async def test_a_list_of_values_can_hold_commas_and_backslashes(make_settings: Callable[..., Settings]) -> None:
    class Piece(Resource, prefix="pie", plural="pieces"):
        name: str = field(filter=True)
        browse = Browse(allow=public)
        create = Create(allow=public)

    app = Sternpost(Contract("pieces", resources=[Piece]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        for name in ("a,b", "a", "b", "c\\", "\\,", "d"):
            assert (await client.post("/api/v1/pieces", json={"name": name})).status == 201
        for asked, found in (
            (r"a\,b,d", ["a,b", "d"]),
            ("a,b", ["a", "b"]),
            (r"c\\,d", ["c\\", "d"]),
            (r"\\\,", ["\\,"]),
        ):
            answer = await client.get(f"/api/v1/pieces?{urlencode({'name[in]': asked})}")
            assert [row["name"] for row in answer.data] == found, asked
