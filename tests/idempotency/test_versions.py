"""Keys of older versions of the API: each version has its own, and replays in its own words."""

from __future__ import annotations

from collections.abc import Callable

from sternpost import Contract, Create, Read, Renamed, Resource, Settings, Sternpost, Version, field, public
from sternpost.testing import Client


class Member(Resource, prefix="mem"):
    """Who belongs to it."""

    address: str = field(unique=True)

    read = Read(allow=public)
    create = Create(allow=public)


async def test_each_version_replays_in_its_words(make_settings: Callable[..., Settings]) -> None:
    older = Version("v1", [Renamed(Member, "address", was="mail")])
    members = Contract("members", resources=[Member], api_version="v2", older=[older])
    async with Client(Sternpost(members, settings=make_settings(), write_log=lambda line: None)) as client:
        for version, name in (("v1", "mail"), ("v2", "address")):
            url = f"/api/{version}/members"
            first = await client.post(url, json={name: version}, key="k")
            assert first.status == 201, first.content
            again = await client.post(url, json={name: version}, key="k")
            assert again.headers["idempotent-replayed"] == "true"
            assert again.data == first.data == {"id": first.data["id"], name: version}
            assert again.headers["location"] == first.headers["location"]
            taken = [await client.post(url, json={name: version}, key="other") for _ in range(2)]
            assert [answer.status for answer in taken] == [409, 409]
            assert taken[1].headers["idempotent-replayed"] == "true"
            assert taken[0].error["details"] == taken[1].error["details"]
            assert taken[1].error["details"][0]["path"] == name
