"""The link between supervisor and worker: frames in pieces of any size, and ends that do not read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.app.frames import LEFT_BYTES_MAX, MESSAGE_BYTES_MAX, Frames, Outbox, framed
from sternpost.app.talk import Talk

SAID = st.one_of(
    st.sampled_from([b"r", b"b", b"e"]),
    st.dictionaries(st.text(max_size=3), st.one_of(st.integers(0, 9), st.text(max_size=20)), max_size=3),
)


@given(st.lists(SAID, max_size=8), st.lists(st.integers(1, 9), max_size=60))
def test_what_is_said_arrives_however_it_is_cut(said: list[Any], cuts: list[int]) -> None:
    whole = b"".join(each if isinstance(each, bytes) else framed(each) for each in said)
    frames, found = Frames(), list[Any]()
    for cut in cuts:
        found += frames.feed(whole[:cut])
        whole = whole[cut:]
    found += frames.feed(whole)
    assert found == said


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(ValueError, match="on the link"):
        list(Frames().feed(b"m" + (MESSAGE_BYTES_MAX + 1).to_bytes(4, "big")))


@pytest.fixture
async def ends() -> AsyncIterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    with contextlib.closing(ours), contextlib.closing(theirs):
        yield ours, theirs


async def read(link: socket.socket, frames: Frames, count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += frames.feed(await asyncio.get_running_loop().sock_recv(link, 1 << 20))
    return found


async def test_nobody_waits_for_an_end_that_does_not_read(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    outbox, message, sent = Outbox(ours), {"text": "a" * 10_000}, 0
    while outbox.send(framed({**message, "number": sent})):
        sent += 1
    assert sent * 10_000 > LEFT_BYTES_MAX
    found = await read(theirs, Frames(), sent)
    assert [each["number"] for each in found] == list(range(sent)), "nothing is lost, and all in order"
    while not outbox.is_empty:
        await asyncio.sleep(0)
    assert outbox.send(framed(message))
    outbox.close()


async def test_who_is_behind_is_told_once_it_reads_again(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    talk, caught_up = Talk(ours), asyncio.Event()
    talk.on_caught_up = caught_up.set
    listening = asyncio.create_task(talk.listen(lambda: None))
    sent = 0
    while talk.tell({"text": "a" * 100_000}):
        sent += 1
    assert talk.is_behind
    assert await talk.ask({"do": "limits"}, 20) is None, "it is not even asked"
    frames = Frames()
    await read(theirs, frames, sent)
    await asyncio.get_running_loop().sock_sendall(theirs, b"b")
    async with asyncio.timeout(20):
        await caught_up.wait()
    assert not talk.is_behind
    theirs.close()
    await listening


WORKER = """
import asyncio, sys
from sternpost.app.worker import Link

async def run():
    said = []
    print("attends", flush=True)
    await Link(int(sys.argv[1])).attend(said.append)
    print(said, flush=True)

asyncio.run(run())
"""


async def test_a_worker_goes_on_once_it_was_told_what_holds(ends: tuple[socket.socket, socket.socket]) -> None:
    """Before: what had not arrived by then, it was told while it served."""
    ours, theirs = ends
    theirs.setblocking(True)
    message = {"do": "replay", "overrides": ["a" * 50]}
    whole = framed(message)
    ours.send(whole[:40])
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", WORKER, str(theirs.fileno())),
        pass_fds=[theirs.fileno()],
        stdout=asyncio.subprocess.PIPE,
    )
    assert worker.stdout is not None
    async with asyncio.timeout(60):
        assert await worker.stdout.readline() == b"attends\n"
        ours.send(whole[40:])
        assert await worker.stdout.readline() == f"{[message]}\n".encode()
        theirs.close()
        ours.close()
        await worker.wait()


async def test_a_question_ends_with_its_time_and_with_its_worker(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    talk = Talk(ours)
    listening = asyncio.create_task(talk.listen(lambda: None))
    assert await talk.ask({"do": "limits"}, 0.01) is None
    asking = asyncio.create_task(talk.ask({"do": "limits"}, 20))
    await read(theirs, Frames(), 2)
    late = framed({"number": 1, "answer": "late"}) + framed({"number": 2, "answer": "mine"})
    await asyncio.get_running_loop().sock_sendall(theirs, late)
    assert await asking == "mine"
    asking = asyncio.create_task(talk.ask({"do": "limits"}, 20))
    await asyncio.sleep(0)
    theirs.close()
    assert await asking is None
    await listening
