"""How often a guest may try to place an order: a night that is held for 20 minutes costs nothing, so it is counted.

Processes that share a Redis share the count. A Redis that hangs or is away is not felt: each process then counts by
itself, with what it knows, and asks again a few seconds later.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from domain.errors import RateLimited
from domain.order.ports import FairUse, NoLimit

log = structlog.get_logger(__name__)

WINDOW: Final = 60.0
# Seconds that an attempt waits for Redis, and for which Redis is left alone after it failed.
PATIENCE: Final = 0.05
PAUSE: Final = 5.0
CONNECTIONS: Final = 20
_PREFIX: Final = "homestay.creates"


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
    """The same, in Redis.

    Args:
        limit: attempts of one guest.
        url: of the Redis.
        pool: connections to it.
    """

    def __init__(self, limit: int, url: str, pool: ConnectionPool) -> None:
        storage = RedisStorage(
            f"async+{url}",
            implementation="redispy",
            key_prefix=_PREFIX,
            connection_pool=pool,  # type: ignore[arg-type] # it is handed on to redis-py as it is
        )
        self._limiter = MovingWindowRateLimiter(storage)
        self._item = RateLimitItemPerMinute(limit)
        self._questions: set[asyncio.Task[float]] = set()

    async def hit(self, user_id: int) -> float:
        """Counts an attempt and returns 0, or returns the seconds until there may be one again.

        Raises:
            RedisError: it can't be asked.
            TimeoutError: it does not answer in time.
        """
        question = asyncio.create_task(self._ask(user_id))
        self._questions.add(question)
        question.add_done_callback(self._forget)
        try:
            # Not `asyncio.timeout`: it would wait for redis-py to end after it was cancelled, which may take long.
            answered, _ = await asyncio.wait({question}, timeout=PATIENCE)
        finally:
            question.cancel()
        if not answered:
            raise TimeoutError
        return question.result()

    async def _ask(self, user_id: int) -> float:
        if await self._limiter.hit(self._item, str(user_id)):
            return 0.0
        window = await self._limiter.get_window_stats(self._item, str(user_id))
        return max(0.0, window.reset_time - time.time())

    def _forget(self, question: "asyncio.Task[float]") -> None:
        self._questions.discard(question)
        if not question.cancelled():
            question.exception()  # so that nobody is told of one that nobody asked for any more

    async def close(self) -> None:
        """Waits for the questions that nobody waits for any more; each ends by its own time limit."""
        if self._questions:
            await asyncio.wait(self._questions)


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
    shared = SharedCount(limit, redis_url, pool)
    try:
        yield AttemptsPerMinute(limit, shared)
    finally:
        await shared.close()
        await pool.disconnect()
