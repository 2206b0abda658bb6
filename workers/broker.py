"""The message broker, chosen by its URL: Redis, or queues inside this process where no URL is set."""

from typing import Final

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import AsyncIO, Callbacks, Retries, ShutdownNotifications, TimeLimit
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from workers.settings import Settings

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
    client = redis.Redis.from_url(
        settings.broker_url,
        socket_connect_timeout=1,
        socket_timeout=2,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2),
    )
    return RedisBroker(client=client, middleware=middleware)  # type: ignore[no-untyped-call] # dramatiq's own
