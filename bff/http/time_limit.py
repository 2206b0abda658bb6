"""How long an answer may take to be made: `asyncio.timeout`, but with one timer for all requests, not one for each."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar, cast

from domain import deadline

T = TypeVar("T")


class TimeLimit:
    """So many seconds for each of many tasks. As all have the same, those that began first are over first.

    Attributes:
        seconds: for each.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        # When it is over for whom, on the loop's clock, in this order.
        self._ends: dict[asyncio.Task[object], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def keep(self, work: Awaitable[T]) -> T:
        """What comes of a task's work, once at a time. What it asks of others gets no more time than is left.

        Raises:
            TimeoutError: the seconds are over; the work was cancelled.
        """
        task = self._begin()
        cancelled_before = task.cancelling()
        try:
            with deadline.budget(self.seconds):
                return await work
        except asyncio.CancelledError as error:
            # Who else cancels it is obeyed.
            if task not in self._ends and task.uncancel() <= cancelled_before:
                raise TimeoutError from error
            raise
        finally:
            self._ends.pop(task, None)

    def _begin(self) -> "asyncio.Task[object]":
        # The loop is kept, for to ask for the running one is a system call. Another one has no task of ours.
        task = None if self._loop is None else asyncio.current_task(self._loop)
        if self._loop is None or task is None:
            self._loop = asyncio.get_running_loop()
            self._ends, self._timer = {}, None
            task = cast("asyncio.Task[object]", asyncio.current_task())
        self._ends[task] = self._loop.time() + self.seconds
        if self._timer is None:
            self._timer = self._loop.call_later(self.seconds, self._end_those_over, self._loop)
        return task

    def _end_those_over(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for task, end in list(self._ends.items()):
            if end > now:
                self._timer = loop.call_at(end, self._end_those_over, loop)
                return
            del self._ends[task]
            task.cancel()
