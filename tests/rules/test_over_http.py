"""Rules over rows on every way by which a client writes, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sternpost import Settings, Sternpost
from sternpost.testing import Client
from tests.rules.clinic import contract
from tests.rules.visits import Visits, broken, hour, overlaps

SPAN = {"startsAt", "endsAt"}


async def test_a_check_is_in_the_errors_of_every_write(visits: Visits) -> None:
    assert broken(await visits.post(10, 9)) == {"starts_at_before_ends_at": SPAN}
    assert broken(await visits.post(10, 10)) == {"starts_at_before_ends_at": SPAN}
    visit = await visits.made(9, 10)
    assert broken(await visits.patch(visit, startsAt=hour(11))) == {"starts_at_before_ends_at": SPAN}
    replaced = await visits.client.put(f"/api/v1/visits/{visit}", json=visits.body(12, 11))
    assert broken(replaced) == {"starts_at_before_ends_at": SPAN}
    assert (await visits.patch(visit, startsAt=hour(8))).status == 200


async def test_all_checks_that_are_broken_are_told_at_once(visits: Visits) -> None:
    wrong = await visits.post(10, 9, fee="100.01", substituteId=visits.practitioner)
    assert broken(wrong) == {
        "starts_at_before_ends_at": SPAN,
        "fee_within_most": {"fee", "feeMost", "status"},
        "substitute_id_ne_practitioner_id": {"substituteId", "practitionerId"},
    }
    texts = {detail["code"]: detail["message"] for detail in wrong.error["details"]}
    assert texts == {
        "starts_at_before_ends_at": "This must hold: startsAt < endsAt",
        "fee_within_most": "The fee is more than the most",
        "substitute_id_ne_practitioner_id": "This must hold: substituteId != practitionerId",
    }


async def test_a_patch_is_checked_with_what_the_row_has(visits: Visits) -> None:
    visit = await visits.made(9, 10, fee="50.00", feeMost="60.00")
    wrong = await visits.patch(visit, feeMost="49.99", startsAt=hour(11))
    assert broken(wrong) == {"fee_within_most": {"fee", "feeMost", "status"}, "starts_at_before_ends_at": SPAN}
    assert (await visits.patch(visit, feeMost="49.99", status="cancelled")).status == 200
    assert broken(await visits.patch(visit, status="planned")) == {"fee_within_most": {"fee", "feeMost", "status"}}


async def test_a_comparison_with_null_breaks_no_check(visits: Visits) -> None:
    assert (await visits.post(None, None, fee=None)).status == 201
    visit = await visits.made(9, None, status="cancelled")
    assert (await visits.patch(visit, substituteId=None)).status == 200


async def test_spans_do_not_overlap(visits: Visits) -> None:
    await visits.made(9, 11)
    for start, end in ((9, 11), (8, 10), (10, 12), (8, 12), (10, 11), (8, None), (None, 10), (None, None)):
        assert overlaps(await visits.post(start, end)) == SPAN, (start, end)
    for start, end in ((8, 9), (11, 12), (12, None), (None, 8)):
        assert (await visits.post(start, end)).status == 201, (start, end)
    assert await visits.count() == 5


async def test_what_the_error_says_tells_nothing_of_the_other_row(visits: Visits) -> None:
    other = await visits.made(9, 11, code="secret")
    error = (await visits.post(10, 12)).error
    assert [detail["message"] for detail in error["details"]] == [
        "The span of startsAt and endsAt overlaps that of another row with the same practitionerId"
    ] * 2
    assert "secret" not in str(error)
    assert other not in str(error)


async def test_rows_that_are_not_compared_may_overlap(visits: Visits) -> None:
    planned = await visits.made(9, 11)
    cancelled = await visits.made(9, 11, status="cancelled")
    assert overlaps(await visits.patch(cancelled, status="planned")) == SPAN
    assert (await visits.patch(planned, status="cancelled")).status == 200
    assert (await visits.patch(cancelled, status="planned")).status == 200
    other = (await visits.client.post("/api/v1/practitioners", json={"name": "Eve"})).data["id"]
    assert (await visits.post(9, 11, practitionerId=other)).status == 201
    assert overlaps(await visits.patch(cancelled, practitionerId=other)) == SPAN


async def test_a_deleted_row_leaves_its_span_and_comes_back_only_if_it_is_free(visits: Visits) -> None:
    first = await visits.made(9, 11)
    assert (await visits.client.delete(f"/api/v1/visits/{first}")).status == 204
    second = await visits.made(10, 12)
    restored = await visits.client.post(f"/api/v1/visits/{first}/restore")
    assert overlaps(restored) == SPAN
    assert (await visits.client.delete(f"/api/v1/visits/{second}")).status == 204
    assert (await visits.client.post(f"/api/v1/visits/{first}/restore")).status == 200


async def test_a_row_does_not_overlap_itself(visits: Visits) -> None:
    visit = await visits.made(9, 11)
    assert (await visits.patch(visit, startsAt=hour(10), endsAt=hour(12))).status == 200
    assert (await visits.patch(visit, endsAt=None)).status == 200
    assert (await visits.patch(visit, code="same span")).status == 200


async def test_items_have_rules_of_their_own(visits: Visits) -> None:
    notes: list[dict[str, Any]] = [{"first": 1, "last": 3}, {"first": 3, "last": 2}]
    wrong = await visits.post(9, 10, notes=notes)
    assert broken(wrong) == {
        "first_before_last": {"notes.1.first", "notes.1.last"},
        "last_not_before_first": {"notes.1.first", "notes.1.last"},
    }
    assert overlaps(await visits.post(9, 10, notes=[{"first": 1, "last": 3}, {"first": 2}])) == {
        "notes.1.first",
        "notes.1.last",
    }
    visit = await visits.made(9, 10, notes=[{"first": 1, "last": 3}, {"first": 3}])
    assert (await visits.made(11, 12, notes=[{"first": 1, "last": 3}])) != visit
    assert (await visits.patch(visit, notes=[{"first": 2, "last": 4}])).status == 200


async def test_creations_at_the_same_time_fail_alone(visits: Visits) -> None:
    spans = [(number, number + 1) for number in range(20)] + [(5, 4), (3, 5), (23, 23)]
    answers = await asyncio.gather(*(visits.post(start, end) for start, end in spans))
    statuses = [answer.status for answer in answers]
    assert statuses[:3] == [201, 201, 201]
    assert statuses.count(422) == 2
    # either the long one is there, or the two short ones that it overlaps
    assert sorted([*statuses[:20], statuses[21]]) in ([201] * 20 + [409], [201] * 19 + [409] * 2)
    assert await visits.count() == statuses.count(201)


async def test_the_same_span_is_given_once(visits: Visits) -> None:
    answers = await asyncio.gather(*(visits.post(9, 10) for _ in range(30)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 29
    changed = await asyncio.gather(*(visits.post(hour_, None) for hour_ in range(10, 20)))
    assert sorted(answer.status for answer in changed) == [201] + [409] * 9


async def test_two_processes_that_want_the_same_spans_do_not_wait_for_each_other(
    visits: Visits, make_settings: Callable[..., Settings]
) -> None:
    """Where each finds what the other has just written, neither may wait for the other's end."""
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        both = (visits, Visits(client, visits.practitioner))
        for start in range(0, 12, 3):
            calls = [each.post(start, start + 1 + number % 2) for number in range(8) for each in both]
            answers = await asyncio.wait_for(asyncio.gather(*calls), 20)
            codes = [answer.json().get("error", {}).get("code") for answer in answers]
            assert sorted(codes, key=str) == sorted([None] + ["OVERLAP"] * 15, key=str)


