"""Times of day, durations, addresses and bytes: the same from the input to the answer, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import time, timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Database,
    IPAddress,
    Read,
    Resource,
    Settings,
    Slug,
    Sternpost,
    Table,
    Update,
    field,
    public,
    this,
)
from sternpost.testing import Client


class Machine(Resource, prefix="mac", audit=True):
    slug: Slug = field(unique=True, filter=True)
    opens: time = field(ge=time(6), le=time(22), filter=True)
    pause: timedelta = field(default=timedelta(minutes=90), ge=timedelta(0), filter=True)
    address: IPAddress | None = field(filter=True, unique=True)
    key: bytes | None = field(min_length=2, max_length=4)

    browse = Browse(allow=this.pause.lt(timedelta(days=9)), sort=["opens", "pause"], export=True)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


@pytest.fixture
async def app(make_settings: Callable[..., Settings]) -> AsyncIterator[Sternpost]:
    app = Sternpost(Contract("machines", resources=[Machine]), settings=make_settings())
    app._write_log = lambda line: None
    async with Client(app):
        yield app


async def created(client: Client, slug: str, **body: Any) -> dict[str, Any]:
    answer = await client.request("POST", "/api/v1/machines", json={"slug": slug, "opens": "08:30", **body})
    assert answer.status == 201, answer.content
    return answer.json()["data"]


async def test_values_come_back_in_one_form(app: Sternpost) -> None:
    client = Client(app)
    made = await created(client, "a-1", opens="08:30:00.25", pause="P1W", address="2001:DB8::0:1", key="AP8=")
    shown = {name: made[name] for name in ("opens", "pause", "address", "key")}
    assert shown == {"opens": "08:30:00.250000", "pause": "P7D", "address": "2001:db8::1", "key": "AP8="}
    path = f"/api/v1/machines/{made['id']}"
    assert (await client.request("GET", path)).json()["data"] == made
    changed = await client.request("PATCH", path, json={"pause": "PT0.5S", "key": None, "address": None})
    assert {**made, "pause": "PT0.5S", "key": None, "address": None} == changed.json()["data"]


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({"opens": "8:30"}, "opens", "time_format"),
        ({"opens": "24:00"}, "opens", "time_range"),
        ({"opens": "08:30Z"}, "opens", "time_format"),
        ({"opens": "05:59:59.999999"}, "opens", "greater_than_equal"),
        ({"pause": "P1M"}, "pause", "duration_format"),
        ({"pause": "P"}, "pause", "duration_format"),
        ({"pause": "PT"}, "pause", "duration_format"),
        ({"pause": "P1DT"}, "pause", "duration_format"),
        ({"pause": "-PT1S"}, "pause", "greater_than_equal"),
        ({"pause": "P999999999D"}, "pause", "duration_range"),
        ({"pause": 5}, "pause", "string_type"),
        ({"address": "192.0.2.0/24"}, "address", "ip_format"),
        ({"address": "fe80::1%eth0"}, "address", "ip_format"),
        ({"address": "1.2.3"}, "address", "ip_format"),
        ({"key": "AP8"}, "key", "base64_format"),
        ({"key": "AP 8="}, "key", "base64_format"),
        ({"key": "AA=="}, "key", "too_short"),
        ({"key": "AAAAAAAA"}, "key", "too_long"),
        ({"slug": "A b"}, "slug", "string_pattern_mismatch"),
    ],
)
async def test_what_does_not_fit_is_told(app: Sternpost, body: dict[str, Any], path: str, code: str) -> None:
    client = Client(app)
    sent = {"slug": "s", "opens": "08:30", **body}
    answer = await client.request("POST", "/api/v1/machines", json=sent)
    assert answer.status == 400, answer.content
    assert [(detail["path"], detail["code"]) for detail in answer.json()["error"]["details"]] == [(path, code)]


async def test_lists_are_filtered_sorted_and_exported(app: Sternpost) -> None:
    client = Client(app)
    for slug, opens, pause, address in (
        ("a", "08:30:00.5", "PT2H", "192.0.2.1"),
        ("b", "08:30", "PT90M", "::ffff:192.0.2.1"),
        ("c", "21:59:59", "P8D", None),
        ("d", "06:00", "P9D", "10.0.0.1"),
    ):
        await created(client, slug, opens=opens, pause=pause, address=address, key="K0JC")

    async def slugs(query: str) -> str:
        answer = await client.request("GET", f"/api/v1/machines?{query}")
        assert answer.status == 200, answer.content
        return "".join(item["slug"] for item in answer.json()["data"])

    assert await slugs("sort=opens") == "bac"
    assert await slugs("sort=-pause") == "cab"
    assert await slugs("opens[gt]=08:30") == "ac"
    assert await slugs("opens[in]=08:30:00,21:59:59") == "bc"
    assert await slugs("pause=PT1H30M") == "b"
    assert await slugs("pause[gte]=PT120M&sort=pause") == "ac"
    assert await slugs("address=192.0.2.1") == "a"
    assert await slugs("address[in]=192.0.2.1,::ffff:c000:201") == "ab"
    first = await client.request("GET", "/api/v1/machines?sort=opens&pageSize=1&cursor=")
    second = await slugs(f"sort=opens&pageSize=1&cursor={first.json()['meta']['nextCursor']}")
    assert second == "a"
    exported = await client.request("GET", "/api/v1/machines?sort=opens", headers={"accept": "text/csv"})
    cells = exported.content.decode().splitlines()[1].split(",")
    assert cells[1:6] == ["b", "08:30:00", "PT1H30M", "::ffff:c000:201", "K0JC"]


async def test_an_author_has_python_values(app: Sternpost) -> None:
    async with app.data(Database) as db:
        machines = Table(db, Machine)
        made = await machines.create(
            {
                "slug": "m",
                "opens": time(9, 15),
                "pause": timedelta(days=-0, seconds=1),
                "address": ip_address("192.0.2.7"),
                "key": b"\x00\xff\n",
            }
        )
        found = await machines.get(made.id)
        assert (found.opens, found.pause) == (time(9, 15), timedelta(seconds=1))
        assert (found.address, found.key) == (ip_address("192.0.2.7"), b"\x00\xff\n")
        assert await machines.count({"address": {"in": [ip_address("192.0.2.7")]}, "opens": {"lt": time(9, 16)}}) == 1
        for wrong in ({"opens": time(9, tzinfo=__import__("datetime").UTC)}, {"pause": timedelta.max}, {"key": "text"}):
            with pytest.raises((TypeError, ValueError), match="Machine"):
                await machines.update(made.id, wrong)


async def test_the_audit_trail_shows_them_as_clients_know_them(app: Sternpost) -> None:
    from sternpost.ports.audit import AuditQuery

    client = Client(app)
    made = await created(client, "m", address="192.0.2.9", key="AP8=", pause="PT5S")
    await client.request("PATCH", f"/api/v1/machines/{made['id']}", json={"key": "AAAA", "opens": "10:00"})
    changed, new = await app.running.runtime.storage.audit_trail().entries(AuditQuery())
    assert new.after is not None
    assert {name: new.after[name] for name in ("address", "key", "pause", "opens")} == {
        "address": "192.0.2.9",
        "key": "AP8=",
        "pause": "PT5S",
        "opens": "08:30:00",
    }
    assert (changed.before, changed.after) != (None, None)
    assert changed.after is not None
    assert changed.after["key"] == "AAAA"
