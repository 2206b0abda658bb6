"""A Redis broker whose delayed messages wait in Redis, not in a worker's memory.

dramatiq's own RedisBroker hands delayed messages to whichever worker fetches them first, and they wait there: a worker
that is killed delays them by minutes, and a Redis error at the wrong moment ends the thread that holds them. Here they
wait in a sorted set by due time, and a forwarder in each worker moves what is due to the normal queue. The interface is
dramatiq's (`send_with_options(delay=…)`, `Retry(delay=…)`, backoff of retries). It rests on internals of dramatiq 2.2,
which is why that minor version is pinned.
"""

import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from time import monotonic, sleep
from types import MappingProxyType
from typing import Any, Final

import dramatiq
import orjson
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed, DecodeError
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from workers.bundles import REDIS_ID, Taken, joined
from workers.redis_queue import New, RedisQueue, Stored

log = structlog.get_logger(__name__)

# Seconds between two looks at what is due: at most, and at least where the next one is known to fall due sooner.
TICK: Final = 0.5
SHORTEST_TICK: Final = 0.02
# Seconds until Redis is asked again after it failed.
ASK_AGAIN: Final = 0.5
# Seconds between two looks for messages that got lost on their way from Redis.
RECLAIM: Final = 2.0
# Seconds of the first pause of a consumer that found nothing; each further one is twice as long.
FIRST_PAUSE: Final = 0.005
# Characters of an error that are kept with a dead message.
ERROR_LENGTH: Final = 500


class _Consumer(dramatiq.Consumer):
    """Takes the messages of one queue. No Redis error leaves it, since that could end the consumer's thread."""

    def __init__(self, broker: "SortedSetBroker", queue_name: str, prefetch: int, timeout: int) -> None:
        self._broker = broker
        self._queue = broker.queue(queue_name)
        self._prefetch = prefetch
        self._longest_pause = timeout / 1000
        self._pause = FIRST_PAUSE
        self._taken: deque[Taken] = deque()
        self._reclaim_at = 0.0

    def __next__(self) -> dramatiq.MessageProxy | None:
        if not self._taken and not self._take():
            return None
        return self._taken.popleft()

    def ack(self, message: dramatiq.MessageProxy) -> None:
        """Forgets a message, or sends it again, in the same step: no crash or outage between the two loses it."""
        taken = _taken(message)
        if taken.runs_again:
            again = [New(id_, encoded, taken.delay) for id_, encoded in taken.encoded()]
            self._settle(lambda: self._queue.again(again))
        else:
            self._settle(lambda: self._queue.done(taken.ids))

    def nack(self, message: dramatiq.MessageProxy) -> None:
        """Puts a message among the dead, with what it died of."""
        error = repr(message._exception)[:ERROR_LENGTH]  # noqa: SLF001 -- dramatiq gives it no other name
        dead = [Stored(id_, encoded) for id_, encoded in _taken(message).encoded(error=error)]
        self._settle(lambda: self._queue.bury(dead))

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        """Gives back what did not run.

        Raises:
            ConnectionClosed: Redis can't be asked; others take it over.
        """
        ids = [id_ for message in messages for id_ in _taken(message).ids]
        try:
            self._give_back(ids)
        except redis.RedisError as error:
            raise ConnectionClosed(error) from None

    def close(self) -> None:
        """Gives back what was taken and not yet handed on."""
        ids = [id_ for taken in self._taken for id_ in taken.ids]
        self._taken.clear()
        with suppress(redis.RedisError):
            self._give_back(ids)

    def _give_back(self, ids: list[str]) -> None:
        # A worker that stops does not wait for a Redis that is known to fail: others take over what it has.
        if ids and not (self._broker.stopping.is_set() and self._broker.outage.lasts):
            self._queue.give_back(ids)

    def _take(self) -> bool:
        if self._broker.stopping.is_set():
            # What is taken now would only have to be given back.
            sleep(SHORTEST_TICK)
            return False
        try:
            if monotonic() >= self._reclaim_at:
                if count := self._queue.reclaim():
                    log.info("messages found that got lost on their way from Redis", count=count)
                self._reclaim_at = monotonic() + RECLAIM
            found = self._queue.take(self._prefetch)
        except redis.RedisError as error:
            self._broker.outage.begins("take", error)
            self._reclaim_at = 0.0
            self._broker.stopping.wait(ASK_AGAIN)
            return False
        self._broker.outage.ends("take")
        if found:
            self._pause = FIRST_PAUSE
            self._read(found)
            return bool(self._taken)
        self._queue.arrived.wait(self._pause)
        self._pause = min(2 * self._pause, self._longest_pause)
        return False

    def _read(self, found: Iterable[Stored]) -> None:
        messages, unreadable = [], []
        for stored in found:
            try:
                message = _decoded(stored.encoded)
            except DecodeError as error:
                log.warning("message that nobody can read", id=stored.id, error=repr(error.error))
                unreadable.append(stored)
            else:
                message.options[REDIS_ID] = stored.id
                messages.append(message)
        self._taken.extend(joined(messages, self._broker.joined))
        if unreadable:
            self._settle(lambda: self._queue.bury(unreadable))

    def _settle(self, step: Callable[[], None]) -> None:
        """Tells Redis what became of a message, however long that takes; or not at all when the worker stops.

        Then the message runs a second time, elsewhere.
        """
        while True:
            try:
                step()
            except redis.RedisError as error:
                self._broker.outage.begins("settle", error)
                if self._broker.stopping.wait(ASK_AGAIN):
                    log.warning("a message ran, and Redis could not be told", error=repr(error))
                    return
            else:
                self._broker.outage.ends("settle")
                return


