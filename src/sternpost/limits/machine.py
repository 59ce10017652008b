"""Counts in memory that the workers of one machine share, without any server.

The supervisor makes the memory and hands its descriptor to each worker that it starts, so that what was counted
survives the workers: a rolling restart, and a kill -9. It is a table of buckets; the hash of a key says in which one
bucket it may be:

    16 keys of 16 bytes | 16 times when each expires | 16 tags: algorithm and period | 16 states of 12 whole numbers

Who reads or writes a bucket holds a lock on its first byte (`fcntl`), which the system releases when the process dies.
It is held for some microseconds, is never waited for in the event loop, and nothing is awaited while it is held.

A worker that is killed while it writes leaves at most one call counted twice, half or not at all. A state that no call
can have left is put right within the time that the limit's state may last (`algorithms.horizon_us`).
"""

from __future__ import annotations

import asyncio
import fcntl
import mmap
import os
import secrets
import sys
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from hashlib import blake2b
from random import Random
from struct import Struct

from sternpost.errors import Unavailable
from sternpost.limits.algorithms import COUNTERS, FRESH, State, decide
from sternpost.ports.limits import Charge, Rule, Verdict

KEYS_MAX = 2**20
"""How many keys the table has room for: 128 MiB of address space. A page takes memory once it is used."""

WAYS = 16
"""Keys in a bucket."""

SPINS = 20
SPINS_LATER = 5
"""How often a lock is tried at once, and each time after that: who holds it needs some microseconds."""

PATIENCE_SECONDS = 0.2
PAUSE_SECONDS = 0.001
TRIES_MIN = 50
"""For how long a lock is tried after that, now and then and while other calls go on, before calls cannot be counted:
the process that holds it does not run. So often at least, because this process may not have run either."""

TOGETHER_MAX = 64
"""Calls that waited for a lock and are counted while it is held once."""

_KEY_BYTES = 16
_EXPIRES = WAYS * _KEY_BYTES
_TAGS = _EXPIRES + WAYS * 8
_SECRET_BYTES = 32
_HEAD_BYTES = mmap.PAGESIZE
"""What stands before the buckets: a secret, by which keys are put into buckets. Otherwise who knows how keys are made
could fill the bucket of another caller, until that one's count is forgotten."""

_STATES = _TAGS + WAYS * 8
_STATE_BYTES = (1 + COUNTERS) * 8
_BUCKET_BYTES = _STATES + WAYS * _STATE_BYTES

_NUMBER = Struct("=Q")
_ALL_EXPIRES = Struct(f"={WAYS}Q")
_PAIR = Struct("=2Q")
_COUNTERS = Struct(f"={1 + COUNTERS}Q")
_NO_KEY = bytes(_KEY_BYTES)
Answer = asyncio.Future[Sequence[Verdict]]
Queue = deque[tuple[Sequence[Charge], Answer]]

_TAG_OF = {algorithm: number for number, algorithm in enumerate(FRESH, 1)}


