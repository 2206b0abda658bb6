"""A fuse that ends this process at one await among all that it comes across: no cleanup, as at a power cut."""

import asyncio
import os
from collections.abc import Coroutine, Generator
from enum import Enum
from typing import Any, Final

# What a process ends with that the fuse has ended.
BURNT: Final = 9


class Moment(Enum):
    """Where at an await a process may die."""

    # What it asked for is under way: in a thread, at a server, or not yet there.
    WAITS = "waits"
    # What it asked for is done, and nobody knows.
    GOES_ON = "goes on"


class Fuse:
    """Counts the awaits of every task that is created while it is lit: a transaction has a task of its own.

    Args:
        moment: where at an await it burns.
        at: at which one, from 1; 0 is never.
    """

    def __init__(self, moment: Moment = Moment.WAITS, at: int = 0) -> None:
        self._moment = moment
        self._at = at
        self.passed: Final = dict.fromkeys(Moment, 0)

    def pass_by(self, moment: Moment) -> None:
        self.passed[moment] += 1
        if moment is self._moment and self.passed[moment] == self._at:
            os._exit(BURNT)

    async def watch(self, work: Coroutine[Any, Any, Any]) -> None:
        """Runs it, with whatever tasks it creates, as long as nothing burns."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._task)
        try:
            await loop.create_task(work)
        finally:
            loop.set_task_factory(None)

    def _task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any] | Generator[Any, None, Any], **named: Any
    ) -> asyncio.Task[Any]:
        assert isinstance(work, Coroutine)
        return asyncio.Task(_Fused(work, self), loop=loop, **named)


class _Fused(Coroutine[Any, Any, Any]):
    """A task's work, with the fuse at each of its awaits."""

    def __init__(self, work: Coroutine[Any, Any, Any], fuse: Fuse) -> None:
        self._work = work
        self._fuse = fuse
        self._waited = False

    def send(self, value: Any) -> Any:
        self._goes_on()
        return self._waits(self._work.send(value))

    def throw(self, *error: Any) -> Any:
        self._goes_on()
        return self._waits(self._work.throw(*error))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        raise AssertionError("a task's work is sent to, not awaited")

    def _goes_on(self) -> None:
        if self._waited:
            self._fuse.pass_by(Moment.GOES_ON)

    def _waits(self, awaited: Any) -> Any:
        self._waited = True
        self._fuse.pass_by(Moment.WAITS)
        return awaited
