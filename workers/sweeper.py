"""The safety net: closes what the messages missed, and returns money that is due.

It touches nothing but the database and the payment service, so it works when the broker does not. Any number may run.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from domain.order.closing import Closing, Outcome

log = structlog.get_logger(__name__)

BATCH: Final = 200
# Closings at once. Each holds one database connection for one short transaction.
AT_ONCE: Final = 5
JITTER: Final = 0.1


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep found and did."""

    overdue: int
    closed: int
    refunds_due: int


class Sweeper:
    """Sweeps at once, then every `interval` seconds.

    Args:
        closing: the use cases.
        interval: seconds between sweeps, with a jitter of 10 % so that many sweepers spread out.
        grace: seconds past the due moment until an order counts as missed: the message comes first.
    """

    name = "sweeper"

    def __init__(self, closing: Closing, *, interval: float, grace: float) -> None:
        self._closing = closing
        self._interval = interval
        self._grace = timedelta(seconds=grace)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Sweeps from now on."""
        self._task = asyncio.create_task(self._run(), name="sweeper")

    async def stop(self) -> None:
        """Stops between two closings; what is under way is committed or not, never half."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        # What fell due while no worker ran has no message coming: the first sweep waits for none.
        grace = timedelta()
        while True:
            try:
                await self.sweep(grace)
                grace = self._grace
            except Exception:
                log.exception("sweep failed")
            await asyncio.sleep(self._interval * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 -- no secret

    async def sweep(self, grace: timedelta = timedelta()) -> Swept:
        """Closes every order that fell due `grace` ago, batch after batch, and tries every refund that is due."""
        overdue = closed = 0
        while True:
            sns = await self._closing.overdue(grace=grace, limit=BATCH)
            outcomes = await _each(self._closing.close_if_unpaid, sns)
            overdue += len(sns)
            closed += outcomes.count(Outcome.CLOSED)
            # A batch in which nothing moved would come again at once; the next sweep tries it.
            if len(sns) < BATCH or not any(isinstance(outcome, Outcome) for outcome in outcomes):
                break
        refunds = await self._closing.refunds_due(BATCH)
        await _each(self._closing.refund, refunds)
        if overdue or refunds:
            log.info("swept", overdue=overdue, closed=closed, refunds_due=len(refunds))
        return Swept(overdue=overdue, closed=closed, refunds_due=len(refunds))


async def _each(work: Callable[[str], Awaitable[Any]], sns: Iterable[str]) -> list[Any]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(sn: str) -> Any:  # noqa: ANN401 -- what the work gives
        async with gate:
            try:
                return await work(sn)
            except Exception as error:  # noqa: BLE001 -- one that fails must not keep the others from their turn
                log.warning("sweep could not do one", sn=sn, error=repr(error))
                return None

    return await asyncio.gather(*(one(sn) for sn in sns))
