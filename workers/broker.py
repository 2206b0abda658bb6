"""The message broker, chosen by its URL: Redis, or queues inside this process where no URL is set."""

from collections.abc import Sequence
from typing import Any, Final

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AsyncIO, Callbacks, Retries, ShutdownNotifications, TimeLimit

from workers.settings import Settings
from workers.sorted_set_broker import SortedSetBroker, connect

# Two queues, so that a flood of orders that fall due never delays the news that one was paid.
CLOSING_QUEUE: Final = "order.closing"
PAYMENT_QUEUE: Final = "payment.status"

# Milliseconds. What can't be done within these tries is found again by the sweep.
MAX_RETRIES: Final = 5
MIN_BACKOFF: Final = 500
MAX_BACKOFF: Final = 5_000
TIME_LIMIT: Final = 10_000


def build(settings: Settings) -> dramatiq.Broker:
    """Returns the broker that the settings name; it connects when it is first used."""
    middleware: list[dramatiq.Middleware] = [
        AsyncIO(),
        TimeLimit(time_limit=TIME_LIMIT),
        ShutdownNotifications(),
        Callbacks(),
        Retries(max_retries=MAX_RETRIES, min_backoff=MIN_BACKOFF, max_backoff=MAX_BACKOFF),
    ]
    if not settings.broker_url:
        return StubBroker(middleware=middleware)
    return SortedSetBroker(client=connect(settings.broker_url), middleware=middleware)


def send(broker: dramatiq.Broker, messages: Sequence[tuple[dramatiq.Message[Any], int | None]]) -> None:
    """Sends messages, each with its delay in milliseconds; in one round trip where the broker can."""
    if isinstance(broker, SortedSetBroker):
        broker.enqueue_many(messages)
        return
    for message, delay in messages:
        broker.enqueue(message, delay=delay)
