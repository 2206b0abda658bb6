"""A guest has so many attempts in a minute, counted by all processes together, and by each alone while Redis is not."""

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from redis import Redis as Client

from domain.database import Database
from domain.errors import DatesUnavailable, InvalidInput, RateLimited
from domain.order.ports import FairUse, NoLimit
from domain.order.pricing import Rules
from domain.order.room import OrderRoom, assemble
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.factories import create_stay, create_stays
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.servers import Redis, require
from workers import fair_use
from workers.fair_use import WINDOW, AttemptsPerMinute, OwnCount, open_fair_use

LIMIT = 10
IMPATIENT = fair_use.PATIENCE
GUEST, SOMEBODY = 7, 8
ROOT = Path(__file__).parents[2]


async def attempt(fair_use: FairUse, times: int, guest: int = GUEST) -> list[int]:
    """Of each attempt, the seconds that the guest is told to wait: 0 where it was admitted."""
    waits = []
    for _ in range(times):
        try:
            await fair_use.admit(guest)
        except RateLimited as refused:
            waits.append(refused.retry_after)
        else:
            waits.append(0)
    return waits


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    with require(Redis().start) as server:
        yield server


@pytest.fixture
async def counting(own_redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AttemptsPerMinute]:
    monkeypatch.setattr(fair_use, "PAUSE", 0.3)
    # A busy machine is no hung Redis.
    monkeypatch.setattr(fair_use, "PATIENCE", 5.0)
    async with open_fair_use(LIMIT, own_redis.url) as opened:
        assert isinstance(opened, AttemptsPerMinute)
        yield opened


def test_a_minute_moves_with_the_attempts_in_it() -> None:
    now = [1000.0]
    count = OwnCount(3, now=lambda: now[0])
    for _ in range(3):
        assert count.hit(GUEST) == 0
        now[0] += 10
    assert count.hit(GUEST) == WINDOW - 30
    assert count.hit(SOMEBODY) == 0
    now[0] += 29.5
    assert count.hit(GUEST) == 0.5
    now[0] += 0.5
    assert [count.hit(GUEST), count.hit(GUEST)] == [0, 10]
    now[0] += 10
    assert [count.hit(GUEST), count.hit(GUEST)] == [0, 10]


def test_guests_who_have_not_come_for_a_minute_are_forgotten() -> None:
    now = [1000.0]
    count = OwnCount(3, now=lambda: now[0])
    for guest in range(100):
        count.hit(guest)
    now[0] += WINDOW - 1
    count.hit(GUEST)
    assert len(count) == 100
    now[0] += 1
    count.hit(SOMEBODY)
    assert len(count) == 2


async def test_without_redis_a_process_counts_by_itself() -> None:
    async with open_fair_use(LIMIT, "") as opened:
        assert await attempt(opened, LIMIT) == [0] * LIMIT
        assert await attempt(opened, 2) == [60, 60]
        assert await attempt(opened, 1, SOMEBODY) == [0]


async def test_no_limit_is_no_limit() -> None:
    async with open_fair_use(0, "") as opened:
        assert isinstance(opened, NoLimit)
        assert await attempt(opened, 1000) == [0] * 1000


async def test_with_redis_the_count_is_kept_there_for_a_minute(counting: AttemptsPerMinute, own_redis: Redis) -> None:
    assert await attempt(counting, LIMIT + 2) == [0] * LIMIT + [60, 60]
    assert await attempt(counting, 1, SOMEBODY) == [0]
    with Client.from_url(own_redis.url) as client:
        keys = client.keys("*")
        assert len(keys) == 2
        assert all(str(key, "utf-8").startswith("homestay.creates:") for key in keys)
        assert all(0 < client.ttl(key) <= WINDOW for key in keys)
        # The oldest attempts were a while ago.
        (key,) = [key for key in keys if client.llen(key) == LIMIT]
        client.delete(key)
        client.rpush(key, *(time.time() - age for age in (1, 2, 3, 4, 5, 6, 7, 8, 9, 49.5)))
    assert await attempt(counting, 1) == [11]
    # Of those that were longer ago, no more are kept than may count.
    with Client.from_url(own_redis.url) as client:
        client.delete(key)
        client.rpush(key, *[time.time() - 2 * WINDOW] * LIMIT)
        assert await attempt(counting, 1) == [0]
        assert client.llen(key) == LIMIT
    assert counting.fallbacks == 0


