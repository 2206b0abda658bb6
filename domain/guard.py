"""Keeps another service's trouble from becoming ours: bounded calls at once, and patience that runs out.

A service that is gone fails by itself at once. One that is slow would hold every request for its whole deadline, so it
is left alone until one of a few trials is answered.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from domain import deadline
from domain.errors import UpstreamUnavailable

log = structlog.get_logger(__name__)

# Calls to one service under way; a service of one core answers so many in a tenth of a second.
AT_ONCE: Final = 64
# Seconds that a call waits for others to end. More would only move the queue from there to here.
QUEUE: Final = 0.1
# Seconds. A call that was given less says nothing of the service where it is not answered.
SLOW: Final = 0.5
# The last calls that are judged, and how many of them have to be slow before the service is left alone: half at least.
JUDGED: Final = 20
ENOUGH: Final = 5
# Seconds between trials of a service that is left alone: this long it takes to be seen when it is well again.
TRIAL_EVERY: Final = 0.25
# Calls in a row that found no answer, after which our connection may be what is dead; and seconds between new ones.
SILENT: Final = 2
RENEW_EVERY: Final = 1.0


class Circuit:
    """Whether a service is asked: no more where many of its last answers did not come, but for a trial now and then."""

    def __init__(self) -> None:
        self._slow: deque[bool] = deque(maxlen=JUDGED)
        self._next_trial: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the service is left alone."""
        return self._next_trial is not None

    def admits(self, now: float) -> bool:
        """Whether a call may be made now, as ever or as a trial."""
        if self._next_trial is None:
            return True
        if now < self._next_trial:
            return False
        self._next_trial = now + TRIAL_EVERY
        return True

    def tell(self, now: float, *, slow: bool) -> bool:
        """Takes note of how a call ended.

        Returns:
            Whether this call was one too many, so that the service is left alone from now on.
        """
        if self._next_trial is not None:
            if not slow:
                self._next_trial = None
                self._slow.clear()
            return False
        self._slow.append(slow)
        count = self._slow.count(True)
        if not slow or count < ENOUGH or 2 * count < len(self._slow):
            return False
        self._next_trial = now + TRIAL_EVERY
        return True


class Guard:
    """Stands before the calls to one service. Belongs to the loop that uses it.

    Args:
        upstream: the service's name, for people.
        at_once: calls under way at most.
        renew: makes a new connection; done where calls find no answer, for it may be that only ours is dead.
    """

    def __init__(self, upstream: str, *, at_once: int = AT_ONCE, renew: Callable[[], None] | None = None) -> None:
        self.upstream = upstream
        self._places = asyncio.Semaphore(at_once)
        self._circuit = Circuit()
        self._renew = renew
        self._unanswered = 0
        self._renew_at = 0.0

    async def enter(self, limit: float) -> float:
        """Waits for a place; who was let in must leave.

        Args:
            limit: seconds that the call may take where the time of the request does not end before.

        Returns:
            The seconds that are left for it.

        Raises:
            UpstreamUnavailable: there is no time left, or no place, or the service is left alone.
        """
        left = deadline.within(limit)
        if self._places.locked():
            left -= await self._queue(left)
        else:
            await self._places.acquire()
        if left > 0 and self._circuit.admits(asyncio.get_running_loop().time()):
            return left
        self._places.release()
        raise self._refusal("it answers too slowly, so it is left alone" if left > 0 else "no time is left to ask it")

    def leave(self, *, slow: bool | None) -> None:
        """Gives the place back.

        Args:
            slow: whether no answer came in a time in which one should have; None where nobody knows.
        """
        self._places.release()
        if slow is None:
            return
        now = asyncio.get_running_loop().time()
        if self._circuit.tell(now, slow=slow):
            log.warning("a service is too slow and is left alone", upstream=self.upstream, trial_every=TRIAL_EVERY)
        self._unanswered = self._unanswered + 1 if slow else 0
        if self._renew is not None and self._unanswered >= SILENT and now >= self._renew_at:
            self._unanswered, self._renew_at = 0, now + RENEW_EVERY
            self._renew()

    async def _queue(self, left: float) -> float:
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(QUEUE, left)):
                await self._places.acquire()
        except TimeoutError:
            raise self._refusal("it is asked too much at once") from None
        return asyncio.get_running_loop().time() - started

    def _refusal(self, reason: str) -> UpstreamUnavailable:
        return UpstreamUnavailable(self.upstream, reason)
