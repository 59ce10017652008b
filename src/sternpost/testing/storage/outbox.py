"""The outbox: events are there with their change or not at all, and come in the order of the commits."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sternpost.errors import SternpostError
from sternpost.ids import new_hex
from sternpost.ports.outbox import READ_MAX, Event, Lag, Position
from sternpost.ports.storage import Statistics, Storage
from sternpost.testing.storage.kept import AT, AZURE, LATER, KeptSuite, guest, ward

VISIBLE_SECONDS = 60.0
"""How long an event may be held back by what else the database server does."""


LAST = "ward.asked"
"""The event that is waited for."""


class _Undone(Exception):
    """Undoes a transaction, or a part of one."""


def event(name: str, row_id: str | None = None, at: datetime = AT, **values: Any) -> Event:
    """An event with a value for all that a call knows."""
    return Event(
        id=f"evt_{new_hex()}",
        name=name,
        resource="Ward",
        row_id=row_id,
        operation="wards.restore",
        request_id="req_1",
        trace_id="t" * 32,
        tenant="azure",
        actor="ann",
        occurred_at=at,
        **values,
    )


class OutboxSuite(KeptSuite):
    """Events are written in the transaction of their change."""

    async def _emit(self, kept: Storage, *events: Event) -> None:
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.emit(events)
        await self._until_read(kept, events[-1])

    async def _until_read(self, kept: Storage, event: Event) -> None:
        async with asyncio.timeout(VISIBLE_SECONDS):  # others hold events back, and nothing tells when they stop
            while event.id not in [each.id for each in (await kept.outbox().after(None, READ_MAX))[0]]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _told(self, kept: Storage) -> list[str]:
        """All that was told before, which is there once what is told now is: events come in the order of commits."""
        await self._emit(kept, event(LAST))
        events, _ = await kept.outbox().after(None, READ_MAX)
        return [event.name for event in events if event.name != LAST]

    async def test_an_event_comes_back_as_it_was_written(self, kept: Storage) -> None:
        whole = event("ward.opened", "wrd_" + "1" * 32, payload={"beds": [1, 2.5, None, "ź"]}, version=3)
        bare = Event(f"evt_{new_hex()}", "ward.counted", "Ward", None, "wards.count", None, None, None, None, LATER)
        await self._emit(kept, whole, bare)
        events, position = await kept.outbox().after(None, 10)
        assert events == [whole, bare]
        assert position is not None
        assert position.event == bare.id
        assert Position.read(position.text) == position

    async def test_an_event_shares_the_fate_of_its_transaction(self, kept: Storage) -> None:
        with suppress(_Undone):
            async with kept.transaction(Statistics(), visibility=AZURE) as session:
                await session.insert("Ward", ward("w"))
                await session.emit([event("ward.lost")])
                raise _Undone
        async with kept.transaction(Statistics(), visibility=AZURE) as session:
            await session.emit([event("ward.kept")])
            with suppress(_Undone):
                async with session.savepoint():
                    await session.emit([event("ward.lost")])
                    raise _Undone
        assert await self._told(kept) == ["ward.kept"]

    async def test_new_rows_that_go_together_bring_their_events(self, kept: Storage) -> None:
        """As many as come at once, alone or not, with several events or none; one of them is refused."""
        rows = [guest(f"guest {number}") for number in range(40)]
        rows[7] = guest("nowhere", ward_id=new_hex())
        told = [[event(f"guest.n{number}") for _ in range(number % 3)] for number in range(40)]

        async def insert(number: int) -> bool:
            try:
                await kept.insert("Guest", rows[number], Statistics(), AZURE, events=told[number])
            except SternpostError:
                return False
            return True

        done = await asyncio.gather(*map(insert, range(40)))
        assert [number for number, written in enumerate(done) if not written] == [7]
        alone = [event("guest.alone"), event("guest.alone")]
        await kept.insert("Guest", guest("alone"), Statistics(), AZURE, events=alone)
        await self._until_read(kept, alone[-1])
        events, _ = await kept.outbox().after(None, READ_MAX)
        expected = [each.id for number, events in enumerate(told) if done[number] for each in events]
        assert sorted(each.id for each in events if each.name != "guest.alone") == sorted(expected)
        assert [each.name for each in events[-2:]] == ["guest.alone", "guest.alone"]
        by_name = [each.id for each in events if each.name == "guest.n8"]
        assert by_name == [each.id for each in told[8]], "events of one row keep their order"

    async def test_a_reader_comes_to_each_event_once(self, kept: Storage) -> None:
        events = [event(f"ward.n{number}") for number in range(25)]
        for part in (events[:10], events[10:11], events[11:]):
            await self._emit(kept, *part)
        outbox = kept.outbox()
        position: Position | None = None
        found: list[Event] = []
        while (read := await outbox.after(position, 4))[0]:
            found += read[0]
            position = read[1]
        assert found == events
        assert await outbox.after(position, 4) == ([], position)

    @pytest.mark.parametrize("limit", [0, READ_MAX + 1])
    async def test_as_many_as_are_read_at_a_time(self, kept: Storage, limit: int) -> None:
        with pytest.raises(ValueError, match=str(limit)):
            await kept.outbox().after(None, limit)
        with pytest.raises(ValueError, match=str(limit)):
            await kept.outbox().remove_expired(AT, limit)

    @pytest.mark.parametrize("change", [{"event": f"evt_{'9' * 32}"}, {"database": "another"}, {"number": 10**9}])
    async def test_a_position_of_another_database_begins_anew(self, kept: Storage, change: dict[str, Any]) -> None:
        await self._emit(kept, event("ward.one"), event("ward.two"))
        _, position = await kept.outbox().after(None, 10)
        assert position is not None
        events, again = await kept.outbox().after(replace(position, **change), 10)
        assert [each.name for each in events] == ["ward.one", "ward.two"]
        assert again == position
        assert await kept.outbox().wait(replace(position, **change), 0)

    async def test_who_waits_is_woken_by_what_is_committed(self, kept: Storage) -> None:
        outbox = kept.outbox()
        assert not await outbox.wait(None, 0)
        for number in range(5):
            _, position = await outbox.after(None, READ_MAX)
            waiting = asyncio.create_task(outbox.wait(position, 60))
            await asyncio.sleep(0)
            if number % 2:
                await self._emit(kept, event("ward.changed"))
            else:
                await kept.insert("Guest", guest("woken"), Statistics(), AZURE, events=[event("guest.created")])
            async with asyncio.timeout(VISIBLE_SECONDS):
                assert await waiting
        _, position = await outbox.after(None, READ_MAX)
        assert not await outbox.wait(position, 0.05)

    async def test_who_waits_and_is_cancelled_leaves_nothing(self, kept: Storage) -> None:
        waiting = [asyncio.create_task(kept.outbox().wait(None, 60)) for _ in range(3)]
        await asyncio.sleep(0.05)
        for each in waiting:
            each.cancel()
        assert [type(each) for each in await asyncio.gather(*waiting, return_exceptions=True)] == [
            asyncio.CancelledError
        ] * 3
        await self._emit(kept, event("ward.changed"))

    async def test_the_lag_is_that_of_the_oldest_event_that_was_not_read(self, kept: Storage) -> None:
        outbox = kept.outbox()
        assert await outbox.lag(None) == Lag(None)
        await self._emit(kept, event("ward.one"), event("ward.two", at=LATER))
        assert await outbox.lag(None) == Lag(AT)
        _, position = await outbox.after(None, 1)
        assert await outbox.lag(position) == Lag(LATER)
        _, position = await outbox.after(position, 1)
        assert await outbox.lag(position) == Lag(None)

    async def test_what_is_older_than_it_is_kept_is_removed_in_parts(self, kept: Storage) -> None:
        outbox = kept.outbox()
        old = [event(f"ward.old{number}") for number in range(7)]
        new = [event(f"ward.new{number}", at=AT + timedelta(hours=1)) for number in range(3)]
        await self._emit(kept, *old, *new)
        end = AT + timedelta(days=7)
        assert await outbox.remove_expired(end, 5) == 0, "they are as old as events may become"
        later = end + timedelta(microseconds=1)
        assert [await outbox.remove_expired(later, 5) for _ in range(3)] == [5, 2, 0]
        assert await self._told(kept) == [each.name for each in new]

    async def test_a_reader_goes_on_where_its_last_event_was_removed(self, kept: Storage) -> None:
        outbox = kept.outbox()
        await self._emit(kept, event("ward.old"))
        _, position = await outbox.after(None, 10)
        await self._emit(kept, event("ward.new", at=LATER))
        assert await outbox.remove_expired(AT + timedelta(days=7, hours=1), 10) == 1
        events, position = await outbox.after(position, 10)
        assert [each.name for each in events] == ["ward.new"]

    async def test_numbers_are_not_given_again_when_all_was_removed(self, kept: Storage) -> None:
        outbox = kept.outbox()
        await self._emit(kept, event("ward.one"), event("ward.two"))
        _, position = await outbox.after(None, 10)
        await outbox.remove_expired(AT + timedelta(days=99), 10)
        await self._emit(kept, event("ward.three", at=LATER))
        events, _ = await outbox.after(position, 10)
        assert [each.name for each in events] == ["ward.three"]
