"""Questions of many callers, asked together: what one question costs is mostly the asking, not the answer.

A question may be one that changes something, as to write an order down. Then it is for whoever answers it to see that
none has to do with another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from domain import tracing

Q = TypeVar("Q")
A = TypeVar("A")


class SharedQuestion(Generic[Q, A]):
    """What is asked in one turn of the loop is asked together; what is asked alone waits for no other.

    Where requests are traced, each asks for itself: what it asks is a step of its own.

    Args:
        ask: asks all of these, and returns an answer to each, in their order. What it raises, each caller is told.
        most: how many at once.
        sort: of a question; only those of one sort are asked together.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        most: int,
        sort: Callable[[Q], Hashable] = lambda _: None,
    ) -> None:
        self._ask = ask
        self._most = most
        self._sort = sort
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._asked: set[asyncio.Task[None]] = set()

    async def ask(self, question: Q) -> A:
        """The answer. A caller who is cancelled leaves at once; the others of the turn have theirs all the same."""
        if tracing.is_on():
            return (await self._ask([question]))[0]
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, answer))
        if len(self._waiting) == 1:
            # For everybody: no step of whoever came first, nor in that guest's name.
            loop.call_soon(self._send, context=Context())
        return await answer

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        sorts: dict[Hashable, list[tuple[Q, asyncio.Future[A]]]] = {}
        for each in waiting:
            sorts.setdefault(self._sort(each[0]), []).append(each)
        for alike in sorts.values():
            for start in range(0, len(alike), self._most):
                task = asyncio.create_task(self._answer(alike[start : start + self._most]))
                self._asked.add(task)
                task.add_done_callback(self._asked.discard)

    async def _answer(self, waiting: Sequence[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._ask([question for question, _ in waiting])
            for (_, waits), answer in zip(waiting, answers, strict=True):
                if not waits.done():
                    waits.set_result(answer)
        except asyncio.CancelledError:
            # Nobody is left to wait for ever.
            for _, waits in waiting:
                waits.cancel()
            raise
        except Exception as error:  # noqa: BLE001 -- it is each caller's to tell errors apart
            for _, waits in waiting:
                if not waits.done():
                    waits.set_exception(error)

    async def close(self) -> None:
        """Waits for the questions under way, whoever still wants to know; each ends by its own time limit."""
        if self._asked:
            await asyncio.wait(self._asked)
