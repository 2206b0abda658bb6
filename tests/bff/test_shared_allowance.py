"""An allowance that several processes share."""

import asyncio
import timeit
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from bff.limits.allowance import Allowance
from bff.limits.shared_allowance import BATCH, SharedAllowance, open_allowance
from tests.bff.client import ANN, BOB
from tests.servers import Redis, free_port, require
from workers.changes import open_redis

PER_MINUTE = 6000


@pytest.fixture
def server() -> Iterator[Redis]:
    with require(Redis().start) as server:
        yield server


@pytest.fixture
async def pair(server: Redis) -> AsyncIterator[tuple[SharedAllowance, SharedAllowance]]:
    """Two processes' allowances, each with a connection of its own."""
    async with AsyncExitStack() as stack:
        one, other = [
            SharedAllowance(PER_MINUTE, await stack.enter_async_context(open_redis(server.url))) for _ in range(2)
        ]
        yield one, other


async def test_what_was_spent_elsewhere_is_learned(pair: tuple[SharedAllowance, SharedAllowance]) -> None:
    one, other = pair
    assert one.spend(ANN, 4000) == 0
    await one.tell()
    # Nothing is known of it until something is spent here, and told.
    assert other.spend(ANN, 1000) == 0
    await other.tell()
    assert other.left(ANN) == pytest.approx(1000, abs=150)
    assert other.spend(ANN, 2000) > 0
    assert other.left(BOB) == PER_MINUTE
    assert one.left(ANN) >= 2000
    one.spend(ANN, 1)
    await one.tell()
    assert one.left(ANN) == pytest.approx(1000, abs=150)


async def test_who_empties_every_bucket_at_once_pays_it_back(pair: tuple[SharedAllowance, SharedAllowance]) -> None:
    for each in pair:
        assert each.spend(ANN, PER_MINUTE) == 0
    for each in pair:
        await each.tell()
    assert pair[1].spend(ANN, 1) == pytest.approx(61, abs=2)


async def test_what_is_spent_while_others_are_told_counts(pair: tuple[SharedAllowance, SharedAllowance]) -> None:
    one, _ = pair
    one.spend(ANN, 1000)
    telling = asyncio.create_task(one.tell())
    await asyncio.sleep(0)
    one.spend(ANN, 2000)
    await telling
    assert one.left(ANN) == pytest.approx(3000, abs=150)
    await one.tell()
    assert one.left(ANN) == pytest.approx(3000, abs=150)


async def test_more_guests_than_one_question_holds_are_told(pair: tuple[SharedAllowance, SharedAllowance]) -> None:
    one, other = pair
    for allowance in pair:
        for guest in range(BATCH + 10):
            allowance.spend(guest, 1000)
        await allowance.tell()
    assert {other.left(guest) < 4500 for guest in range(BATCH + 10)} == {True}
    assert one._untold == {}


async def test_keys_go_when_the_bucket_is_full(server: Redis, pair: tuple[SharedAllowance, SharedAllowance]) -> None:
    # A sixth of a minute's.
    pair[0].spend(ANN, PER_MINUTE // 6)
    await pair[0].tell()
    async with open_redis(server.url) as redis:
        (key,) = await redis.keys()
        assert 0 < await redis.pttl(key) <= 10_002


async def test_a_redis_that_is_away_leaves_each_to_itself_and_is_used_again(
    server: Redis, pair: tuple[SharedAllowance, SharedAllowance]
) -> None:
    one, _ = pair
    server.kill()
    with capture_logs() as logs:
        for _ in range(3):
            assert one.spend(ANN, 1000) == 0
            await one.tell()
        assert one.left(ANN) == pytest.approx(3000, abs=300)
        server.start()
        one.spend(ANN, 1)
        await one.tell()
    assert [each["log_level"] for each in logs] == ["warning", "info"]


async def test_it_runs_by_itself_and_ends(server: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bff.limits.shared_allowance.EVERY", 0.05)
    async with open_allowance(PER_MINUTE, server.url) as one, open_allowance(PER_MINUTE, server.url) as other:
        one.spend(ANN, 3000)
        await asyncio.sleep(0.3)
        other.spend(ANN, 1000)
        await asyncio.sleep(0.3)
        assert other.left(ANN) == pytest.approx(2000, abs=400)
    assert [task.get_name() for task in asyncio.all_tasks() if "allowances" in task.get_name()] == []


async def test_where_there_is_no_limit_or_no_redis_nobody_is_told() -> None:
    async with open_allowance(0, f"redis://127.0.0.1:{free_port()}") as none, open_allowance(10, "") as own:
        assert (type(none), type(own)) == (Allowance, Allowance)


async def test_a_request_does_not_feel_it(pair: tuple[SharedAllowance, SharedAllowance], figures: list[str]) -> None:
    shared, own = pair[0], Allowance(10**9)
    shared.per_minute = 10**9
    took = {
        name: min(timeit.repeat(lambda each=each: each.spend(ANN, 10), number=20_000, repeat=3)) / 20_000  # type: ignore[misc]
        for name, each in (("own", own), ("shared", shared))
    }
    loop = asyncio.get_running_loop()
    started = loop.time()
    for _ in range(100):
        shared.spend(ANN, 10)
        await shared.tell()
    trip = (loop.time() - started) / 100
    figures.append(
        f"an allowance spent: {took['own'] * 1e6:.2f} µs here alone, {took['shared'] * 1e6:.2f} µs shared; "
        f"by a question to Redis each time it would be {trip * 1e6:.0f} µs more"
    )
    assert took["shared"] < took["own"] + 10e-6
