"""A Redis broker whose delayed messages wait in Redis, not in a worker's memory.

dramatiq's own RedisBroker hands delayed messages to whichever worker fetches them first, and they wait there: a worker
that is killed delays them by minutes, and a Redis error at the wrong moment ends the thread that holds them. Here they
wait in a sorted set by due time, and a forwarder in each worker moves what is due to the normal queue. The interface is
dramatiq's (`send_with_options(delay=…)`, `Retry(delay=…)`, backoff of retries). It rests on internals of dramatiq 2.2,
which is why that minor version is pinned.
"""

import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

# Seconds between two looks at what is due; a message runs late by half of it on average.
TICK: Final = 0.5
# Messages moved by one script call: Redis does nothing else meanwhile.
AT_ONCE: Final = 500
# Milliseconds without a sign of life until a worker's unfinished messages go to others; above the longest task, or they
# would run twice at once.
HEARTBEAT_TIMEOUT: Final = 20_000
# How often, of a million, a command also looks for dead workers.
MAINTENANCE_CHANCE: Final = 100_000

# The due time is taken from Redis' own clock: no two machines' clocks are ever compared.
_ADD: Final = """
local now = redis.call('TIME')
local due = now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[1]
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], due, ARGV[2])
"""
_FORWARD: Final = """
local now = redis.call('TIME')
local due = now[1] * 1000 + math.floor(now[2] / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', due, 'LIMIT', 0, ARGV[1])
for _, id in ipairs(ids) do
    redis.call('RPUSH', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
end
return #ids
"""


@contextmanager
def _lost_connection() -> Iterator[None]:
    """Turns every Redis error into a lost connection, after which a consumer starts anew.

    dramatiq does so for some; any other ends the consumer's thread while the process goes on, deaf.
    """
    try:
        yield
    except redis.RedisError as error:
        raise ConnectionClosed(error) from None


class _Consumer(_RedisConsumer):
    """dramatiq's consumer, which no Redis error can end."""

    def __next__(self) -> dramatiq.MessageProxy | None:
        with _lost_connection():
            message: dramatiq.MessageProxy | None = super().__next__()
            return message

    def ack(self, message: dramatiq.MessageProxy) -> None:
        with _lost_connection():
            super().ack(message)

    def nack(self, message: dramatiq.MessageProxy) -> None:
        with _lost_connection():
            super().nack(message)

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        with _lost_connection():
            super().requeue(messages)


class SortedSetBroker(RedisBroker):
    """`dramatiq.brokers.redis.RedisBroker` with delayed messages in a sorted set `<queue>.Z`.

    Args:
        client: a Redis client with timeouts.
        middleware: as for every dramatiq broker.
        tick: seconds between two looks at what is due.
    """

    def __init__(self, *, client: redis.Redis, middleware: list[dramatiq.Middleware], tick: float = TICK) -> None:
        super().__init__(
            client=client,
            middleware=middleware,
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            maintenance_chance=MAINTENANCE_CHANCE,
        )
        self._add = client.register_script(_ADD)
        self._forward = client.register_script(_FORWARD)
        self.add_middleware(Forwarder(self, tick))

    @property
    def consumer_class(self) -> type[_Consumer]:
        """What the worker reads queues with."""
        return _Consumer

    def declare_queue(self, queue_name: str) -> None:
        """Declares a queue; none for delayed messages, since no worker holds those."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Sends a message, to be run in `delay` milliseconds at the earliest.

        Raises:
            redis.RedisError: it was not sent, or it is not known whether it was.
        """
        (sent,) = self.enqueue_many([(message, delay)])
        return sent

    def enqueue_many(self, messages: Sequence[tuple[dramatiq.Message[Any], int | None]]) -> list[dramatiq.Message[Any]]:
        """Sends messages, each with its delay in milliseconds, in one round trip.

        Raises:
            redis.RedisError: some were not sent, or it is not known whether they were.
        """
        # An id of its own for each sending: a message that is retried keeps its message id.
        sent = [(message.copy(options={"redis_message_id": str(uuid.uuid4())}), delay) for message, delay in messages]
        for message, delay in sent:
            self.emit_before("enqueue", message, delay)
        with self.client.pipeline(transaction=False) as pipeline:
            for message, delay in sent:
                queue = self._key(message.queue_name)
                keys = [f"{queue}.msgs", f"{queue}.Z"]
                # What is due at once waits a moment for nobody: a delay of 0 is due at the next tick.
                if delay is None:
                    pipeline.hset(keys[0], message.options["redis_message_id"], message.encode())
                    pipeline.rpush(queue, message.options["redis_message_id"])
                else:
                    arguments = [max(0, int(delay)), message.options["redis_message_id"], message.encode()]
                    self._add(keys=keys, args=arguments, client=pipeline)
            pipeline.execute()
        for message, delay in sent:
            self.emit_after("enqueue", message, delay)
        return [message for message, _ in sent]

    def forward(self, queue_name: str) -> int:
        """Moves up to `AT_ONCE` due messages to their queue, and returns how many they were.

        Raises:
            redis.RedisError: Redis can't be asked.
        """
        queue = self._key(queue_name)
        return int(self._forward(keys=[queue, f"{queue}.Z"], args=[AT_ONCE]))

    def delayed(self, queue_name: str) -> int:
        """How many messages of a queue wait for their time.

        Raises:
            redis.RedisError: Redis can't be asked.
        """
        return int(self.client.zcard(f"{self._key(queue_name)}.Z"))

    def flush(self, queue_name: str) -> None:
        """Drops all messages of a queue, also those that wait."""
        self.client.delete(f"{self._key(queue_name)}.Z")
        super().flush(queue_name)

    def _key(self, queue_name: str) -> str:
        return f"{self.namespace}:{queue_name}"


class Forwarder(dramatiq.Middleware):
    """Moves due messages to their queues, from a thread in each worker. Any number may run."""

    def __init__(self, broker: SortedSetBroker, tick: float) -> None:
        self._broker = broker
        self._tick = tick
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002 -- dramatiq's signature
        """Starts."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._thread.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        """Stops; what is due then, another worker moves, or this one after its next start."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._tick):
            for queue_name in self._broker.get_declared_queues():
                try:
                    while self._broker.forward(queue_name) == AT_ONCE and not self._stop.is_set():
                        pass
                except redis.RedisError as error:
                    log.warning("can't look for due messages", queue=queue_name, error=repr(error))


def connect(url: str) -> redis.Redis:
    """Returns a client that gives up soon and tries again a little: it is used from threads that must not hang."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=1,
        socket_timeout=2,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2),
    )
