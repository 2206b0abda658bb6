"""The message broker, chosen by its URL: Redis, RabbitMQ, or queues inside this process where no URL is set."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AsyncIO, Callbacks, Retries, ShutdownNotifications, TimeLimit

from workers.closer import BATCH
from workers.message_traces import MessageTraces
from workers.settings import Settings
from workers.sorted_set_broker import SortedSetBroker, connect

# Two queues, so that a flood of orders that fall due never delays the news that one was paid.
CLOSING_QUEUE: Final = "order.closing"
PAYMENT_QUEUE: Final = "payment.status"
CLOSE_UNPAID: Final = "order.close_unpaid"
# Messages that a worker may hold where they are closed in batches: a few of them. Else two for each of its threads.
HELD: Final = {CLOSING_QUEUE: 800}
# Messages that run as one.
JOINED: Final = {CLOSE_UNPAID: BATCH}

# Milliseconds. What can't be done within these tries is found again by the sweep.
MAX_RETRIES: Final = 5
MIN_BACKOFF: Final = 500
MAX_BACKOFF: Final = 5_000
TIME_LIMIT: Final = 10_000


def build(settings: Settings) -> dramatiq.Broker:
    """Returns the broker that the settings name; it connects when it is first used."""
    middleware: list[dramatiq.Middleware] = [
        AsyncIO(),
        MessageTraces(),
        TimeLimit(time_limit=TIME_LIMIT),
        ShutdownNotifications(),
        Callbacks(),
        Retries(max_retries=MAX_RETRIES, min_backoff=MIN_BACKOFF, max_backoff=MAX_BACKOFF),
    ]
    url, stock = _without_choice(settings.broker_url)
    if not url:
        return StubBroker(middleware=middleware)
    if url.startswith("amqp"):
        return RabbitmqBroker(url=url, confirm_delivery=True, middleware=middleware)
    if stock:
        return RedisBroker(client=connect(url), middleware=middleware)  # type: ignore[no-untyped-call] # dramatiq's own
    return SortedSetBroker(client=connect(url), middleware=middleware, held=HELD, joined=JOINED)


def redis_url(settings: Settings) -> str:
    """The Redis that the settings name as broker; empty where they name none."""
    url, _ = _without_choice(settings.broker_url)
    return url if url.startswith("redis") else ""


def _without_choice(url: str) -> tuple[str, bool]:
    """Splits `?broker=stock`, which asks for dramatiq's own Redis broker, from a URL."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    rest = [(name, value) for name, value in query if name != "broker"]
    return urlunsplit(parts._replace(query=urlencode(rest))), ("broker", "stock") in query


def send(broker: dramatiq.Broker, messages: Sequence[tuple[dramatiq.Message[Any], int | None]]) -> None:
    """Sends messages, each with its delay in milliseconds; in one round trip where the broker can."""
    if isinstance(broker, SortedSetBroker):
        broker.enqueue_many(messages)
        return
    for message, delay in messages:
        broker.enqueue(message, delay=delay)
