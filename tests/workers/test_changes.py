"""The news that an order has changed goes from process to process by Redis, and nobody waits for them."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from domain.order.watches import LocalChanges
from tests.servers import Redis, free_port, require
from workers import changes as room
from workers.changes import LOCAL, SharedChanges, open_changes, open_redis

SN = "HSO20260520120000ABCDEFGH"


@pytest.fixture
def own_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    monkeypatch.setattr(room, "PAUSE", 0.1)
    with require(Redis().start) as server:
        yield server


@asynccontextmanager
async def sharing(url: str) -> AsyncIterator[tuple[SharedChanges, LocalChanges]]:
    """A process of its own, as far as changes go."""
    local = LocalChanges()
    async with open_redis(url) as client:
        changes = SharedChanges(client, local)
        try:
            yield changes, local
        finally:
            await changes.close()


async def woken(local: LocalChanges, teller: SharedChanges, hearer: SharedChanges) -> None:
    """Waits until what one tells reaches the other."""

    async def hears() -> bool:
        teller.tell([SN])
        try:
            async with asyncio.timeout(0.5):
                await watch.changed()
        except TimeoutError:
            return False
        return True

    with hearer.watch(SN), local.watch(SN) as watch:
        async with asyncio.timeout(30):
            # Whoever begins to listen is woken once by that alone, so it takes two in a row.
            while not (await hears() and await hears()):
                pass


async def test_a_change_in_one_process_wakes_followers_in_another(own_redis: Redis) -> None:
    async with sharing(own_redis.url) as (teller, _), sharing(own_redis.url) as (hearer, there):
        with hearer.watch(SN), there.watch(SN) as watch:
            async with asyncio.timeout(10):
                await watch.changed()
                teller.tell([SN])
                await watch.changed()
                # Many are told of in few messages.
                teller.tell([*(f"{SN}{number}" for number in range(2 * room.BATCH)), SN])
                await watch.changed()
        assert teller.dropped == 0


async def test_in_its_own_process_a_change_needs_no_redis() -> None:
    async with sharing(f"redis://127.0.0.1:{free_port()}") as (changes, local):
        with local.watch(SN) as watch:
            changes.tell([SN])
            async with asyncio.timeout(30):
                await watch.changed()
    async with open_changes("") as alone:
        assert alone is LOCAL


async def test_nobody_waits_for_a_redis_that_hangs(own_redis: Redis) -> None:
    async with sharing(own_redis.url) as (changes, _):
        own_redis.pause()
        started = time.monotonic()
        for number in range(1000):
            changes.tell([f"{SN}{number}"])
            await asyncio.sleep(0)
        # Each that waited for Redis would do so for a second.
        assert time.monotonic() - started < 30
        changes.tell([str(number) for number in range(room.CAPACITY)])
        assert changes.dropped >= room.CAPACITY
        own_redis.resume()


async def test_news_flow_again_when_redis_is_back(own_redis: Redis) -> None:
    async with sharing(own_redis.url) as (teller, _), sharing(own_redis.url) as (hearer, there):
        await woken(there, teller, hearer)
        own_redis.kill()
        teller.tell([SN])
        await asyncio.sleep(0.3)
        own_redis.restart()
        await woken(there, teller, hearer)
