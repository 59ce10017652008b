"""Calls that are cancelled, at each of the places where they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from sternpost.plan.query import Compare, Nested
from sternpost.ports.storage import NO_ARGUMENTS, Statistics, Storage
from sternpost.testing.storage.base import Suite, change, delete, paged
from sternpost.testing.storage.contract import LABELS, TITLES, book, shelf

AWAITS_MAX = 400

Work = Callable[[], Coroutine[Any, Any, Any]]


class Cancelled:
    """Awaits a coroutine, and has its task cancelled at the n-th suspension.

    Args:
        late: cancels in the turn after the one in which what is awaited has come, instead of while it is awaited.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], at: int, *, late: bool) -> None:
        self.work, self.at, self.late = work, at, late
        self.count = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        result: Any = None
        error: BaseException | None = None
        while True:
            try:
                waited = self.work.send(result) if error is None else self.work.throw(error)
            except StopIteration as end:
                return end.value
            self.count += 1
            if self.count == self.at:
                if self.late and waited is not None:
                    waited.add_done_callback(partial(_cancel, task))
                else:
                    asyncio.get_running_loop().call_soon(task.cancel)
            try:
                result, error = (yield waited), None
            except BaseException as raised:  # noqa: BLE001  (it is thrown into the work)
                result, error = None, raised


def _cancel(task: asyncio.Task[Any], _: Any) -> None:
    task.cancel()


async def cancelled_at(work: Coroutine[Any, Any, Any], at: int, *, late: bool) -> bool:
    """Whether the work was still going on at its n-th suspension."""
    waiting = Cancelled(work, at, late=late)

    async def run() -> None:
        await waiting

    await asyncio.gather(asyncio.create_task(run()), return_exceptions=True)
    return waiting.count >= at


class CancellationSuite(Suite):
    """Whoever goes away leaves all of a transaction, or nothing, and keeps nobody waiting."""

    @pytest.mark.parametrize("late", [False, True], ids=["while waiting", "as it comes"])
    async def test_a_transaction_cancelled_at_any_await(self, opened: Storage, late: bool) -> None:
        row, numbers = shelf("s", width=0), iter(range(10_000))
        await self._add(opened, row)

        async def write() -> None:
            number = next(numbers)
            async with opened.transaction(Statistics()) as session:
                await session.get(replace(LABELS, lock=True), row["id"])
                await session.insert("Shelf", shelf(f"first {number}", width=1))
                await session.insert_rows("Shelf", [shelf(f"second {number}", width=1)], skip=False)
                async with session.savepoint():
                    await change(session, "Shelf", row["id"], {"width": number % 100})
                gone = shelf(f"gone {number}")
                await session.insert("Shelf", gone)
                await session.replace_owned("Shelf", "books", row["id"], [book(f"{number}"), book("b")])
                await delete(session, "Shelf", gone["id"])

        await self._cancel_everywhere(write, late)
        await write()
        labels = await self._labels(opened, replace(LABELS, where=Compare(("width",), "eq", 0)), _slots(1))
        numbers_of = [{label.split()[1] for label in labels if label.startswith(part)} for part in ("first", "second")]
        assert numbers_of[0] == numbers_of[1], "no transaction is half written"
        assert not [label for label in await self._labels(opened) if label.startswith("gone")]
        books = replace(LABELS, relations=(Nested("books", TITLES),))
        assert len((await self._row(opened, books, row["id"]))["books"]) == 2

    @pytest.mark.parametrize("late", [False, True], ids=["while waiting", "as it comes"])
    async def test_a_single_row_cancelled_at_any_await(self, opened: Storage, late: bool) -> None:
        numbers = iter(range(10_000))

        async def write() -> None:
            await opened.insert("Shelf", shelf(f"row {next(numbers)}"), Statistics())

        await self._cancel_everywhere(write, late)
        before = await opened.reader().count(LABELS)
        await write()
        assert await opened.reader().count(LABELS) == before + 1

    @pytest.mark.parametrize("late", [False, True], ids=["while waiting", "as it comes"])
    async def test_reads_cancelled_at_any_await(self, opened: Storage, late: bool) -> None:
        row = shelf("s")
        await self._add(opened, row)

        async def read() -> None:
            reader = opened.reader()
            assert await reader.get(LABELS, row["id"]) is not None
            assert len((await reader.select(*paged(LABELS, limit=5), count=True)).documents) == 1
            assert [part async for part in opened.export(LABELS, NO_ARGUMENTS, Statistics())] == [[{"label": "s"}]]

        await self._cancel_everywhere(read, late)
        await read()

    async def _cancel_everywhere(self, work: Work, late: bool) -> None:
        for at in range(1, AWAITS_MAX):
            async with asyncio.timeout(30):
                if not await cancelled_at(work(), at, late=late):
                    return
        pytest.fail("the work has no end")

    async def test_others_go_on_while_some_are_cancelled(self, opened: Storage) -> None:

        async def write(number: int) -> None:
            async with opened.transaction(Statistics()) as session:
                await session.insert("Shelf", shelf(f"{number}"))

        for turns in range(12):
            tasks = [asyncio.create_task(write(100 * turns + number)) for number in range(20)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert [answer for answer in answers[1::2] if answer is not None] == []
        labels = set(await self._labels(opened))
        assert {f"{100 * turns + number}" for turns in range(12) for number in range(1, 20, 2)} <= labels


def _slots(*values: Any) -> Any:
    return replace(NO_ARGUMENTS, slots=values)