def shared_memory(keys_max: int = KEYS_MAX) -> int:
    """The descriptor of memory that has no name: it lasts as long as a process that has it.

    Args:
        keys_max: for how many keys; a power of two.
    """
    if sys.platform == "linux":
        descriptor = os.memfd_create("sternpost-limits")
    else:
        descriptor, path = tempfile.mkstemp(prefix="sternpost-limits-")
        os.unlink(path)
    os.ftruncate(descriptor, _HEAD_BYTES + max(keys_max // WAYS, 1) * _BUCKET_BYTES)
    os.pwrite(descriptor, secrets.token_bytes(_SECRET_BYTES), 0)
    return descriptor


class MachineStore:
    """Counts in shared memory. Answers at once, but where another process holds what it needs.

    Where a bucket is full, the key that expires first is forgotten, as if nobody had used it.

    Args:
        descriptor: of `shared_memory`. It is closed with the store.
        now_us: the time, in microseconds since the Unix epoch: the same clock in all processes.
        random: for how long a process pauses before it tries a lock again.
        patience_seconds: see `PATIENCE_SECONDS`.
    """

    dependency: None = None

    def __init__(
        self,
        descriptor: int,
        now_us: Callable[[], int],
        random: Random | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._descriptor = descriptor
        self._now_us = now_us
        self._random = random or Random()  # noqa: S311  (it only has to differ between processes)
        self._patience_seconds = patience_seconds
        self._memory = mmap.mmap(descriptor, 0)
        self._waiting: dict[frozenset[int], Queue] = {}
        """Calls that wait for locks, by what they lock."""
        self._pumps: set[asyncio.Task[None]] = set()
        self._secret = self._memory[:_SECRET_BYTES]
        self._buckets = (len(self._memory) - _HEAD_BYTES) // _BUCKET_BYTES

    def charge(self, charges: Sequence[Charge]) -> Sequence[Verdict] | Awaitable[Sequence[Verdict]]:
        """See `LimitStore.charge`."""
        offsets = frozenset([self._offset(charge.key) for charge in charges])
        queue = self._waiting.get(offsets) if self._waiting else None
        if queue is None and self._spin(offsets, SPINS):
            try:
                return self._count(charges)
            finally:
                self._unlock(offsets)
        return self._later(charges, offsets)

    async def check(self) -> None:
        """It is always there."""

    async def close(self) -> None:
        """Gives the memory back; other processes still have it."""
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        self._memory.close()
        os.close(self._descriptor)

    # -- locks

    def _spin(self, offsets: Collection[int], times: int) -> bool:
        for _ in range(times):
            if self._lock(offsets):
                return True
            os.sched_yield()  # to who holds it, where it has lost the processor
        return False

    def _lock(self, offsets: Collection[int]) -> bool:
        """All of them or none, so that processes that want several never wait for each other in a circle."""
        taken: list[int] = []
        for offset in offsets:
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
            except (BlockingIOError, PermissionError):  # POSIX allows either
                self._unlock(taken)
                return False
            taken.append(offset)
        return True

    def _unlock(self, offsets: Collection[int]) -> None:
        for offset in offsets:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, offset)

    # -- calls that wait for a lock

    def _later(self, charges: Sequence[Charge], offsets: frozenset[int]) -> Awaitable[Sequence[Verdict]]:
        """Calls that want the same locks wait in one line, and are counted together: if each tried by itself, those of
        one process would keep those of the others from running."""
        queue = self._waiting.get(offsets)
        if queue is None:
            queue = self._waiting[offsets] = deque()
            pump = asyncio.get_running_loop().create_task(self._pump(offsets, queue))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)
        answer: Answer = asyncio.get_running_loop().create_future()
        queue.append((charges, answer))
        return answer

    async def _pump(self, offsets: frozenset[int], queue: Queue) -> None:
        try:
            while queue:
                if await self._lock_in_time(offsets):
                    self._count_waiting(offsets, queue)
                else:
                    self._refuse(queue)
        finally:
            del self._waiting[offsets]
            self._refuse(queue)  # where it is closed meanwhile

    async def _lock_in_time(self, offsets: frozenset[int]) -> bool:
        loop = asyncio.get_running_loop()
        gives_up, tries = loop.time() + self._patience_seconds, 0
        while tries < TRIES_MIN or loop.time() < gives_up:
            await asyncio.sleep(PAUSE_SECONDS * self._random.uniform(0.5, 1.5))
            if self._spin(offsets, SPINS_LATER):
                return True
            tries += 1
        return False

    def _count_waiting(self, offsets: frozenset[int], queue: Queue) -> None:
        try:
            for _ in range(min(len(queue), TOGETHER_MAX)):
                charges, answer = queue.popleft()
                if answer.done():  # nobody waits for it any more
                    continue
                try:
                    answer.set_result(self._count(charges))
                except Exception as error:  # noqa: BLE001  (whoever waits for it raises it)
                    answer.set_exception(error)
        finally:
            self._unlock(offsets)

    def _refuse(self, queue: Queue) -> None:
        reason = f"another process has held the counters of a limit for {self._patience_seconds * 1000:g} ms"
        while queue:
            _, answer = queue.popleft()
            if not answer.done():
                answer.set_exception(Unavailable(log={"reason": reason}))

    # -- the table, while the lock is held

    def _count(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        now_us = self._now_us()  # while the lock is held: what others have written is not from the future
        states: dict[bytes, State] = {}
        for key, rule, _, _ in charges:
            if key not in states and (state := self._read(key, rule)) is not None:
                states[key] = state
        verdicts, changed = decide(charges, states, now_us)
        for key, (rule, state, lasts_us) in changed.items():
            self._write(key, rule, state, now_us + lasts_us)
        return verdicts

    def _offset(self, key: bytes) -> int:
        """Where the bucket of a key begins."""
        digest = blake2b(key, digest_size=8, key=self._secret).digest()
        return _HEAD_BYTES + int.from_bytes(digest, "little") % self._buckets * _BUCKET_BYTES

    def _find(self, key: bytes, offset: int) -> int | None:
        at = offset
        while (at := self._memory.find(key, at, offset + _EXPIRES)) >= 0:
            if (at - offset) % _KEY_BYTES == 0:
                return (at - offset) // _KEY_BYTES
            at += 1  # across two keys
        return None

    def _read(self, key: bytes, rule: Rule) -> State | None:
        """The state of a key; None where there is none, or one that a limit of another kind has left."""
        offset = self._offset(key)
        way = self._find(key, offset)
        if way is None or _NUMBER.unpack_from(self._memory, offset + _TAGS + way * 8)[0] != _tag(rule):
            return None
        form = _COUNTERS if rule.algorithm == "sliding_window" else _PAIR
        return form.unpack_from(self._memory, offset + _STATES + way * _STATE_BYTES)

    def _write(self, key: bytes, rule: Rule, state: State, expires_us: int) -> None:
        memory, offset, tag = self._memory, self._offset(key), _NUMBER.pack(_tag(rule))
        way = self._find(key, offset)  # again: what was written for another key of this call may have taken its place
        new = way is None
        if way is None:
            expires = _ALL_EXPIRES.unpack_from(memory, offset + _EXPIRES)
            way = expires.index(min(expires))  # 0 where nothing was ever written
        key_at, tag_at = offset + way * _KEY_BYTES, offset + _TAGS + way * 8
        state_at, expires_at = offset + _STATES + way * _STATE_BYTES, offset + _EXPIRES + way * 8
        if new or memory[tag_at : tag_at + 8] != tag:
            memory[key_at : key_at + _KEY_BYTES] = _NO_KEY  # who is killed in between leaves an empty place
            memory[tag_at : tag_at + 8] = tag
            new = True
        packed = (_COUNTERS if len(state) > 2 else _PAIR).pack(*state)
        memory[state_at : state_at + len(packed)] = packed
        memory[expires_at : expires_at + 8] = _NUMBER.pack(expires_us)
        if new:
            memory[key_at : key_at + _KEY_BYTES] = key


def _tag(rule: Rule) -> int:
    return rule.period_us << 3 | _TAG_OF[rule.algorithm]
