"""Closes together what falls due together.

A message names one order. When many fall due at once, closing each alone would be a question, a transaction and a flush
of the disk for each. So those that come while one batch is being closed wait, and are the next batch. And since no more
can wait than there are threads, those whose messages lie here and have not run yet go along: their messages find the
answer when they run. Where the broker has messages run as one, their orders come here together and stay together.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from domain import tracing
from domain.order.closing import Outcome
from workers import figures

BATCH: Final = 200
# Batches at once, where each is full: while one waits for the disk or the payment service, another has work.
AT_ONCE: Final = 3

Answer = asyncio.Future[Outcome]


class _Asked(NamedTuple):
    """Orders that came together."""

    sns: Sequence[str]
    answer: asyncio.Future[Mapping[str, Outcome]]


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
        self._together: deque[_Asked] = deque()
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

    async def close_all(self, sns: Sequence[str]) -> Mapping[str, Outcome]:
        """Closes orders of which each is as one of `close_if_unpaid`. Of more than `BATCH`, make several calls.

        Returns:
            What came of each of them, and maybe of others.
        """
        asked = _Asked(sns, asyncio.get_running_loop().create_future())
        self._together.append(asked)
        if step := tracing.traceparent():
            self._steps[sns[0]] = step
        self._work_on()
        return await asyncio.shield(asked.answer)

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
        self._work_on()
        return answer

    def _work_on(self) -> None:
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name="closer")

    async def _work(self) -> None:
        running: set[asyncio.Task[None]] = set()
        try:
            while self._together or self._waiting or running:
                full = False
                if self._together or self._waiting:
                    asked, alone = self._next()
                    # What came together stays together: some may wait where there is still room for fewer.
                    full = bool(self._together) or _size(asked) + len(alone) >= BATCH
                    running.add(asyncio.create_task(self._close(asked, alone), name="closer's batch"))
                if not full or len(running) == AT_ONCE:
                    _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._working = None

    def _next(self) -> tuple[list[_Asked], list[str]]:
        """The next orders to be closed: those who wait first, then those that go along."""
        asked: list[_Asked] = []
        room = BATCH
        while self._together and (not asked or len(self._together[0].sns) <= room):
            asked.append(self._together.popleft())
            room -= len(asked[-1].sns)
        alone = list(self._waiting)[: max(0, room)]
        self._going.update((sn, self._waiting.pop(sn)) for sn in alone)
        if len(alone) < room:
            for sn in self._coming():
                if len(alone) < room and not (sn in self._going or sn in self._answers):
                    alone.append(sn)
                    self._going[sn] = None
        return asked, alone

    async def _close(self, asked: Sequence[_Asked], alone: Sequence[str]) -> None:
        # One may be among both, where its message came twice.
        batch = list(dict.fromkeys([*(sn for each in asked for sn in each.sns), *alone]))
        # Part of the trace of the first who waits, linked to those of the others.
        steps = [link for sn in batch for link in tracing.kept(self._steps.pop(sn, ""))]
        first, *others = steps or [{}]
        about = {"homestay.orders": len(batch)}
        try:
            with tracing.span("close orders", attributes=about, parent=first, links=others):
                outcomes = await self._closing.close_many(batch)
        except Exception as error:  # noqa: BLE001 -- each who waits is told, and tries again by its own rule
            for answer in [*(each.answer for each in asked), *self._gone(alone).values()]:
                if answer is not None:
                    answer.set_exception(error)
                    answer.exception()  # whoever asked may have gone; then nobody misses it
        else:
            figures.MESSAGE.inc(figures.closed([*outcomes.values()]))
            for each in asked:
                each.answer.set_result(outcomes)
            for sn, one in self._gone(alone).items():
                if one is None:
                    self._answers[sn] = outcomes[sn]
                else:
                    one.set_result(outcomes[sn])

    def _gone(self, sns: Iterable[str]) -> dict[str, Answer | None]:
        return {sn: self._going.pop(sn) for sn in sns}


def _size(asked: Iterable[_Asked]) -> int:
    return sum(len(each.sns) for each in asked)
