"""A Redis that hangs or is gone must not be felt by whoever places an order."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from dramatiq.brokers.stub import StubBroker

from tests.servers import Redis, require
from workers import actors
from workers.sender import Sender
from workers.sorted_set_broker import SortedSetBroker, connect


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    with require(Redis().start) as server:
        yield server


async def worst_lag(seconds: float) -> float:
    """The longest that the loop kept a task waiting beyond its time."""
    worst, end = 0.0, time.perf_counter() + seconds
    while (before := time.perf_counter()) < end:
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - before - 0.001)
    return worst


@pytest.mark.parametrize("state", ["hangs", "gone"])
async def test_the_loop_and_the_callers_go_on(redis_server: Redis, state: str) -> None:
    assert isinstance(actors.broker, StubBroker)  # the messages' own broker is not the one they go to here
    broker = SortedSetBroker(client=connect(redis_server.url), middleware=[])
    sender = Sender(broker)
    await sender.start()
    sender.close_unpaid("HSO0", after=1200)
    await asyncio.sleep(0.2)
    assert broker.delayed("order.closing") == 1

    (redis_server.pause if state == "hangs" else redis_server.kill)()
    probe = asyncio.create_task(worst_lag(1.5))
    slowest = 0.0
    for number in range(300):
        before = time.perf_counter()
        sender.close_unpaid(f"HSO{number}", after=1200)
        slowest = max(slowest, time.perf_counter() - before)
        await asyncio.sleep(0.004)
    lag = await probe
    (redis_server.resume if state == "hangs" else redis_server.restart)()
    await sender.stop()
    # A blocked call would hold both for the two seconds of its timeout; the rest is what a busy machine does.
    assert slowest < 0.25, f"a caller waited {slowest:.3f} s"
    assert lag < 0.25, f"the loop stood still for {lag:.3f} s"
    broker.client.close()
