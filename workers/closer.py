"""Closes together what falls due together.

A message names one order. When many fall due at once, closing each alone would be a question, a transaction and a flush
of the disk for each. So those that come while one batch is being closed wait, and are the next batch. And since no more
can wait than there are threads, those whose messages lie here and have not run yet go along: their messages find the
answer when they run.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from domain import tracing
from domain.order.closing import Outcome
from workers import figures

BATCH: Final = 200
# Batches at once, where each is full: while one waits for the disk or the payment service, another has work.
AT_ONCE: Final = 3

Answer = asyncio.Future[Outcome]


class CloseMany(Protocol):
    """`domain.order.closing.Closing`, as far as it is needed here."""

    async def close_many(self, sns: Sequence[str]) -> dict[str, Outcome]:
        """Closes the orders whose time to pay is over, unless money has come."""
        ...


class Closer:
    """`Closing.close_if_unpaid` for many callers at once, on one loop.

    Args:
        closing: the use case.
        coming: the sn's of orders for which this will be called soon, in this process and nowhere else.
    """

    def __init__(self, closing: CloseMany, coming: Callable[[], Iterable[str]] = tuple) -> None:
        self._closing = closing
        self._coming = coming
        self._waiting: dict[str, Answer] = {}
        # Being closed; None for one that went along, until somebody asks.
        self._going: dict[str, Answer | None] = {}
        # Of those that went along: what came of them, until somebody asks.
        self._answers: dict[str, Outcome] = {}
        # The steps of those who wait, where traces are kept.
        self._steps: dict[str, str] = {}
        self._working: asyncio.Task[None] | None = None

    def answer(self, sn: str) -> Outcome | None:
        """What came of an order that went along with others, told once; None where it did not. From any thread."""
        return self._answers.pop(sn, None)

    async def close_if_unpaid(self, sn: str) -> Outcome:
        """Closes an order whose time to pay is over, unless money has come."""
        if (known := self.answer(sn)) is not None:
            return known
        # Others may wait for the same answer: one who stops waiting does not take it from them.
        return await asyncio.shield(self._asked(sn))

    def _asked(self, sn: str) -> Answer:
        answer = self._waiting.get(sn) or self._going.get(sn)
        if answer is not None:
            return answer
        answer = asyncio.get_running_loop().create_future()
        if sn in self._going:
            self._going[sn] = answer
            return answer
        self._waiting[sn] = answer
        if step := tracing.traceparent():
            self._steps[sn] = step
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="closer")
        return answer

    async def _work(self) -> None:
        running: set[asyncio.Task[None]] = set()
        try:
            while self._waiting or running:
                full = False
                if self._waiting:
                    batch = self._next()
                    full = len(batch) == BATCH
                    running.add(asyncio.create_task(self._close(batch), name="closer's batch"))
                if not full or len(running) == AT_ONCE:
                    _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._working = None

    def _next(self) -> list[str]:
        """The next orders to be closed: those who wait first, then those that go along."""
        batch = list(self._waiting)[:BATCH]
        self._going.update((sn, self._waiting.pop(sn)) for sn in batch)
        if len(batch) < BATCH:
            for sn in self._coming():
                if len(batch) < BATCH and not (sn in self._going or sn in self._answers):
                    batch.append(sn)
                    self._going[sn] = None
        return batch

    async def _close(self, batch: list[str]) -> None:
        # Part of the trace of the first who waits, linked to those of the others.
        steps = [link for sn in batch for link in tracing.kept(self._steps.pop(sn, ""))]
        first, *others = steps or [{}]
        about = {"homestay.orders": len(batch)}
        try:
            with tracing.span("close orders", attributes=about, parent=first, links=others):
                outcomes = await self._closing.close_many(batch)
        except Exception as error:  # noqa: BLE001 -- each who waits is told, and tries again by its own rule
            for answer in self._gone(batch).values():
                if answer is not None:
                    answer.set_exception(error)
                    answer.exception()  # whoever asked may have gone; then nobody misses it
        else:
            figures.MESSAGE.inc(figures.closed([*outcomes.values()]))
            for sn, answer in self._gone(batch).items():
                if answer is None:
                    self._answers[sn] = outcomes[sn]
                else:
                    answer.set_result(outcomes[sn])

    def _gone(self, batch: list[str]) -> dict[str, Answer | None]:
        return {sn: self._going.pop(sn) for sn in batch}
