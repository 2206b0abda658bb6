"""Homestays as guests are shown them: asked for together, once for all who want them now, and kept for some seconds.

Nothing that is paid for comes from here: placing an order asks the travel service itself.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from domain import deadline
from domain.order.ports import Found, Homestay, Travel

# Homestays that are kept; each takes a few KiB.
MAX_KEPT: Final = 5000
# Homestays in one call.
_BATCH: Final = 100


class ShownHomestays:
    """A cache before the travel service.

    Args:
        travel: the service.
        kept: seconds for which an answer is shown again; 0 keeps nothing, and still asks once for all who wait.
        now: seconds on a clock that never goes back.
    """

    def __init__(self, travel: Travel, *, kept: float, now: Callable[[], float] = time.monotonic) -> None:
        self._travel = travel
        self._kept = kept
        self._now = now
        # With the instant from which each is asked for anew; the oldest first, for all are kept equally long.
        self._known: dict[int, tuple[float, Homestay | None]] = {}
        self._asked: dict[int, asyncio.Future[Found]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def get(self, homestay_ids: Sequence[int]) -> list[Found]:
        """Of each id the homestay, None where there is none, or why it could not be asked for."""
        known = {each: self._fresh(each) for each in homestay_ids}
        missing = [each for each, found in known.items() if found is None]
        waited = {each: self._asked[each] for each in missing if each in self._asked}
        new = [each for each in missing if each not in waited]
        for start in range(0, len(new), _BATCH):
            waited |= self._ask(new[start : start + _BATCH])
        if waited:
            # Whoever leaves, the others still wait for the answer; so nobody's leaving ends the question.
            await asyncio.wait(waited.values())
        return [waited[each].result() if found is None else found[1] for each, found in known.items()]

    def _fresh(self, homestay_id: int) -> tuple[float, Homestay | None] | None:
        found = self._known.get(homestay_id)
        return found if found is not None and found[0] > self._now() else None

    def _ask(self, homestay_ids: list[int]) -> dict[int, asyncio.Future[Found]]:
        loop = asyncio.get_running_loop()
        asked = {each: loop.create_future() for each in homestay_ids}
        self._asked |= asked
        # It has all the time of such a call, whatever is left to the request that happened to come first.
        with deadline.lifted():
            task = loop.create_task(self._answer(asked), name="homestays")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return asked

    async def _answer(self, asked: dict[int, "asyncio.Future[Found]"]) -> None:
        try:
            found = await self._travel.several(list(asked))
        except BaseException as error:
            for homestay_id, future in asked.items():
                del self._asked[homestay_id]
                future.set_exception(error) if isinstance(error, Exception) else future.cancel()
                future.cancelled() or future.exception()  # so that nobody is told of one that nobody waits for any more
            if not isinstance(error, Exception):
                raise
            return
        for homestay_id, future in asked.items():
            del self._asked[homestay_id]
            answer = found[homestay_id]
            if not isinstance(answer, Exception):
                self._keep(homestay_id, answer)
            future.set_result(answer)

    def _keep(self, homestay_id: int, homestay: Homestay | None) -> None:
        if self._kept <= 0:
            return
        self._known.pop(homestay_id, None)
        self._known[homestay_id] = (self._now() + self._kept, homestay)
        while len(self._known) > MAX_KEPT:
            del self._known[next(iter(self._known))]

    def __len__(self) -> int:
        """How many homestays are kept."""
        return len(self._known)
