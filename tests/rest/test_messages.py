"""Problems of inputs are told so that a client knows what to do."""

from __future__ import annotations

from collections.abc import Callable

from sternpost import Contract, Create, Replace, Resource, Settings, Sternpost, Update, field, public
from sternpost.testing import Client


class Badge(Resource, prefix="bad"):
    """Its number is given once."""

    number: str = field(write="create")
    state: str = field(default="new", write="never")
    owner: str | None = None

    create = Create(allow=public)
    update = Update(allow=public)
    replace = Replace(allow=public)


async def test_a_field_of_the_creation_is_told_apart_from_one_of_the_server(
    make_settings: Callable[..., Settings],
) -> None:
    app = Sternpost(Contract("badges", resources=[Badge]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        made = (await client.post("/api/v1/badges", json={"number": "1"})).data["id"]
        for method in ("PATCH", "PUT"):
            sent = {"number": "2", "state": "old", "id": made, "nothing": 1}
            refused = await client.request(method, f"/api/v1/badges/{made}", json=sent)
            assert refused.status == 400
            told = {detail["path"]: (detail["code"], detail["message"]) for detail in refused.error["details"]}
            by_server = ("read_only", "The server sets this field; leave it out")
            assert told == {
                "number": ("read_only", "This field can only be set when the row is created; leave it out"),
                "state": by_server,
                "id": by_server,
                "nothing": ("unknown_field", "There is no field of this name"),
            }
