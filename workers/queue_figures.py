"""Figures of the broker's queues, asked for when somebody scrapes: the same from every process of an installation."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import dramatiq
import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from workers.queue_depths import BrokerAway, Depth, depths

log = structlog.get_logger(__name__)

# Seconds. What the database is given, too; the two are asked at once.
ASKED_WITHIN: Final = 2.0

UP: Final = "homestay_broker_up"
MESSAGES: Final = "homestay_queue_messages"
OLDEST: Final = "homestay_queue_oldest_seconds"
DEAD: Final = "homestay_dead_messages"
# By name, what each tells and what it is told by. There are two queues, and three states.
HELP: Final = {
    UP: "1 while the broker can be asked, else 0 and the figures of its queues are missing.",
    MESSAGES: "Messages that may run now (ready), wait for their time (delayed) or are held by workers (taken).",
    OLDEST: "Since the first of a queue's messages that may run was sent; 0 where there is none.",
    DEAD: "Messages of a queue that failed for good.",
}
LABELS: Final = {UP: (), MESSAGES: ("queue", "state"), OLDEST: ("queue",), DEAD: ("queue",)}


class QueueFigures:
    """Asks a broker how full its queues are.

    Args:
        broker: the one of this process.
    """

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker
        # One thread, and none of the loop's own: a broker that hangs keeps only those who ask for it waiting.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="queue figures")

    async def gather(self) -> list[Metric]:
        """Every figure that the broker has an answer for, in time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ASKED_WITHIN):
                found = await loop.run_in_executor(self._thread, depths, self._broker)
        except (BrokerAway, TimeoutError) as error:
            log.warning("queues not counted: the broker can't be asked", reason=repr(error))
            return [GaugeMetricFamily(UP, HELP[UP], value=0)]
        return [GaugeMetricFamily(UP, HELP[UP], value=1), *_families(found or [])]


def _families(found: list[Depth]) -> Iterator[Metric]:
    messages, oldest, dead = (
        GaugeMetricFamily(name, HELP[name], labels=LABELS[name]) for name in (MESSAGES, OLDEST, DEAD)
    )
    for depth in found:
        for state in ("ready", "delayed", "taken"):
            count = getattr(depth, state)
            if count is not None:
                messages.add_metric([depth.queue, state], count)
        if depth.age is not None or not depth.ready:
            oldest.add_metric([depth.queue], depth.age.total_seconds() if depth.age is not None else 0)
        if depth.dead is not None:
            dead.add_metric([depth.queue], depth.dead)
    yield from (messages, oldest, dead)