async def test_a_batch_fails_as_a_whole_and_tells_its_step(visits: Visits) -> None:
    def step(start: int, end: int) -> dict[str, Any]:
        return {"operation": "visits.create", "body": visits.body(start, end)}

    url = "/api/v1/$batch"
    wrong = await visits.client.post(url, json={"operations": [step(9, 10), step(12, 11)]})
    assert broken(wrong) == {
        "starts_at_before_ends_at": {"operations.1.startsAt", "operations.1.endsAt"},
    }
    wrong = await visits.client.post(url, json={"operations": [step(9, 10), step(9, 11)]})
    assert overlaps(wrong) == {"operations.1.startsAt", "operations.1.endsAt"}
    assert await visits.count() == 0
    assert (await visits.client.post(url, json={"operations": [step(9, 10), step(10, 11)]})).status == 200


async def test_a_deletion_that_would_break_a_check_of_another_row_is_refused(visits: Visits) -> None:
    """Nothing of the clinic is broken by a null, so the reference is cleared."""
    other = (await visits.client.post("/api/v1/practitioners", json={"name": "Eve"})).data["id"]
    visit = await visits.made(9, 10, substituteId=other)
    assert (await visits.client.delete(f"/api/v1/practitioners/{other}")).status == 204
    assert (await visits.client.get(f"/api/v1/visits/{visit}")).data["substituteId"] is None


class Rooms:
    """Bookings of one room in a clinic."""

    def __init__(self, client: Client, clinic: str) -> None:
        self.client = client
        self.token = client.token("someone", tenant=clinic)

    async def book(self, first: str, after: str | None) -> Any:
        body = {"room": "1", "firstDay": first, "dayAfter": after}
        return await self.client.post("/api/v1/bookings", json=body, token=self.token)

    async def move(self, id: str, name: str) -> Any:
        return await self.client.post(f"/api/v1/bookings/{id}/{name}", token=self.token)


async def test_tenants_have_spans_of_their_own(client: Client) -> None:
    north, south = Rooms(client, "north"), Rooms(client, "south")
    booked = (await north.book("2026-03-01", "2026-03-05")).data["id"]
    assert overlaps(await north.book("2026-03-04", None)) == {"firstDay", "dayAfter"}
    assert (await south.book("2026-03-04", None)).status == 201
    assert (await north.book("2026-03-05", "2026-03-06")).status == 201
    assert broken(await north.book("2026-03-06", "2026-03-06")) == {
        "first_day_before_day_after": {"firstDay", "dayAfter"}
    }
    assert (await north.move(booked, "free")).status == 200
    assert (await north.book("2026-03-02", "2026-03-03")).status == 201
    assert overlaps(await north.move(booked, "take")) == {"firstDay", "dayAfter"}
