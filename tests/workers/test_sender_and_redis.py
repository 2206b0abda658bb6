"""A Redis that hangs or is gone must not be felt by whoever places an order.

Not judged by a clock, since a busy machine keeps anybody waiting: what counts is on whose thread Redis is waited for,
and that the loop goes on meanwhile.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dramatiq
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


class WatchedBroker(SortedSetBroker):
    """Remembers of each call who waited for Redis, and how often the loop came round meanwhile."""

    def __init__(self, url: str, rounds: Callable[[], int]) -> None:
        super().__init__(client=connect(url), middleware=[])
        self._rounds = rounds
        self.callers: set[threading.Thread] = set()
        self.rounds_in_failures: list[int] = []

    def enqueue_many(self, messages: Sequence[tuple[dramatiq.Message[Any], int | None]]) -> list[dramatiq.Message[Any]]:
        self.callers.add(threading.current_thread())
        before = self._rounds()
        try:
            return super().enqueue_many(messages)
        except Exception:
            self.rounds_in_failures.append(self._rounds() - before)
            raise


class Rounds:
    """Counts how often the loop comes round."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            self.count += 1


async def wait_until(done: Callable[[], bool]) -> None:
    """Waits for what must happen, however busy the machine is."""
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("state", ["hangs", "gone"])
async def test_the_loop_and_the_callers_go_on(redis_server: Redis, state: str) -> None:
    assert isinstance(actors.broker, StubBroker)  # the messages' own broker is not the one they go to here
    rounds = Rounds()
    counting = asyncio.create_task(rounds.run())
    broker = WatchedBroker(redis_server.url, lambda: rounds.count)
    sender = Sender(broker)
    await sender.start()
    sender.close_unpaid("HSO0", after=1200)
    await wait_until(lambda: bool(broker.callers))
    await wait_until(lambda: broker.delayed("order.closing") == 1)

    (redis_server.pause if state == "hangs" else redis_server.kill)()
    for number in range(300):
        sender.close_unpaid(f"HSO{number}", after=1200)
        await asyncio.sleep(0.004)
    await wait_until(lambda: len(broker.rounds_in_failures) > 1)
    (redis_server.resume if state == "hangs" else redis_server.restart)()
    await sender.stop()
    counting.cancel()
    # Whoever waits for Redis is no thread of the loop, and the loop does not wait for that thread.
    assert threading.current_thread() not in broker.callers
    assert max(broker.rounds_in_failures) > 0
    broker.client.close()
