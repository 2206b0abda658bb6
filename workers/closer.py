"""Closes together what falls due together.

A message names one order. When many fall due at once, closing each alone would be a question, a transaction and a flush
of the disk for each. So those that come while one batch is being closed wait, and are the next batch.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from domain import tracing
from domain.order.closing import Outcome
from workers import figures

BATCH: Final = 200


class CloseMany(Protocol):
    """`domain.order.closing.Closing`, as far as it is needed here."""

    async def close_many(self, sns: Sequence[str]) -> dict[str, Outcome]:
        """Closes the orders whose time to pay is over, unless money has come."""
        ...


class Closer:
    """`Closing.close_if_unpaid` for many callers at once, on one loop."""

    def __init__(self, closing: CloseMany) -> None:
        self._closing = closing
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        # The steps of those who wait, where traces are kept.
        self._steps: dict[str, str] = {}
        self._working: asyncio.Task[None] | None = None

    async def close_if_unpaid(self, sn: str) -> Outcome:
        """Closes an order whose time to pay is over, unless money has come."""
        answer = self._waiting.get(sn)
        if answer is None:
            answer = self._waiting[sn] = asyncio.get_running_loop().create_future()
            if step := tracing.traceparent():
                self._steps[sn] = step
            if self._working is None:
                self._working = asyncio.create_task(self._work(), name="closer")
        # Others may wait for the same answer: one who stops waiting does not take it from them.
        return await asyncio.shield(answer)

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = dict(list(self._waiting.items())[:BATCH])
                for sn in batch:
                    del self._waiting[sn]
                await self._close(batch)
        finally:
            self._working = None

    async def _close(self, batch: dict[str, asyncio.Future[Outcome]]) -> None:
        # Part of the trace of the first who waits, linked to those of the others.
        steps = [link for sn in batch for link in tracing.kept(self._steps.pop(sn, ""))]
        first, *others = steps or [{}]
        about = {"homestay.orders": len(batch)}
        try:
            with tracing.span("close orders", attributes=about, parent=first, links=others):
                outcomes = await self._closing.close_many(list(batch))
        except Exception as error:  # noqa: BLE001 -- each who waits is told, and tries again by its own rule
            for answer in batch.values():
                answer.set_exception(error)
                answer.exception()  # whoever asked may have gone; then nobody misses it
        else:
            figures.MESSAGE.inc(figures.closed([*outcomes.values()]))
            for sn, answer in batch.items():
                answer.set_result(outcomes[sn])
