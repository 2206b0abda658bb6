"""How full the broker's queues are, for people who look. What a broker does not tell is None, never a guess."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import dramatiq
import redis
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import dq_name
from dramatiq.errors import DecodeError

from workers import rabbitmq
from workers.broker import CLOSING_QUEUE, PAYMENT_QUEUE
from workers.sorted_set_broker import SortedSetBroker

QUEUES: Final = (CLOSING_QUEUE, PAYMENT_QUEUE)


class BrokerAway(Exception):
    """The broker can't be asked. The message is the kind of error: its words may be an address with a password."""


@dataclass(frozen=True, slots=True)
class Depth:
    """How full a queue is.

    Attributes:
        queue: its name.
        ready: messages that may run now.
        delayed: messages that wait for their time; of RabbitMQ's only those that no worker holds in its memory.
        taken: messages that workers hold.
        dead: messages that failed for good.
        age: since the first of those that may run was sent; None where there is none.
        next_due: until the first of those that wait falls due; None where that is not known.
    """

    queue: str
    ready: int
    delayed: int | None = None
    taken: int | None = None
    dead: int | None = None
    age: timedelta | None = None
    next_due: timedelta | None = None


def depths(broker: dramatiq.Broker) -> list[Depth] | None:
    """How full each queue is; None where nobody here knows how to ask. May block, for some seconds at most.

    Raises:
        BrokerAway: it can't be asked.
    """
    try:
        if isinstance(broker, RedisBroker):
            return [_in_redis(broker, queue) for queue in QUEUES]
        if isinstance(broker, RabbitmqBroker):
            counts = rabbitmq.count(broker, QUEUES)
            return [Depth(queue, each.ready, delayed=each.delayed, dead=each.dead) for queue, each in counts.items()]
    except (redis.RedisError, *rabbitmq.ERRORS) as error:
        raise BrokerAway(type(error).__name__) from error
    return [_in_process(broker, queue) for queue in QUEUES] if isinstance(broker, StubBroker) else None


def ping(broker: dramatiq.Broker) -> None:
    """Returns where the broker answers. May block, for some seconds at most.

    Raises:
        BrokerAway: it does not.
    """
    try:
        if isinstance(broker, RedisBroker):
            broker.client.ping()
        elif isinstance(broker, RabbitmqBroker):
            rabbitmq.ping(broker)
    except (redis.RedisError, *rabbitmq.ERRORS) as error:
        raise BrokerAway(type(error).__name__) from error


def _in_process(broker: StubBroker, queue: str) -> Depth:
    # Of those that wait, the worker in this process holds most in its memory, and counts them for nobody.
    return Depth(queue, broker.queues[queue].qsize(), dead=len(broker.dead_letters_by_queue[queue]))


def _in_redis(broker: RedisBroker, queue: str) -> Depth:
    # redis' declared answers are those of both kinds of client, with and without decoding.
    client: Any = broker.client
    live = f"{broker.namespace}:{queue}"
    ours = isinstance(broker, SortedSetBroker)
    waiting = f"{live}.Z"
    with client.pipeline(transaction=True) as asked:
        asked.time()
        asked.llen(live)
        asked.hlen(f"{live}.msgs")
        asked.zcard(f"{live}.XQ")
        asked.lindex(live, 0)
        asked.zcard(waiting)
        asked.zrange(waiting, 0, 0, withscores=True)
        # Where dramatiq's own broker keeps what waits, whether or not a worker holds it.
        asked.hlen(f"{broker.namespace}:{dq_name(queue)}.msgs")
        (seconds, micros), ready, messages, dead, head, delayed, first, delayed_by_dramatiq = asked.execute()
    now = seconds * 1000 + micros // 1000
    return Depth(
        queue,
        ready,
        delayed=delayed if ours else delayed_by_dramatiq,
        taken=max(0, messages - ready - (delayed if ours else 0)),
        dead=dead,
        age=_age(client.hget(f"{live}.msgs", head), now) if head else None,
        next_due=timedelta(milliseconds=max(0, first[0][1] - now)) if first else None,
    )


def _age(encoded: bytes | None, now: int) -> timedelta | None:
    try:
        sent = dramatiq.Message.decode(encoded).message_timestamp if encoded else None
    except DecodeError:
        return None
    return None if sent is None else timedelta(milliseconds=max(0, now - sent))
