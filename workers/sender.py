"""Sets the timers that close orders: off the caller's path, bounded, and allowed to fail.

A timer only makes sooner what the tables make sure. So a broker that hangs or is away costs a dropped message, never a
request. What must not be lost goes by the outbox instead.
"""

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import dramatiq
import structlog

from domain import tracing
from workers import actors, figures
from workers import broker as brokers

log = structlog.get_logger(__name__)

CAPACITY: Final = 10_000
# Messages in one round trip to the broker.
BATCH: Final = 500
# Seconds that the first message of a batch waits for others. A timer runs for minutes, and a trip costs as much as many
# messages; one that is lost with its process meanwhile is what the sweep is there for.
COMPANY: Final = 0.1
# Seconds that a stop waits for what is still to be sent.
FLUSH: Final = 2.0
# Seconds after the due moment: the database's clock and the broker's differ by a little, and a message that comes
# early has come for nothing.
MARGIN: Final = 0.05


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A timer to be set.

    Attributes:
        sn: the order's.
        due: when, on the clock that never goes back.
        message: its message; None where that is made when it is sent.
    """

    sn: str
    due: float
    message: dramatiq.Message[Any] | None

    def sent(self, now: float) -> tuple[dramatiq.Message[Any], int]:
        """The message, and the milliseconds that it still has to wait."""
        return self.message or actors.close_unpaid_message(self.sn), max(0, round((self.due - now) * 1000))


class Sender:
    """Sends messages from one background task; `domain.order.ports.CloseTimer`."""

    name = "sender"

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._broker = broker
        self._outgoing: deque[_Outgoing] = deque()
        self._filled = asyncio.Event()
        self._stopping = asyncio.Event()
        # dramatiq's brokers block: a broker that hangs must hang here, not on the loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sender")
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def close_unpaid(self, sn: str, *, after: float) -> None:
        """Asks for an attempt to close the order in `after` seconds."""
        if len(self._outgoing) >= CAPACITY:
            self._drop("too many are waiting")
            return
        # Who sends it is known here alone. Else the thread makes it: the request has other things to wait for.
        message = actors.close_unpaid_message(sn) if tracing.is_on() else None
        self._outgoing.append(_Outgoing(sn, time.monotonic() + after + MARGIN, message))
        self._filled.set()

    async def start(self) -> None:
        """Sends from now on."""
        self._task = asyncio.create_task(self._run(), name="sender")

    async def stop(self) -> None:
        """Sends what is waiting, if that goes quickly."""
        if self._task is None:
            return
        self._stopping.set()
        self._filled.set()
        await asyncio.wait({self._task}, timeout=FLUSH)
        if not self._task.done():
            log.warning("messages not sent before the stop", count=len(self._outgoing))
            self._task.cancel()
            await asyncio.wait({self._task})
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while self._outgoing or not self._stopping.is_set():
            await self._filled.wait()
            if len(self._outgoing) < BATCH:
                await self._company()
            batch = [self._outgoing.popleft() for _ in range(min(BATCH, len(self._outgoing)))]
            if not self._outgoing and not self._stopping.is_set():
                self._filled.clear()
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._send, batch)
            except Exception as error:  # noqa: BLE001 -- whatever the broker's client raises, the next batch is sent
                self._drop(repr(error), len(batch))

    async def _company(self) -> None:
        """Waits for others to go along; not while stopping."""
        try:
            async with asyncio.timeout(COMPANY):
                await self._stopping.wait()
        except TimeoutError:
            pass

    def _send(self, batch: list[_Outgoing]) -> None:
        now = time.monotonic()
        brokers.send(self._broker, [outgoing.sent(now) for outgoing in batch])

    def _drop(self, reason: str, count: int = 1) -> None:
        self.dropped += count
        figures.DROPPED.inc(count)
        log.warning("messages dropped; the sweep covers them", reason=reason, count=count)
