"""Redis: away, paused, flushed and restarted; and what is left there."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sternpost.errors import StartupError, Unavailable
from sternpost.limits.redis import FAILURES_MAX, REST_SECONDS, TIMEOUT_SECONDS, TRIPS_MAX, RedisStore
from sternpost.ports.limits import Charge
from tests.limits.stores import ALGORITHMS, Remote, new_key, rule
from tests.support.redis import RedisServer

PATIENCE_SECONDS = 20


@pytest.fixture
async def remote(own_redis: RedisServer) -> AsyncIterator[Remote]:
    made = Remote(own_redis.url)
    yield made
    await made.close()


def one(quantity: int = 100) -> Charge:
    return Charge(new_key(), rule("token_bucket", quantity), 1)


async def refused(remote: Remote, charge: Charge) -> tuple[str, float]:
    """Why it cannot be counted, and how long that took."""
    started = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        await remote.charge(charge)
    return str(caught.value.log["reason"]), time.monotonic() - started


async def until_it_counts(remote: Remote, charge: Charge) -> int:
    """What remains of the first call that is counted again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return (await remote.charge(charge))[0].remaining
        except Unavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


async def test_every_key_has_a_time_to_live_that_is_as_long_as_it_matters(
    remote: Remote, own_redis: RedisServer
) -> None:
    day = 86_400_000_000
    for algorithm in ALGORITHMS:
        for cost in (0, 1, 5):
            (verdict,) = await remote.charge(Charge(new_key(), rule(algorithm, 5, day), cost))
            names = [word for word in own_redis.command("KEYS", "*").split(b"\r\n") if word.startswith(b"sternpost:")]
            assert len(names) == 1
            left = int(own_redis.command("PTTL", names[0]).strip(b":\r\n"))
            assert 0 <= left - verdict.reset_us // 1000 <= 1002
            own_redis.command("FLUSHALL")


async def test_one_call_of_several_limits_is_one_command(remote: Remote, own_redis: RedisServer) -> None:
    await remote.charge(one())
    own_redis.command("CONFIG", "RESETSTAT")
    await remote.charge(*[Charge(new_key(), rule(algorithm), 1) for algorithm in ALGORITHMS])
    told = own_redis.command("INFO", "commandstats").decode()
    calls = {line.split(":")[0]: line.split("calls=")[1].split(",")[0] for line in told.split() if "calls=" in line}
    assert calls["cmdstat_evalsha"] == "1"
    assert set(calls) <= {"cmdstat_evalsha", "cmdstat_get", "cmdstat_set", "cmdstat_time", "cmdstat_info"} | {
        "cmdstat_config|resetstat"
    }


async def test_flushed_data_and_scripts_are_no_error(remote: Remote, own_redis: RedisServer) -> None:
    charge = one(10)
    assert [(await remote.charge(charge))[0].remaining for _ in range(2)] == [9, 8]
    own_redis.command("SCRIPT", "FLUSH")
    told = await asyncio.gather(*(remote.charge(charge) for _ in range(5)))
    assert sorted(verdict.remaining for (verdict,) in told) == [3, 4, 5, 6, 7]
    own_redis.command("FLUSHALL")
    assert (await remote.charge(charge))[0].remaining == 9


async def test_while_it_is_away_calls_are_told_at_once_and_after_a_restart_it_counts(
    remote: Remote, own_redis: RedisServer
) -> None:
    charge = one()
    assert (await remote.charge(charge))[0].remaining == 99
    own_redis.kill()
    for _ in range(FAILURES_MAX + 2):
        _, seconds = await refused(remote, charge)
        assert seconds < TIMEOUT_SECONDS * 4
    with pytest.raises(Unavailable):
        await remote.store.check()
    own_redis.start()
    assert await until_it_counts(remote, charge) == 99, "nothing was kept, and the script is not known any more"
    await remote.store.check()


async def test_a_restart_between_two_calls_is_not_noticed(remote: Remote, own_redis: RedisServer) -> None:
    charge = one()
    await remote.charge(charge)
    own_redis.kill()
    own_redis.start()
    assert (await remote.charge(charge))[0].remaining == 99


