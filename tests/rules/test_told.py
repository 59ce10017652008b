"""Where rules over rows are told: older versions of the API, the description, explain, differences, the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from sternpost import (
    Contract,
    Create,
    Read,
    Renamed,
    Resource,
    Settings,
    Sternpost,
    Version,
    check,
    no_overlap,
    public,
    this,
)
from sternpost.cli.explain import explain_one
from sternpost.cli.output import Terminal
from sternpost.compile.compiler import compile_contract
from sternpost.derive.diff import compare
from sternpost.derive.emit import plan_data
from sternpost.derive.openapi.document import openapi
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.rules.clinic import contract as clinic
from tests.rules.visits import Visits, broken, hour, overlaps


class Slot(
    Resource,
    prefix="slo",
    checks=[this.size > 0, check(this.size < 100, message="Too large for the house")],
    no_overlap=[no_overlap("room", "starts_at", "ends_at")],
):
    """A time in a room."""

    room: str
    size: int
    starts_at: datetime
    ends_at: datetime

    read = Read(allow=public)
    create = Create(allow=public)


versioned = Contract(
    "slots",
    resources=[Slot],
    api_version="v2",
    older=[Version("v1", [Renamed(Slot, "starts_at", was="begin"), Renamed(Slot, "size", was="places")])],
)


def body(start: int, end: int, size: int = 5, /, **names: str) -> dict[str, Any]:
    values: dict[str, Any] = {"room": "1", "startsAt": hour(start), "endsAt": hour(end), "size": size}
    return {names.get(name, name): value for name, value in values.items()}


async def test_an_older_version_is_told_in_its_own_words(make_settings: Callable[..., Settings]) -> None:
    async with Client(Sternpost(versioned, settings=make_settings(), write_log=lambda line: None)) as client:
        older = {"startsAt": "begin", "size": "places"}
        wrong = await client.post("/api/v1/slots", json=body(10, 9, 0, **older))
        assert broken(wrong) == {"starts_at_before_ends_at": {"begin", "endsAt"}, "size_gt_0": {"places"}}
        assert {detail["message"] for detail in wrong.error["details"]} == {
            "This must hold: begin < endsAt",
            "This must hold: places > 0",
        }
        large = await client.post("/api/v1/slots", json=body(9, 10, 100, **older))
        assert [detail["message"] for detail in large.error["details"]] == ["Too large for the house"]
        assert (await client.post("/api/v1/slots", json=body(9, 10, **older))).status == 201
        taken = await client.post("/api/v1/slots", json=body(9, 10, **older))
        assert overlaps(taken) == {"begin", "endsAt"}
        assert "startsAt" not in str(taken.error)
        assert overlaps(await client.post("/api/v2/slots", json=body(9, 10))) == {"startsAt", "endsAt"}


def test_the_description_of_an_input_says_what_it_has_to_keep() -> None:
    document = openapi(compile_contract(clinic).plan)
    said = document["components"]["schemas"]["VisitCreate"]["description"]
    assert said == (
        "What breaks one of these is answered with 422: "
        "`fee_within_most`: The fee is more than the most. "
        "`starts_at_before_ends_at`: This must hold: startsAt < endsAt. "
        "`substitute_id_ne_practitioner_id`: This must hold: substituteId != practitionerId. "
        "What breaks one of these is answered with 409: The spans from startsAt to endsAt of rows with the same "
        'practitionerId do not overlap, where status != "cancelled"; the end does not belong to them.'
    )
    create = document["paths"]["/api/v1/visits"]["post"]["responses"]
    assert {"409", "422"} <= create.keys()


def test_explain_shows_rules_with_their_place(capsys: pytest.CaptureFixture[str]) -> None:
    explain_one(compile_contract(clinic), "visits.create", "sqlite", Terminal())
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith("check fee_within_most The fee is more than the most") for line in lines), lines
    assert any(line.startswith("no_overlap The spans from startsAt to endsAt") for line in lines), lines


def test_an_older_plan_that_knows_no_rules_is_compared_with_one_that_has_some() -> None:
    new = plan_data(compile_contract(clinic))
    old = {**new, "resources": [_without_rules(resource) for resource in new["resources"]]}
    codes = [difference.code for difference in compare(old, new)]
    assert (codes.count("check-added"), codes.count("overlap-added")) == (6, 3)
    assert {difference.kind for difference in compare(new, old)} == {"additive"}


def _without_rules(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in ("checks", "no_overlap")}


async def test_the_log_has_the_code_and_no_value(client: Client, visits: Visits, log_lines: LogLines) -> None:
    await visits.made(9, 11, code="in no log")
    await visits.post(10, 12, code="nor this")
    (line,) = [line for line in log_lines.requests if line.get("status") == 409]
    assert line["errorCode"] == "OVERLAP"
    assert "in no log" not in str(line)
    assert "nor this" not in str(line)
