"""Questions of many askers to one service, asked together.

A call costs much the same whether it asks for one thing or for many. So what is asked while the loop turns once goes
out together, and what is asked while calls are under way waits for one of them to return. Nobody waits where nothing is
under way, and the more is asked, the more goes into one call.

An answer is never older than its question: who asks joins no call that has begun, and no answer is kept.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from domain import deadline, tracing
from domain.errors import UpstreamUnavailable
from domain.rpc import Refused, Unimplemented

K = TypeVar("K")
V = TypeVar("V")

# Calls that further questions wait for. One makes the longest calls, and the fewest.
CALLS: Final = 1
# Seconds. A call that takes longer keeps nobody waiting any more: it may hang, and others may not.
PATIENCE: Final = 0.01
# Calls at once where each question is asked by itself; fewer than the service's guard lets in.
ALONE: Final = 48


@dataclass(eq=False, slots=True)
class _Asked(Generic[K, V]):
    """A question.

    Attributes:
        key: what is asked for.
        ends: when who asks stops waiting, on the loop's clock.
        context: the asker's.
        answer: what is waited for.
    """

    key: K
    ends: float
    context: Context
    answer: "asyncio.Future[V]"


class Gathered(Generic[K, V]):
    """Asks a service for what many want. Belongs to the loop that uses it.

    Args:
        upstream: the service's name, for people.
        one: asks for one thing.
        several: asks for several in one call; it answers each, with an error where only that one can't be told.
        knows_several: whether the service is not known to lack the method of `several`.
        most: things in one call.
        limit: seconds that who asks waits, where the time of the request does not end before.
    """

    def __init__(
        self,
        upstream: str,
        one: Callable[[K], Awaitable[V]],
        several: Callable[[list[K]], Awaitable[Mapping[K, V | Exception]]],
        *,
        knows_several: Callable[[], bool],
        most: int,
        limit: float,
    ) -> None:
        self._upstream = upstream
        self._one = one
        self._several = several
        self._knows_several = knows_several
        self._most = most
        self._limit = limit
        # Questions that no call has taken yet, those that are to be asked by themselves, and all without an answer.
        self._waiting: deque[_Asked[K, V]] = deque()
        self._alone: deque[_Asked[K, V]] = deque()
        self._open: set[_Asked[K, V]] = set()
        self._calls: set[asyncio.Task[None]] = set()
        # Calls for which others wait, with their beginnings.
        self._awaited: dict[asyncio.Task[None], float] = {}
        self._sending = False
        self._patience: asyncio.TimerHandle | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._watch_ends = 0.0
        self._shown: set[asyncio.Task[None]] = set()

    def ask(self, key: K) -> "asyncio.Future[V]":
        """Asks for something.

        Returns:
            What will be the answer. Who cancels it, or has no time to wait for it, takes it from nobody else.

        Raises:
            UpstreamUnavailable: (in the answer) it could not be asked in time, or its answer makes no sense.
        """
        loop = asyncio.get_running_loop()
        asked: _Asked[K, V] = _Asked(key, deadline.end_of(self._limit), copy_context(), loop.create_future())
        self._open.add(asked)
        (self._waiting if self._knows_several() else self._alone).append(asked)
        if not self._sending:
            self._soon()
        # One look for all: most are answered long before it.
        if self._watch is None or asked.ends < self._watch_ends:
            self._watch_until(asked.ends)
        return asked.answer

    def _soon(self) -> None:
        self._sending = True
        asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._sending = False
        while self._alone and len(self._calls) < ALONE:
            self._begin([self._alone.popleft()])
        while self._waiting and len(self._awaited) < CALLS:
            taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._begin(taken, awaited=True)
        if self._waiting and self._patience is None:
            self._patience = asyncio.get_running_loop().call_later(PATIENCE, self._lose_patience)

    def _begin(self, asked: list[_Asked[K, V]], *, awaited: bool = False) -> None:
        asked = [each for each in asked if not each.answer.done()]
        if not asked:
            return
        loop = asyncio.get_running_loop()
        # In the context of who came first: somebody has to be named to the service as the one who asks.
        call = loop.create_task(self._call(asked), name=f"ask {self._upstream}", context=asked[0].context)
        self._calls.add(call)
        if awaited:
            self._awaited[call] = loop.time()
        call.add_done_callback(partial(self._end, asked))

    def _end(self, asked: list[_Asked[K, V]], call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._awaited.pop(call, None)
        if call.cancelled():
            for each in asked:
                each.answer.cancel()
                self._open.discard(each)
        if (self._waiting or self._alone) and not self._sending:
            self._soon()

    def _lose_patience(self) -> None:
        self._patience = None
        too_old = asyncio.get_running_loop().time() - PATIENCE
        self._awaited = {call: begun for call, begun in self._awaited.items() if begun > too_old}
        self._send()

    async def _call(self, asked: list[_Asked[K, V]]) -> None:
        # As long as the last of them waits, whatever time is left to the first.
        deadline.set_end(max(each.ends for each in asked))
        if len(asked) > 1 and tracing.is_on():
            await self._traced(asked)
        else:
            await self._answer(asked)

    async def _answer(self, asked: list[_Asked[K, V]]) -> None:
        keys = list(dict.fromkeys([each.key for each in asked]))
        found: Mapping[K, V | Exception]
        try:
            found = {keys[0]: await self._one(keys[0])} if len(keys) == 1 else await self._several(keys)
        except Exception as error:  # noqa: BLE001 -- it is told to whoever asked
            if len(keys) > 1 and isinstance(error, Refused | Unimplemented):
                # It can't be asked so, or one of them is to blame for all.
                self._alone.extend(asked)
                return
            found = dict.fromkeys(keys, error)
        for each in asked:
            self._tell(each, found[each.key])

    async def _traced(self, asked: list[_Asked[K, V]]) -> None:
        """The call is a step of who came first, linked to the others; each of them has a step of its own for it."""
        first, *others = asked
        del first
        name = f"ask {self._upstream} together"
        steps = [each.context.run(tracing.carrier) for each in others]
        for each in others:
            shown = asyncio.create_task(_show(name, each.answer), context=each.context)
            self._shown.add(shown)
            shown.add_done_callback(self._shown.discard)
        with tracing.span(name, links=[step for step in steps if step]):
            await self._answer(asked)

    def _tell(self, asked: _Asked[K, V], found: V | Exception) -> None:
        self._open.discard(asked)
        if asked.answer.done():
            return
        if isinstance(found, Exception):
            asked.answer.set_exception(found)
            # So that nobody is told of one that nobody waits for any more.
            asked.answer.exception()
        else:
            asked.answer.set_result(found)

    def _watch_until(self, ends: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch_ends = ends
        self._watch = asyncio.get_running_loop().call_at(ends, self._look)

    def _look(self) -> None:
        """Tells those who have waited long enough; the calls go on for the others, and end by themselves."""
        self._watch = None
        now = asyncio.get_running_loop().time()
        for each in [*self._open]:
            if each.answer.done():
                self._open.discard(each)
            elif each.ends <= now:
                self._tell(each, UpstreamUnavailable(self._upstream, "it did not answer in time"))
        if self._open:
            self._watch_until(min(each.ends for each in self._open))


async def _show(name: str, answer: "asyncio.Future[Any]") -> None:
    with suppress(Exception), tracing.span(name):
        await asyncio.shield(answer)