async def test_while_it_is_stopped_few_calls_wait_and_none_for_long(remote: Remote, own_redis: RedisServer) -> None:
    charge = one(10_000)
    await remote.charge(charge)
    own_redis.signal(signal.SIGSTOP)
    started = time.monotonic()
    told: list[Any] = await asyncio.gather(*(remote.charge(charge) for _ in range(500)), return_exceptions=True)
    assert {type(each) for each in told} == {Unavailable}
    assert time.monotonic() - started < TIMEOUT_SECONDS * 8
    while "for a while" not in (await refused(remote, charge))[0]:
        pass
    reason, seconds = await refused(remote, charge)
    assert "for a while" in reason
    assert seconds < REST_SECONDS / 4, "it did not wait"
    own_redis.signal(signal.SIGCONT)
    left = await until_it_counts(remote, charge)
    assert 10_000 - 1 - 501 - 50 < left < 10_000, "what was sent may have been counted, once"
    assert (await remote.charge(charge))[0].remaining == left - 1
    clients = own_redis.command("CLIENT", "LIST").count(b"name=sternpost-limits")
    assert clients <= TRIPS_MAX + 1


async def test_calls_share_trips_and_connections(remote: Remote, own_redis: RedisServer) -> None:
    charge = one(10_000)
    told = await asyncio.gather(*(remote.charge(charge) for _ in range(5000)))
    assert sorted(verdict.remaining for (verdict,) in told) == list(range(5000, 10_000))
    assert own_redis.command("CLIENT", "LIST").count(b"name=sternpost-limits") <= TRIPS_MAX + 1


async def test_a_busy_event_loop_is_not_taken_for_a_redis_that_is_away(remote: Remote) -> None:
    charge = one()
    await remote.charge(charge)

    def hang() -> None:
        time.sleep(TIMEOUT_SECONDS * 2)  # as a request does that computes for so long

    calls = [asyncio.ensure_future(remote.charge(charge)) for _ in range(5)]
    for turn in range(1, 5):  # before they are sent, and while the answer is on its way
        await asyncio.sleep(0)
        if turn in (1, 4):
            hang()
    assert sorted([(await call)[0].remaining for call in calls]) == [94, 95, 96, 97, 98]


async def test_who_leaves_takes_nothing_from_the_others(remote: Remote) -> None:
    charge = one()
    calls = [asyncio.ensure_future(remote.charge(charge)) for _ in range(10)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    assert len([await call for call in calls[1::2]]) == 5
    assert (await remote.charge(charge))[0].remaining == 89, "what was on its way is counted"


async def test_a_password_is_never_told(own_redis: RedisServer) -> None:
    own_redis.command("CONFIG", "SET", "requirepass", "right-password")
    good = Remote(own_redis.url.replace("redis://", "redis://:right-password@"))
    assert (await good.charge(one()))[0].allowed
    await good.close()
    bad = Remote(own_redis.url.replace("redis://", "redis://somebody:wrong-password@"))
    reason, _ = await refused(bad, one())
    assert "AuthenticationError" in reason
    assert "wrong-password" not in reason
    await bad.close()
    for url in ("redis://:hidden@host:port/0", "http://:hidden@host", "hidden", "redis://:hidden@[::1/0"):
        with pytest.raises(StartupError, match="STERNPOST_REDIS_URL is wrong") as caught:
            RedisStore(url, "shop", time.monotonic)
        assert "hidden" not in str(caught.value)


@pytest.mark.slow
async def test_a_replica_has_what_the_script_wrote(remote: Remote, own_redis: RedisServer) -> None:
    with RedisServer("--replicaof", f"127.0.0.1 {own_redis.port}", "--repl-diskless-sync-delay", "0") as replica:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while b"master_link_status:up" not in replica.command("INFO", "replication"):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        for algorithm in ALGORITHMS:
            await remote.charge(Charge(new_key(), rule(algorithm), 3))
        own_redis.command("WAIT", "1", "5000")
        names = [word for word in own_redis.command("KEYS", "*").split(b"\r\n") if word.startswith(b"sternpost:")]
        assert len(names) == len(ALGORITHMS)
        for name in names:
            assert replica.command("GET", name) == own_redis.command("GET", name)
