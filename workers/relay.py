"""Delivers the letters of the outbox: each at least once, in whatever order, and as patiently as it takes.

Any number may run. A letter is delivered by whoever holds it; where the holder dies, it is anybody's when its claim
ends.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

from domain import tracing
from domain.errors import Failure, Refusal
from domain.outbox import LEASE, Letter, Outbox
from domain.tracing import Kind

log = structlog.get_logger(__name__)

Deliver = Callable[[Letter], Awaitable[None]]

# Letters that are claimed in one transaction, and that are delivered at once; of each topic.
BATCH: Final = 50
AT_ONCE: Final = 8
# Seconds. A letter that could not be delivered and marked before its claim ends is not begun.
DELIVER_WITHIN: Final = 10.0
MARK_WITHIN: Final = 5.0
BEGIN_WITHIN: Final = LEASE.total_seconds() - DELIVER_WITHIN - MARK_WITHIN
# Seconds between two looks at the table, for letters of which nobody told, and its jitter.
INTERVAL: Final = 1.0
JITTER: Final = 0.1
# Seconds until a letter is tried again: from the first of these to the second, doubled each time.
SHORTEST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 300.0
# A letter is given up when it is that old and was tried that often: an outage of ours is not held against it.
GIVEN_UP_AFTER: Final = timedelta(days=1)
TRIES_AT_LEAST: Final = 10
# Seconds that a stop waits for the deliveries under way.
FINISH_WITHIN: Final = 3.0


class Relay:
    """Delivers letters, of each topic in a lane of its own: who waits for one receiver keeps no other waiting.

    Args:
        outbox: the letters.
        deliveries: by topic, what delivers a letter. It returns when the letter has arrived; it raises a `Refusal`
            where no other try could succeed either, and anything else where it is to be tried again.
        interval: seconds between two looks, with a jitter of 10 % so that many relays spread out.
    """

    name = "relay"

    def __init__(self, outbox: Outbox, deliveries: Mapping[str, Deliver], *, interval: float = INTERVAL) -> None:
        trouble = _Trouble()
        self._lanes = [_Lane(outbox, topic, deliver, interval, trouble) for topic, deliver in deliveries.items()]
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Delivers from now on."""
        self._tasks = {asyncio.create_task(lane.run(), name=f"relay {lane.topic}") for lane in self._lanes}

    def wake(self) -> None:
        """Says that letters are waiting. Must be called on the loop that the relay runs on."""
        for lane in self._lanes:
            lane.wake()

    async def run_once(self) -> None:
        """Delivers what is due now, and returns when that has ended."""
        await asyncio.gather(*(lane.run(once=True) for lane in self._lanes))

    async def stop(self) -> None:
        """Finishes what is under way, if that goes quickly. The rest comes again when its claims end."""
        for lane in self._lanes:
            lane.finish()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=FINISH_WITHIN)
        for task in late:
            task.cancel()
        if late:
            log.warning("letters left under way; they come again", relays=sorted(task.get_name() for task in late))
            await asyncio.wait(late)


class _Trouble:
    """Says once that the letters can't be worked with, and once that they can again."""

    def __init__(self) -> None:
        self._said = False

    def met(self, error: Exception) -> None:
        if not self._said:
            bug = not isinstance(error, Failure | OSError)
            log.warning("letters can't be relayed; trying on", error=repr(error), exc_info=bug)
        self._said = True

    def over(self) -> None:
        if self._said:
            log.info("letters are relayed again")
        self._said = False


class _Lane:
    """The letters of one topic."""

    def __init__(self, outbox: Outbox, topic: str, deliver: Deliver, interval: float, trouble: _Trouble) -> None:
        self.topic = topic
        self._outbox = outbox
        self._handler = deliver
        self._interval = interval
        self._trouble = trouble
        self._woken = asyncio.Event()
        self._finishing = False
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._arrived: list[Letter] = []
        self._marking: asyncio.Task[None] | None = None

    def wake(self) -> None:
        self._woken.set()

    def finish(self) -> None:
        self._finishing = True
        self._woken.set()

    async def run(self, *, once: bool = False) -> None:
        """Looks for letters until told to finish, or there are none; returns when the last delivery has ended."""
        async with asyncio.TaskGroup() as deliveries:
            while not self._finishing:
                self._woken.clear()
                if not await self._begin(deliveries):
                    if once:
                        return
                    await self._rest()

    async def _begin(self, deliveries: asyncio.TaskGroup) -> bool:
        """Takes letters and begins to deliver them. Returns False where there are none, or none can be had."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + BEGIN_WITHIN
        try:
            letters = await self._outbox.take([self.topic], BATCH)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next look may go well
            self._trouble.met(error)
            return False
        self._trouble.over()
        for letter in letters:
            await self._slots.acquire()
            if loop.time() > deadline:
                self._slots.release()
                break
            deliveries.create_task(self._deliver(letter, deliveries))
        return bool(letters)

    async def _deliver(self, letter: Letter, deliveries: asyncio.TaskGroup) -> None:
        try:
            with tracing.span(
                f"deliver {letter.topic}",
                Kind.CONSUMER,
                {"homestay.letter.id": letter.id, "homestay.letter.subject": letter.subject},
                parent={},
                links=tracing.kept(letter.traceparent),
            ):
                async with asyncio.timeout(DELIVER_WITHIN):
                    await self._handler(letter)
        except Exception as error:  # noqa: BLE001 -- a letter that fails must not keep the others from their turn
            await self._mark(self._failed(letter, error))
        else:
            self._arrived.append(letter)
            if self._marking is None or self._marking.done():
                self._marking = deliveries.create_task(self._mark_arrived())
        finally:
            self._slots.release()

    async def _mark_arrived(self) -> None:
        """Marks what arrived, all of it in one transaction: meanwhile the next ones gather."""
        while self._arrived:
            arrived, self._arrived = self._arrived, []
            await self._mark(self._outbox.delivered(*arrived))

    async def _failed(self, letter: Letter, error: Exception) -> None:
        about = {"id": letter.id, "topic": letter.topic, "subject": letter.subject, "attempts": letter.attempts}
        reason = _reason(error)
        if isinstance(error, Refusal) or is_given_up(letter):
            log.error("letter is dead", **about, error=reason)
            await self._outbox.bury(letter, error=reason)
            return
        delay = wait(letter.attempts)
        log.info("letter put off", **about, error=reason, seconds=round(delay.total_seconds(), 1))
        await self._outbox.put_off(letter, delay=delay, error=reason)

    async def _mark(self, marking: Awaitable[None]) -> None:
        try:
            await marking
        except Exception as error:  # noqa: BLE001 -- what can't be marked comes again when its claim ends
            self._trouble.met(error)

    async def _rest(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._interval * random.uniform(1 - JITTER, 1 + JITTER)):  # noqa: S311 -- no secret
                await self._woken.wait()


def wait(attempts: int) -> timedelta:
    """How long to wait after so many tries: twice as long each time, at random so that many spread out."""
    longest = min(LONGEST_WAIT, 2 * SHORTEST_WAIT * 2.0 ** min(attempts - 1, 30))
    return timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 -- no secret


def is_given_up(letter: Letter) -> bool:
    """Whether a letter that failed once more is tried no more."""
    # Its claim began at the time of this try, by the database's clock.
    age = letter.due_at - LEASE - letter.created_at
    return age >= GIVEN_UP_AFTER and letter.attempts >= TRIES_AT_LEAST


def _reason(error: Exception) -> str:
    said = error.reason if isinstance(error, Failure) else str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
