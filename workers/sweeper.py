"""The safety net: closes what the messages missed.

It touches nothing but the database and the payment service, so it works when the broker does not. Any number may run.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from domain import tracing
from domain.errors import Failure
from domain.order.closing import Closing, Outcome
from workers import figures

log = structlog.get_logger(__name__)

# Orders closed together: one question to the payment service and one transaction.
BATCH: Final = 200
# Batches at once. Each holds one database connection for one short transaction; actors want some too.
AT_ONCE: Final = 4
# Orders looked for at once, the longest overdue: what is closed in a second or two.
LOOK: Final = 40 * BATCH
JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found and did."""

    overdue: int
    closed: int


class Sweeper:
    """Sweeps at once, then every `interval` seconds.

    Args:
        closing: the use cases.
        interval: seconds between the starts of two sweeps, with a jitter of 10 % so that many sweepers spread out.
        grace: seconds past the due moment at which an order's closing begins at the latest. The message comes first;
            what would be later than this at the next sweep is closed in this one.

    Attributes:
        ended_at: when a sweep last ended, or when this was made, by the monotonic clock.
        moved_at: when it last got on, by the same clock: a batch was done, a sweep ended, or one failed. What waits for
            an answer that never comes does not get on, and only a restart brings it back.
    """

    name = "sweeper"

    def __init__(self, closing: Closing, *, interval: float, grace: float) -> None:
        self._closing = closing
        self.interval = interval
        self._grace = grace
        self._task: asyncio.Task[None] | None = None
        self.ended_at = self.moved_at = time.monotonic()

    async def start(self) -> None:
        """Sweeps from now on."""
        self._task = asyncio.create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """Stops between two batches; what is under way is committed or not, never half."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        # What fell due while no worker ran has no message coming: the first sweep waits for none.
        grace, loop = 0.0, asyncio.get_running_loop()
        while True:
            pause = self.interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 -- no secret
            next_at = loop.time() + pause
            try:
                await self.sweep(timedelta(seconds=grace))
                grace = max(0.0, self._grace - self.interval * (1 + JITTER))
            except Failure as error:
                log.warning("can't sweep", reason=error.reason)
            except Exception:
                log.exception("sweep failed")
            self.moved_at = time.monotonic()
            await asyncio.sleep(max(0.0, next_at - loop.time()))

    async def sweep(self, grace: timedelta = timedelta(), *, watch: Callable[[Swept], None] | None = None) -> Swept:
        """Closes every order that fell due `grace` ago, batch after batch, several at once.

        Args:
            grace: how long ago.
            watch: is told after each batch how far it is.
        """
        overdue = closed = 0

        def done(batch: list[str], ended: list[Outcome]) -> None:
            nonlocal overdue, closed
            overdue += len(batch)
            closed += figures.closed(ended)
            if watch is not None:
                watch(Swept(overdue=overdue, closed=closed))

        while True:
            sns = await self._closing.overdue(grace=grace, limit=LOOK)
            batches = [sns[start : start + BATCH] for start in range(0, len(sns), BATCH)]
            # Messages and other sweeps begin with the longest overdue, too: who closes them in the same order is in
            # their way at every step.
            random.shuffle(batches)
            left = iter(batches)
            decided = await asyncio.gather(*(self._close_in_turn(left, done) for _ in range(AT_ONCE)))
            # Orders of which none could be decided would come again at once; the next sweep tries them.
            if len(sns) < LOOK or not any(decided):
                break
        self.ended_at = time.monotonic()
        figures.LAST_SWEEP.set_to_current_time()
        if overdue:
            log.info("swept", overdue=overdue, closed=closed)
        return Swept(overdue=overdue, closed=closed)

    async def _close_in_turn(
        self, batches: Iterator[list[str]], done: Callable[[list[str], list[Outcome]], None]
    ) -> int:
        """Closes batches until none is left; returns how many orders were decided."""
        decided = 0
        for batch in batches:
            ended = await self._close(batch)
            figures.SWEEP.inc(figures.closed(ended))
            done(batch, ended)
            decided += len(ended)
        return decided

    async def _close(self, sns: list[str]) -> list[Outcome]:
        try:
            with tracing.span("sweep orders", attributes={"homestay.orders": len(sns)}, parent={}):
                return list((await self._closing.close_many(sns)).values())
        except Failure as error:
            log.warning("could not close", orders=len(sns), first=sns[0], reason=error.reason)
            return []
        except Exception:
            if len(sns) == 1:
                log.exception("could not close", sn=sns[0])
                return []
            # One that can't be closed must not keep the others from it.
            return [outcome for sn in sns for outcome in await self._close([sn])]
        finally:
            self.moved_at = time.monotonic()
