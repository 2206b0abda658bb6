"""Takes the news that an order has changed from the process where it did to those where somebody follows it.

Processes that share a Redis tell each other by it. The news are hints: whoever follows an order looks at the tables
every few seconds anyway, so nothing here is stored, sent again, or waited for.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractContextManager, asynccontextmanager
from contextvars import Context
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from domain.order.ports import Changes, Watch
from domain.order.watches import LocalChanges

log = structlog.get_logger(__name__)

CHANNEL: Final = "homestay.order.changed"
# Orders that wait to be told of, and orders in one message.
CAPACITY: Final = 10_000
BATCH: Final = 500
# Seconds for Redis to answer, for which it is left alone after it failed, and between two looks whether it is there.
PATIENCE: Final = 1.0
PAUSE: Final = 2.0
HEALTH: Final = 10
# What a process that is not the only one sends, and takes apart: an sn has no comma.
_COMMA: Final = ","

# All that live in this process share it, the embedded worker with a loop of its own too.
LOCAL: Final = LocalChanges()


class SharedChanges:
    """`domain.order.ports.Changes` among the processes of one Redis.

    Args:
        redis: tells and listens.
        local: who follows orders in this process.
    """

    def __init__(self, redis: Redis, local: LocalChanges) -> None:
        self._redis = redis
        self._local = local
        self._outgoing: dict[str, None] = {}
        self._filled = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._closed = False
        self.dropped = 0

    def tell(self, sns: Collection[str]) -> None:
        """Tells whoever follows these orders, here at once and elsewhere soon."""
        self._local.tell(sns)
        if len(self._outgoing) + len(sns) > CAPACITY:
            self.dropped += len(sns)
            return
        self._outgoing.update(dict.fromkeys(sns))
        self._filled.set()
        if self._teller is None:
            # For everybody: no step of whoever came first, nor in that guest's name.
            self._teller = asyncio.create_task(self._tell(), name="changes told", context=Context())

    def watch(self, sn: str) -> AbstractContextManager[Watch]:
        """Watches an order within the context. Only a process where somebody does listens."""
        if self._listener is None:
            self._listener = asyncio.create_task(self._listen(), name="changes heard", context=Context())
        return self._local.watch(sn)

    async def close(self) -> None:
        """Ends; what was not told is dropped."""
        self._closed = True
        tasks = {task for task in (self._teller, self._listener) if task and not task.done()}
        # A cancellation that meets a time limit of redis-py can be lost there, so a task that goes on is told again.
        for _ in range(3):
            for task in tasks:
                task.cancel()
            if tasks:
                _, tasks = await asyncio.wait(tasks, timeout=PATIENCE)

    async def _tell(self) -> None:
        failing = False
        while not self._closed:
            await self._filled.wait()
            batch = list(self._outgoing)[:BATCH]
            for sn in batch:
                del self._outgoing[sn]
            if not self._outgoing:
                self._filled.clear()
            try:
                await self._redis.publish(CHANNEL, _COMMA.join(batch))
            except (RedisError, OSError) as error:
                self.dropped += len(batch)
                if not failing:
                    log.warning(
                        "changes of orders reach other processes late: Redis can't be asked", reason=repr(error)
                    )
                failing = True
                await asyncio.sleep(PAUSE)
            else:
                failing = False

    async def _listen(self) -> None:
        while not self._closed:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(CHANNEL)
                    # What was told while nobody listened here was missed.
                    self._local.tell_all()
                    while not self._closed:
                        message = await pubsub.get_message(timeout=HEALTH)
                        if message is not None:
                            self._local.tell(message["data"].decode().split(_COMMA))
            except (RedisError, OSError):
                # Whoever tells says so in the log. Followers look for themselves meanwhile.
                await asyncio.sleep(PAUSE)


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[Redis]:
    """Opens a Redis for what nobody waits long for, and what is soon made again where it is lost."""
    redis = Redis.from_url(
        url,
        socket_connect_timeout=PATIENCE,
        socket_timeout=PATIENCE,
        health_check_interval=HEALTH,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        yield redis
    finally:
        await redis.aclose()


@asynccontextmanager
async def open_changes(redis_url: str) -> AsyncIterator[Changes]:
    """Opens the way between the processes.

    Args:
        redis_url: where they meet; empty where there is only this one, or none to meet at.
    """
    if not redis_url:
        yield LOCAL
        return
    async with open_redis(redis_url) as redis:
        changes = SharedChanges(redis, LOCAL)
        try:
            yield changes
        finally:
            await changes.close()
