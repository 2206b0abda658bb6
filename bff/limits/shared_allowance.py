"""The allowance of guests whom several processes serve: each tells what was spent, and learns what was spent elsewhere.

A request never waits for it. What guests spent here is sent to Redis once a second, for all of them in one round trip,
and the answer is what they have spent everywhere. So in the first second a guest has as many allowances as there are
processes, and pays that back: over minutes it is one. A Redis that is away leaves each process to its own count.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bff.limits.allowance import MINUTE, Allowance
from workers.changes import open_redis

log = structlog.get_logger(__name__)

# Seconds between two tellings, and for which Redis is left alone after it failed.
EVERY: Final = 1.0
PAUSE: Final = 5.0
# Guests in one round trip: Redis does nothing else meanwhile.
BATCH: Final = 500
# In braces what all keys share, so that a cluster keeps them together.
_PREFIX: Final = "{homestay.allowance}."
# By Redis' own clock, when each guest's bucket will be full again, as in `Allowance`; numbers would lose fractions.
_SPEND: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local ahead = {}
for i, key in ipairs(KEYS) do
    local full = math.max(tonumber(redis.call('GET', key) or now), now) + ARGV[i]
    redis.call('SET', key, string.format('%.6f', full), 'PX', math.ceil((full - now) * 1000) + 1)
    ahead[i] = string.format('%.6f', full - now)
end
return ahead
"""


class SharedAllowance(Allowance):
    """The same, told to others and learned from them by `run`.

    Args:
        per_minute: values that a guest may ask for in a minute, and at once.
        redis: where processes meet.
    """

    def __init__(self, per_minute: int, redis: Redis) -> None:
        super().__init__(per_minute)
        self._spend_there: Callable[..., Awaitable[Any]] = redis.register_script(_SPEND)
        self._untold: dict[int, int] = {}
        self._alone = False

    def spend(self, user_id: int, values: int) -> int:
        """Takes what an answer costs, and returns 0; or takes nothing and returns the seconds until there is enough."""
        wait = super().spend(user_id, values)
        if not wait:
            self._untold[user_id] = self._untold.get(user_id, 0) + values
        return wait

    async def run(self) -> None:
        """Tells and learns until it is cancelled."""
        while True:
            await asyncio.sleep(PAUSE if self._alone else EVERY)
            await self.tell()

    async def tell(self) -> None:
        """Tells what was spent here since the last time, and learns what was spent everywhere."""
        untold, self._untold = list(self._untold.items()), {}
        for start in range(0, len(untold), BATCH):
            batch = untold[start : start + BATCH]
            try:
                ahead = await self._spend_there(
                    keys=[f"{_PREFIX}{user_id}" for user_id, _ in batch],
                    args=[values * MINUTE / self.per_minute for _, values in batch],
                )
            except (RedisError, OSError, TimeoutError) as error:
                # What was spent here counts here; elsewhere it is forgotten.
                if not self._alone:
                    log.warning("allowances are counted in this process: Redis can't be asked", reason=repr(error))
                self._alone = True
                return
            now = self._now()
            for (user_id, _), seconds in zip(batch, ahead, strict=True):
                # What was spent while we asked is not in the answer yet.
                since = self._untold.get(user_id, 0) * MINUTE / self.per_minute
                self._full_at[user_id] = now + float(seconds) + since
        if untold and self._alone:
            log.info("allowances are counted in Redis again")
            self._alone = False


@asynccontextmanager
async def open_allowance(per_minute: int, redis_url: str) -> AsyncIterator[Allowance]:
    """Opens the count.

    Args:
        per_minute: values that a guest may ask for in a minute; 0 sets no limit.
        redis_url: where processes count together; empty where there is only this one.
    """
    if not per_minute or not redis_url:
        yield Allowance(per_minute)
        return
    async with open_redis(redis_url) as redis:
        shared = SharedAllowance(per_minute, redis)
        telling = asyncio.create_task(shared.run(), name="allowances told")
        try:
            yield shared
        finally:
            telling.cancel()
            await asyncio.wait({telling})
