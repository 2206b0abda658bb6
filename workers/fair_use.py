"""How often a guest may try to place an order: a night that is held for 20 minutes costs nothing, so it is counted.

Processes that share a Redis share the count. A Redis that hangs or is away is not felt: each process then counts by
itself, with what it knows, and asks again a few seconds later.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from domain.errors import RateLimited
from domain.order.ports import FairUse, NoLimit
from domain.shared_question import SharedQuestion

log = structlog.get_logger(__name__)

WINDOW: Final = 60.0
# Seconds that an attempt waits for Redis, and for which Redis is left alone after it failed.
PATIENCE: Final = 0.05
PAUSE: Final = 5.0
CONNECTIONS: Final = 20
# Guests in one question: Redis does nothing else meanwhile.
AT_ONCE: Final = 100
_PREFIX: Final = "homestay.creates:LIMITER/"
# Of each guest the instants of the last attempts, the newest first, by Redis' own clock. Who has come as often as one
# may is told the seconds until the oldest of those attempts leaves the window; numbers would lose fractions.
_HIT: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local waits = {}
for i, key in ipairs(KEYS) do
    local oldest = tonumber(redis.call('LINDEX', key, limit - 1) or 0)
    if oldest + window > now then
        waits[i] = string.format('%.6f', oldest + window - now)
    else
        redis.call('LPUSH', key, string.format('%.6f', now))
        redis.call('LTRIM', key, 0, limit - 1)
        redis.call('EXPIRE', key, window)
        waits[i] = '0'
    end
end
return waits
"""


class OwnCount:
    """The attempts of a moving minute, as this process saw them.

    The library's own storage in memory looks at every guest on every attempt, for a millisecond and more.

    Args:
        limit: attempts of one guest.
        now: seconds on a clock that never goes back.
    """

    def __init__(self, limit: int, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._now = now
        self._attempts: dict[int, deque[float]] = {}
        self._tidy_at = now() + WINDOW

    def hit(self, user_id: int) -> float:
        """Counts an attempt and returns 0, or returns the seconds until there may be one again."""
        now = self._now()
        if now >= self._tidy_at:
            self._tidy(now)
        attempts = self._attempts.setdefault(user_id, deque())
        while attempts and attempts[0] <= now - WINDOW:
            attempts.popleft()
        if len(attempts) >= self._limit:
            return attempts[0] + WINDOW - now
        attempts.append(now)
        return 0.0

    def _tidy(self, now: float) -> None:
        self._attempts = {
            user_id: attempts for user_id, attempts in self._attempts.items() if attempts[-1] > now - WINDOW
        }
        self._tidy_at = now + WINDOW

    def __len__(self) -> int:
        """How many guests are remembered."""
        return len(self._attempts)


class SharedCount:
    """The same, in Redis, with one question for all guests who come at once.

    Args:
        limit: attempts of one guest.
        redis: where processes count together.
    """

    def __init__(self, limit: int, redis: Redis) -> None:
        self._limit = limit
        self._hit_there: Callable[..., Awaitable[Any]] = redis.register_script(_HIT)
        self._question: SharedQuestion[int, float] = SharedQuestion(self._hit, AT_ONCE)

    async def hit(self, user_id: int) -> float:
        """Counts an attempt and returns 0, or returns the seconds until there may be one again.

        Raises:
            RedisError: it can't be asked.
            TimeoutError: it does not answer in time.
        """
        # What is left is only the wait: redis-py may take long to end after it was cancelled.
        async with asyncio.timeout(PATIENCE):
            return await self._question.ask(user_id)

    async def _hit(self, user_ids: Sequence[int]) -> Sequence[float]:
        keys = [f"{_PREFIX}{user_id}/{self._limit}/1/minute" for user_id in user_ids]
        return [float(wait) for wait in await self._hit_there(keys=keys, args=[self._limit, int(WINDOW)])]

    async def close(self) -> None:
        """Waits for the questions that nobody waits for any more; each ends by its own time limit."""
        await self._question.close()


class AttemptsPerMinute:
    """`domain.order.ports.FairUse`: at most so many attempts of a guest in any minute.

    Args:
        limit: attempts of one guest.
        shared: where processes count together; None where there is only this one.
    """

    def __init__(self, limit: int, shared: SharedCount | None = None) -> None:
        self._limit = limit
        self._own = OwnCount(limit)
        self._shared = shared
        self._alone = False
        self._ask_at = 0.0
        self.fallbacks = 0

    async def admit(self, user_id: int) -> None:
        """Counts one attempt of a guest.

        Raises:
            RateLimited: the guest has made too many of late.
        """
        wait = await self._hit(user_id)
        if wait > 0:
            raise RateLimited(
                f"At most {self._limit} orders may be placed in a minute.", retry_after=max(1, math.ceil(wait))
            )

    async def _hit(self, user_id: int) -> float:
        if self._shared is None or (self._alone and time.monotonic() < self._ask_at):
            return self._own.hit(user_id)
        # One asks whether Redis is back; the others do not wait for the answer.
        self._ask_at = time.monotonic() + PAUSE
        try:
            wait = await self._shared.hit(user_id)
        except (RedisError, TimeoutError, OSError) as error:
            self._count_alone(error)
            return self._own.hit(user_id)
        self._count_together()
        if wait == 0:
            self._own.hit(user_id)
        return wait

    def _count_alone(self, error: Exception) -> None:
        if not self._alone:
            self._alone = True
            self.fallbacks += 1
            log.warning("attempts are counted in this process: Redis can't be asked", reason=repr(error))

    def _count_together(self) -> None:
        if self._alone:
            self._alone = False
            log.info("attempts are counted in Redis again")


@asynccontextmanager
async def open_fair_use(limit: int, redis_url: str) -> AsyncIterator[FairUse]:
    """Opens the count.

    Args:
        limit: attempts of one guest in any minute; 0 sets no limit.
        redis_url: where processes count together; empty where there is only this one.
    """
    if not limit:
        yield NoLimit()
        return
    if not redis_url:
        yield AttemptsPerMinute(limit)
        return
    # Whoever finds them all in use waits for one, as long as for Redis; and a connection that broke while it was idle
    # is no outage, so it is tried once more.
    pool = BlockingConnectionPool.from_url(
        redis_url,
        max_connections=CONNECTIONS,
        timeout=PATIENCE,
        socket_connect_timeout=PATIENCE,
        socket_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 1),
    )
    shared = SharedCount(limit, Redis(connection_pool=pool))
    try:
        yield AttemptsPerMinute(limit, shared)
    finally:
        await shared.close()
        await pool.disconnect()
