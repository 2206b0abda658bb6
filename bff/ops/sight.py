"""What the operators' page shows, gathered when somebody looks.

Each part is asked for by itself and within bounds: what can't be asked is told, and takes nothing else with it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from grpc import aio
from prometheus_client import REGISTRY
from sqlalchemy.pool import QueuePool

from domain.clock import Clock
from domain.database import Database
from domain.errors import DatabaseUnavailable
from domain.figures import UPSTREAM
from domain.order import outlook
from domain.order.outlook import Outlook
from domain.outbox import Outbox, Overview
from workers import upstream_health
from workers.dead_messages import DeadMessage, DeadMessages
from workers.queue_depths import QUEUES, BrokerAway, Depth, depths
from workers.upstream_health import Health

log = structlog.get_logger(__name__)
T = TypeVar("T")

# Seconds; what takes longer is shown as missing.
WITHIN: Final = 3.0
# Dead letters, and dead messages of a queue, that are shown: more than an operator reads at once.
SHOWN: Final = 20
# Outcomes of a call that are an answer.
_ANSWERS: Final = {"ok", "not_found"}


@dataclass(frozen=True, slots=True)
class Missing:
    """What could not be asked, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of a service that this process made since it started."""

    service: str
    count: int
    failed: int
    seconds: float

    @property
    def mean(self) -> timedelta:
        """What one took."""
        return timedelta(seconds=self.seconds / self.count if self.count else 0)


@dataclass(frozen=True, slots=True)
class Pool:
    """This process's connections to the database."""

    in_use: int
    limit: int


@dataclass(frozen=True, slots=True)
class View:
    """Everything that there is to see at one moment.

    Attributes:
        at: that moment, by this machine's clock.
        database: how the database is.
        pool: its connections; None where it has no pool.
        orders: closing and refunds.
        letters: the outbox.
        queues: the broker's; None where it is not asked.
        messages: its dead messages; None where it keeps none that can be looked at.
        upstreams: how other services are, by name.
        calls: of them, that this process made.
        closed: what made this process close orders, since it started, by `message` and `sweep`.
    """

    at: datetime
    database: Health
    pool: Pool | None
    orders: Outlook | Missing
    letters: Overview | Missing
    queues: list[Depth] | Missing | None
    messages: list[DeadMessage] | Missing | None
    upstreams: Mapping[str, Health]
    calls: Sequence[Calls]
    closed: Mapping[str, int]


class Sight:
    """Looks at an installation.

    Args:
        database: where orders and letters are.
        clock: the present.
        broker: where messages are.
        upstreams: channels to the other services, by name.
    """

    def __init__(
        self, database: Database, clock: Clock, broker: dramatiq.Broker, upstreams: Mapping[str, aio.Channel]
    ) -> None:
        self._database = database
        self._clock = clock
        self._broker = broker
        self._upstreams = upstreams
        self.outbox = Outbox(database, clock)
        self.dead_messages = DeadMessages(broker) if isinstance(broker, RedisBroker) else None

    async def look(self) -> View:
        """Looks at everything at once."""
        database, orders, letters, queues, messages, upstreams = await asyncio.gather(
            self._ping(),
            _seen(lambda: self._database.read(lambda connection: outlook.look(connection, self._clock))),
            _seen(lambda: self.outbox.overview(SHOWN)),
            _seen(lambda: asyncio.to_thread(depths, self._broker)),
            _seen(lambda: asyncio.to_thread(self._dead_messages)),
            self._ask_upstreams(),
        )
        return View(
            at=self._clock.now(),
            database=database,
            pool=self._pool(),
            orders=orders,
            letters=letters,
            queues=queues,
            messages=messages,
            upstreams=upstreams,
            calls=_calls(),
            closed={by: _closed(by) for by in ("message", "sweep")},
        )

    async def _ping(self) -> Health:
        started = time.perf_counter()
        found = await _seen(self._database.ping)
        if isinstance(found, Missing):
            return Health(well=False, said=found.reason)
        return Health(well=True, said=self._database.engine.dialect.name, seconds=time.perf_counter() - started)

    async def _ask_upstreams(self) -> dict[str, Health]:
        answers = await asyncio.gather(*(upstream_health.ask(channel) for channel in self._upstreams.values()))
        return dict(zip(self._upstreams, answers, strict=True))

    def _pool(self) -> Pool | None:
        pool = self._database.engine.pool
        return Pool(pool.checkedout(), pool.size()) if isinstance(pool, QueuePool) else None

    def _dead_messages(self) -> list[DeadMessage] | None:
        if self.dead_messages is None:
            return None
        return [each for queue in QUEUES for each in self.dead_messages.of(queue, limit=SHOWN)]


async def _seen(ask: Callable[[], Awaitable[T]]) -> T | Missing:
    try:
        async with asyncio.timeout(WITHIN):
            return await ask()
    except TimeoutError:
        return Missing(f"no answer in {WITHIN:g} s")
    except DatabaseUnavailable as error:
        return Missing(error.reason)
    except BrokerAway as error:
        return Missing(f"the broker can't be asked: {error}")
    except redis.RedisError as error:
        # Its words may be an address with a password.
        return Missing(f"the broker can't be asked: {type(error).__name__}")
    except Exception as error:
        # A bug, or tables that are not ours. People look here when much is wrong, and are to see the rest.
        log.exception("a part of the operators' page can't be shown")
        return Missing(f"it failed: {type(error).__name__}; the log says why")


def _calls() -> list[Calls]:
    count: dict[str, int] = {}
    failed: dict[str, int] = {}
    seconds: dict[str, float] = {}
    for sample in (sample for metric in UPSTREAM.collect() for sample in metric.samples):
        service = sample.labels.get("service", "")
        if sample.name.endswith("_count"):
            count[service] = count.get(service, 0) + int(sample.value)
            if sample.labels["outcome"] not in _ANSWERS:
                failed[service] = failed.get(service, 0) + int(sample.value)
        elif sample.name.endswith("_sum"):
            seconds[service] = seconds.get(service, 0.0) + sample.value
    return [Calls(name, count[name], failed.get(name, 0), seconds.get(name, 0.0)) for name in sorted(count)]


def _closed(by: str) -> int:
    return int(REGISTRY.get_sample_value("homestay_orders_closed_total", {"by": by}) or 0)
