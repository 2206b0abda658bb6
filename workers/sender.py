"""Sets the timers that close orders: off the caller's path, bounded, and allowed to fail.

A timer only makes sooner what the tables make sure. So a broker that hangs or is away costs a dropped message, never a
request. What must not be lost goes by the outbox instead.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import dramatiq
import structlog

from workers import actors, figures
from workers import broker as brokers

log = structlog.get_logger(__name__)

CAPACITY: Final = 10_000
# Messages in one round trip to the broker.
BATCH: Final = 500
# Seconds that the first message of a batch waits for others. A timer runs for minutes, and a trip costs as much as many
# messages; one that is lost with its process meanwhile is what the sweep is there for.
COMPANY: Final = 0.02
# Seconds that a stop waits for what is still to be sent.
FLUSH: Final = 2.0
# Seconds after the due moment: the database's clock and the broker's differ by a little, and a message that comes
# early has come for nothing.
MARGIN: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Outgoing:
    message: dramatiq.Message[Any]
    due: float

    def delay(self, now: float) -> int:
        """Milliseconds that it still has to wait."""
        return max(0, round((self.due - now) * 1000))


class Sender:
    """Sends messages from one background task; `domain.order.ports.CloseTimer`."""

    name = "sender"

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker
        self._outgoing: asyncio.Queue[_Outgoing] = asyncio.Queue(CAPACITY)
        # dramatiq's brokers block: a broker that hangs must hang here, not on the loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sender")
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def close_unpaid(self, sn: str, *, after: float) -> None:
        """Asks for an attempt to close the order in `after` seconds."""
        self._offer(_Outgoing(actors.close_unpaid_message(sn), due=time.monotonic() + after + MARGIN))

    async def start(self) -> None:
        """Sends from now on."""
        self._task = asyncio.create_task(self._run(), name="sender")

    async def stop(self) -> None:
        """Sends what is waiting, if that goes quickly."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(FLUSH):
                await self._outgoing.join()
        except TimeoutError:
            log.warning("messages not sent before the stop", count=self._outgoing.qsize())
        self._task.cancel()
        await asyncio.wait({self._task})
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _offer(self, outgoing: _Outgoing) -> None:
        try:
            self._outgoing.put_nowait(outgoing)
        except asyncio.QueueFull:
            self._drop("too many are waiting")

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._outgoing.get()]
            if self._outgoing.qsize() < BATCH - 1:
                await asyncio.sleep(COMPANY)
            while len(batch) < BATCH and not self._outgoing.empty():
                batch.append(self._outgoing.get_nowait())
            try:
                await loop.run_in_executor(self._thread, self._send, batch)
            except Exception as error:  # noqa: BLE001 -- whatever the broker's client raises, the next batch is sent
                self._drop(repr(error), len(batch))
            finally:
                for _ in batch:
                    self._outgoing.task_done()

    def _send(self, batch: list[_Outgoing]) -> None:
        now = time.monotonic()
        brokers.send(self._broker, [(outgoing.message, outgoing.delay(now)) for outgoing in batch])

    def _drop(self, reason: str, count: int = 1) -> None:
        self.dropped += count
        figures.DROPPED.inc(count)
        log.warning("messages dropped; the sweep covers them", reason=reason, count=count)