async def test_processes_count_together(counting: AttemptsPerMinute, own_redis: Redis) -> None:
    def elsewhere(guest: int) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-m", "tests.workers.attempts", own_redis.url, str(LIMIT), str(guest), "8"]
        return subprocess.Popen(  # noqa: S603 -- our own words
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    processes = [elsewhere(GUEST) for _ in range(2)]
    said = [await asyncio.to_thread(process.communicate) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert sum(int(admitted) for admitted, _ in said) == LIMIT
    (wait,) = await attempt(counting, 1)
    assert 0 < wait <= WINDOW


async def test_a_redis_that_hangs_is_not_felt_and_the_limit_holds(
    counting: AttemptsPerMinute, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await attempt(counting, 6) == [0] * 6
    monkeypatch.setattr(fair_use, "PATIENCE", IMPATIENT)
    with structlog.testing.capture_logs() as logs:
        own_redis.pause()
        before = time.perf_counter()
        assert await attempt(counting, 1) == [0]
        felt = time.perf_counter() - before
        waits, each = [], []
        for guest in [GUEST] * 6 + list(range(100, 400)):
            before = time.perf_counter()
            waits += await attempt(counting, 1, guest)
            each.append(time.perf_counter() - before)
        # One in 0.3 s asks whether it is back.
        assert statistics.median(each) < 0.005
        assert felt < fair_use.PATIENCE + 0.25
        assert [bool(wait) for wait in waits] == [False] * 3 + [True] * 3 + [False] * 300
        own_redis.resume()
        monkeypatch.setattr(fair_use, "PATIENCE", 5.0)
        await asyncio.sleep(fair_use.PAUSE + 0.1)
        await attempt(counting, 1, SOMEBODY)
    assert [entry["event"].partition(":")[0] for entry in logs] == [
        "attempts are counted in this process",
        "attempts are counted in Redis again",
    ]
    assert counting.fallbacks == 1


async def test_a_redis_that_is_gone_is_not_felt_and_counts_again_when_it_is_back(
    counting: AttemptsPerMinute, own_redis: Redis
) -> None:
    assert await attempt(counting, LIMIT - 1) == [0] * (LIMIT - 1)
    own_redis.kill()
    before = time.perf_counter()
    assert [bool(wait) for wait in await attempt(counting, 3)] == [False, True, True]
    assert time.perf_counter() - before < 0.5
    own_redis.restart()
    await asyncio.sleep(fair_use.PAUSE + 0.1)
    await attempt(counting, 1, SOMEBODY)
    with Client.from_url(own_redis.url) as client:
        assert len(client.keys("homestay.creates:*")) == 2
    assert counting.fallbacks == 1


async def test_many_at_once_are_counted_together(counting: AttemptsPerMinute) -> None:
    ends = await asyncio.gather(*(attempt(counting, 1) for _ in range(200)))
    assert sorted(bool(wait) for (wait,) in ends) == [False] * LIMIT + [True] * (200 - LIMIT)
    assert counting.fallbacks == 0


async def test_many_at_once_wait_for_a_hung_redis_no_longer_than_one(
    counting: AttemptsPerMinute, own_redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await attempt(counting, 1)
    monkeypatch.setattr(fair_use, "PATIENCE", IMPATIENT)
    own_redis.pause()
    before = time.perf_counter()
    ends = await asyncio.gather(*(attempt(counting, 1, guest) for guest in range(200)))
    # One after the other they would wait for ten seconds.
    assert time.perf_counter() - before < 200 * IMPATIENT / 2
    assert ends == [[0]] * 200
    own_redis.resume()


async def test_a_redis_that_broke_the_connection_while_idle_is_asked_anew_at_once(
    counting: AttemptsPerMinute, own_redis: Redis
) -> None:
    await attempt(counting, 1)
    with Client.from_url(own_redis.url) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    await asyncio.sleep(0.05)
    assert await attempt(counting, 1) == [0]
    assert counting.fallbacks == 0


@pytest.fixture
def limited(database: Database, clock: FrozenClock, travel: FakeTravel) -> OrderRoom:
    return assemble(
        database,
        clock,
        Rules(zone=SHANGHAI, pay_window=PAY_WINDOW),
        travel=travel,
        payments=FakePayments(),
        timer=FakeTimer(),
        fair_use=AttemptsPerMinute(3),
    )


async def test_an_attempt_counts_whatever_comes_of_it(limited: OrderRoom) -> None:
    first, second = create_stays(2)
    await limited.orders.create(SOMEBODY, first)
    for _ in range(2):
        with pytest.raises(DatesUnavailable):
            await limited.orders.create(GUEST, first)
    await limited.orders.create(GUEST, second)
    with pytest.raises(RateLimited) as refused:
        await limited.orders.create(GUEST, create_stays(3)[2])
    assert refused.value.retry_after == 60


async def test_a_repeat_and_what_nobody_could_ask_for_count_for_nothing(limited: OrderRoom, travel: FakeTravel) -> None:
    stay = create_stay()
    for _ in range(5):
        await limited.orders.create(GUEST, stay, key="tap")
        with pytest.raises(InvalidInput):
            await limited.orders.create(GUEST, replace(stay, guests=0))
    for other in create_stays(4)[2:]:
        await limited.orders.create(GUEST, other)
    travel.asked.clear()
    with pytest.raises(RateLimited):
        await limited.orders.create(GUEST, create_stays(5)[4])
    assert travel.asked == []


async def test_a_back_end_service_that_asks_for_guests_is_not_limited(limited: OrderRoom) -> None:
    for stay in create_stays(5):
        await limited.orders.create(GUEST, stay, counted=False)
