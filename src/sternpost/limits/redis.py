"""Counts in Redis 7.0 or newer, or Valkey: for services on several machines. The only module that imports the client.

A call is one script call, however many limits it has, and the clock is Redis's own. Each key has a time to live. The
script needs no key but those of the call, so Redis may be flushed or restarted: then nothing has been counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, TypeVar, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from sternpost.errors import StartupError, Unavailable
from sternpost.ports.limits import Charge, Verdict

TIMEOUT_SECONDS = 0.2
"""How long Redis may take: to connect and to answer, together."""

TRIPS_MAX = 3
"""How many trips to Redis are under way at a time, each on a connection of its own. Calls that come meanwhile share the
next one. More would only make all of them late: this process packs and reads them one after the other."""

TOGETHER_MAX = 100
"""Calls of a trip."""

TURNS = 5
"""How often the event loop goes round before an answer is late: it may have arrived while the loop was busy."""

FAILURES_MAX = 3
"""After so many trips in a row without an answer, calls do not wait for one, but for one that tries."""

REST_SECONDS = 0.5
"""The time between two of those that try."""

_QUEUES, _SHADOW = 1, 2
_NUMBERS = 5
"""Of a verdict."""

T = TypeVar("T")
Answer = asyncio.Future[list[int]]
FAILURES = (RedisError, OSError)
"""What may come of a trip; a time that is up is an `OSError`, too."""


@cache
def script() -> tuple[str, str]:
    """The Lua script, and the digest that Redis knows it by."""
    text = files("sternpost.limits").joinpath("limits.lua").read_text(encoding="utf-8")
    return text, sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisStore:
    """Counts in Redis.

    Calls that come in the same turn of the event loop are sent together (a pipeline): a trip for each of them would
    take so much of this process's time that calls would be late because of that.

    An error is told as `Unavailable`, and the call may have been counted: a call that got no answer is not sent again,
    because it might be counted twice.

    Args:
        url: `redis://`, `rediss://` or `unix://`. Neither it nor its password is ever part of a message.
        service: services that share a Redis do not share counters.
        monotonic: seconds on a clock that never goes back.

    Raises:
        StartupError: the URL is none. Whether something answers there is told by `check`.
    """

    dependency: str = "redis"

    def __init__(self, url: str, service: str, monotonic: Callable[[], float]) -> None:
        try:  # the client is not typed strictly
            pool = cast("Any", BlockingConnectionPool).from_url(
                url,
                max_connections=TRIPS_MAX + 1,  # and the check
                timeout=TIMEOUT_SECONDS,
                socket_timeout=None,  # `_in_time` is exact
                socket_connect_timeout=TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),
                client_name="sternpost-limits",
                protocol=2,
            )
        except (ValueError, RedisError):
            raise StartupError(
                "STERNPOST_REDIS_URL is wrong. Write redis://[user:password@]host[:port][/number], or rediss:// for TLS"
            ) from None  # the client's message may quote the URL
        self._redis = cast("Any", Redis).from_pool(pool)
        self._prefix = f"sternpost:{{{service}}}:limit:"  # braces: on a cluster all keys are in one place
        self._monotonic = monotonic
        self._failures = 0
        self._tries_at = 0.0
        self._waiting: list[tuple[list[str | int], Answer]] = []
        self._trips: set[asyncio.Task[None]] = set()

    async def charge(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        """See `LimitStore.charge`."""
        return (await self.charge_at(charges))[1]

    async def charge_at(self, charges: Sequence[Charge]) -> tuple[int, Sequence[Verdict]]:
        """The same, with the time by which Redis counted, in microseconds since the Unix epoch."""
        self._require_answers()
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        if not self._waiting and len(self._trips) < TRIPS_MAX:
            loop.call_soon(self._depart)
        self._waiting.append((self._arguments(charges), answer))
        numbers = await answer
        verdicts = [
            Verdict(bool(numbers[at]), *numbers[at + 1 : at + _NUMBERS]) for at in range(1, len(numbers), _NUMBERS)
        ]
        return numbers[0], verdicts

    async def check(self) -> None:
        """See `LimitStore.check`."""
        try:
            await _in_time(self._redis.ping())
        except FAILURES as error:
            raise Unavailable(log={"reason": _reason(error)}) from None
        self._failures = 0

    async def close(self) -> None:
        """See `LimitStore.close`."""
        _cancel(self._waiting)
        self._waiting = []
        for trip in self._trips:
            trip.cancel()
        await asyncio.gather(*self._trips, return_exceptions=True)
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    def _arguments(self, charges: Sequence[Charge]) -> list[str | int]:
        """Of the script: the number of keys, the keys, and six for each of them."""
        keys: list[str | int] = [len(charges)]
        more: list[str | int] = []
        for key, rule, cost, shadow in charges:
            keys.append(f"{self._prefix}{rule.algorithm}:{rule.period_us}:{key.hex()}")
            flags = (_QUEUES if rule.queues else 0) | (_SHADOW if shadow else 0)
            more += (rule.algorithm, rule.quantity, rule.period_us, rule.depth * rule.period_us, cost, flags)
        return keys + more

    def _require_answers(self) -> None:
        """Raises at once where several trips before got no answer; but for a try now and then."""
        if self._failures < FAILURES_MAX:
            return
        now = self._monotonic()
        if now < self._tries_at:
            raise Unavailable(log={"reason": "Redis has not answered for a while"})
        self._tries_at = now + REST_SECONDS

    # -- trips

    def _depart(self) -> None:
        """Sends what waits, or the first part of it."""
        batch, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
        if not batch:
            return
        trip = asyncio.get_running_loop().create_task(self._trip(batch))
        self._trips.add(trip)
        trip.add_done_callback(self._arrived)
        if self._waiting and len(self._trips) < TRIPS_MAX:
            self._depart()

    def _arrived(self, trip: asyncio.Task[None]) -> None:
        self._trips.discard(trip)
        if self._waiting and not trip.cancelled():
            self._depart()

    async def _trip(self, batch: list[tuple[list[str | int], Answer]]) -> None:
        """Sends calls, and hands each its answer."""
        try:
            answers = await _in_time(self._run([arguments for arguments, _ in batch]))
            self._failures = 0
        except FAILURES as error:
            self._failures += 1
            self._tries_at = self._monotonic() + REST_SECONDS
            batch, self._waiting = batch + self._waiting, []  # the others would wait for nothing, too
            answers = [cast("Any", error)] * len(batch)
        except BaseException:  # it is closed; or a bug, which the event loop reports
            _cancel(batch)
            raise
        for (_, answer), found in zip(batch, answers, strict=True):
            if answer.done():  # nobody waits for it any more
                continue
            if isinstance(found, Exception):
                answer.set_exception(Unavailable(log={"reason": _reason(found)}))
            else:
                answer.set_result(found)

    async def _run(self, calls: list[list[str | int]]) -> list[Any]:
        """For each call the numbers of the script, or the error it ended with."""
        text, digest = script()
        pipeline = self._redis.pipeline(transaction=False)
        for arguments in calls:
            pipeline.evalsha(digest, *arguments)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:  # the first call after a start of Redis, or its scripts were flushed
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.script_load(text)
            for place in unknown:
                pipeline.evalsha(digest, *calls[place])
            _, *again = await pipeline.execute(raise_on_error=False)
            for place, answer in zip(unknown, again, strict=True):
                answers[place] = answer
        return answers


def _cancel(batch: list[tuple[list[str | int], Answer]]) -> None:
    for _, answer in batch:
        answer.cancel()


async def _in_time(work: Coroutine[Any, Any, T]) -> T:
    """What comes of it. Raises `TimeoutError` where nothing has come in time; but not where this event loop was too
    busy to look: a service that is flooded must not take itself for one without Redis."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        await asyncio.wait([task], timeout=TIMEOUT_SECONDS)
        for _ in range(TURNS):
            if task.done():
                return task.result()
            await asyncio.sleep(0)
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])  # its connection is closed, and has left the pool


def _reason(error: Exception) -> str:
    """What is told of an error; messages of the client name host and port, and nothing else of the URL."""
    if isinstance(error, TimeoutError):
        return f"Redis did not answer within {TIMEOUT_SECONDS * 1000:g} ms"
    return f"Redis: {type(error).__name__}: {str(error)[:200]}"