class SortedSetBroker(RedisBroker):
    """`dramatiq.brokers.redis.RedisBroker` with delayed messages in a sorted set `<queue>.Z`.

    Args:
        client: a Redis client with timeouts.
        middleware: as for every dramatiq broker.
        tick: seconds between two looks at what is due, at most.
        held: by queue, messages that a worker may hold at least, whatever number of threads it has.
        joined: by actor, messages that may run as one, for those that take any number of arguments.
    """

    def __init__(
        self,
        *,
        client: redis.Redis,
        middleware: list[dramatiq.Middleware],
        tick: float = TICK,
        held: Mapping[str, int] = MappingProxyType({}),
        joined: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        # Its maintenance by chance is of no use: the forwarder's is regular, and judges by one clock.
        super().__init__(client=client, middleware=middleware, maintenance_chance=0)
        self._queues: dict[str, RedisQueue] = {}
        self._held = held
        self.joined = joined
        self.outage = _Outage()
        self.stopping = threading.Event()
        self.add_middleware(Forwarder(self, tick))

    def queue(self, queue_name: str) -> RedisQueue:
        """The queue of this name."""
        if queue_name not in self._queues:
            opened = RedisQueue(self.client, namespace=self.namespace, name=queue_name, worker=self.broker_id)
            # Of two threads that come here at once, one opens a queue in vain.
            self._queues.setdefault(queue_name, opened)
        return self._queues[queue_name]

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> dramatiq.Consumer:
        """What a worker takes messages with.

        Args:
            queue_name: the queue's.
            prefetch: messages that the worker may hold.
            timeout: milliseconds of the longest pause when none comes.
        """
        return _Consumer(self, queue_name, max(prefetch, self._held.get(queue_name, 0)), timeout)

    def declare_queue(self, queue_name: str) -> None:
        """Declares a queue; none for delayed messages, since no worker holds those."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        """Sends a message, to be run in `delay` milliseconds at the earliest.

        A message that this worker has taken, as for a retry, is sent when it is acknowledged.

        Raises:
            redis.RedisError: it was not sent, or it is not known whether it was.
        """
        if isinstance(message, Taken):
            self.emit_before("enqueue", message, delay)
            message.runs_again, message.delay = True, delay
            self.emit_after("enqueue", message, delay)
            return message
        (sent,) = self.enqueue_many([(message, delay)])
        return sent

    def enqueue_many(self, messages: Sequence[tuple[dramatiq.Message[Any], int | None]]) -> list[dramatiq.Message[Any]]:
        """Sends messages, each with its delay in milliseconds, hundreds in one round trip.

        Raises:
            redis.RedisError: some were not sent, or it is not known whether they were.
        """
        # An id of its own for each sending, since a message may be sent several times; short, since many wait.
        sent = [(message.copy(options={REDIS_ID: secrets.token_urlsafe(12)}), delay) for message, delay in messages]
        for message, delay in sent:
            self.emit_before("enqueue", message, delay)
        new: dict[str, list[New]] = {}
        for message, delay in sent:
            # What is due at once waits a moment for nobody: a delay of 0 is due at the next tick.
            each = New(message.options[REDIS_ID], message.encode(), delay)
            new.setdefault(message.queue_name, []).append(each)
        for queue_name, added in new.items():
            self.queue(queue_name).add(added)
        for message, delay in sent:
            self.emit_after("enqueue", message, delay)
        return [message for message, _ in sent]

    def delayed(self, queue_name: str) -> int:
        """How many messages of a queue wait for their time.

        Raises:
            redis.RedisError: Redis can't be asked.
        """
        return self.queue(queue_name).waiting()

    def flush(self, queue_name: str) -> None:
        """Drops all messages of a queue, also those that wait and the dead.

        Raises:
            redis.RedisError: Redis can't be asked.
        """
        self.queue(queue_name).clear()


class Forwarder(dramatiq.Middleware):
    """Moves due messages to their queues and shows that its worker lives. Any number of workers may run one."""

    def __init__(self, broker: SortedSetBroker, tick: float) -> None:
        self._broker = broker
        self._tick = tick
        self._stopped = threading.Event()

    def before_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002 -- dramatiq's signature
        """Lets the worker ask Redis as long as it takes."""
        self._broker.stopping.clear()

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        """Starts."""
        self._stopped = threading.Event()
        threading.Thread(target=self._run, args=[self._stopped], name="forwarder", daemon=True).start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        """Lets nothing wait for Redis any more."""
        self._broker.stopping.set()

    def after_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:  # noqa: ARG002
        """Stops, but not before the last message has ended: until then, this worker lives."""
        self._stopped.set()

    def _run(self, stopped: threading.Event) -> None:
        pause = 0.0
        while not stopped.wait(pause):
            pause = self._tick
            for queue_name in self._broker.get_declared_queues():
                try:
                    tick = self._broker.queue(queue_name).tick()
                except Exception as error:  # noqa: BLE001 -- without this thread, nothing delayed would run again
                    self._broker.outage.begins("tick", error)
                    continue
                self._broker.outage.ends("tick")
                if tick.taken_over:
                    log.warning("messages taken over from a dead worker", queue=queue_name, count=tick.taken_over)
                if tick.next_due >= 0:
                    pause = min(pause, max(SHORTEST_TICK, tick.next_due / 1000))


class _Outage:
    """Says once that Redis fails, and once that it answers again."""

    def __init__(self) -> None:
        self._failing: set[str] = set()

    @property
    def lasts(self) -> bool:
        return bool(self._failing)

    def begins(self, asked: str, error: Exception) -> None:
        if asked not in self._failing:
            self._failing.add(asked)
            log.warning("Redis fails", asked=asked, error=repr(error))

    def ends(self, asked: str) -> None:
        if asked in self._failing:
            self._failing.discard(asked)
            log.info("Redis answers again", asked=asked)


def _decoded(encoded: bytes) -> dramatiq.Message[Any]:
    """As dramatiq does it, in a third of the time.

    Raises:
        DecodeError: nobody can.
    """
    try:
        return dramatiq.Message(**orjson.loads(encoded))
    except (ValueError, TypeError):
        return dramatiq.Message.decode(encoded)


def _taken(message: dramatiq.MessageProxy) -> Taken:
    if not isinstance(message, Taken):
        raise TypeError(f"{message!r} was not taken by a consumer of this broker")
    return message


def connect(url: str) -> redis.Redis:
    """Returns a client that gives up within some 2 s: it is used from threads that must not hang.

    A connection that broke is tried again. An answer that did not come in time is not: the client repeats the command
    on new connections, and each of those as often again, which on a Redis that hangs makes 18 s of 2.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=1,
        socket_timeout=2,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2, supported_errors=(redis.ConnectionError,)),
    )
