"""What /metrics answers: what waits in database and broker, counted when somebody asks, and how this process does.

They are for whoever watches the installation, and hold no guest's data; the proxy in front keeps them inside.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import structlog
from prometheus_client import REGISTRY, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.pool import QueuePool
from starlette.requests import Request
from starlette.responses import Response

from domain.clock import Clock
from domain.database import Database
from domain.errors import DatabaseUnavailable
from domain.order import backlog
from domain.outbox import LetterState, Outbox
from workers.queue_figures import QueueFigures

log = structlog.get_logger(__name__)
T = TypeVar("T")

# Seconds; whoever scrapes waits for ten, and a database that takes longer than this is not well.
COUNTED_WITHIN: Final = 2.0
HELP: Final = {
    "homestay_database_up": "1 while the database can be asked, else 0 and the figures that it holds are missing.",
    "homestay_outbox_waiting": "Letters that are not delivered yet.",
    "homestay_dead_letters": "Letters that nobody will deliver unless somebody mends what kept them.",
    "homestay_refunds_due": "Payments that must go back and have not.",
    "homestay_orders_overdue": "Orders that are open past the time at which they should have closed.",
    "homestay_database_connections_in_use": "Connections of this process that a transaction holds.",
    "homestay_database_connections_limit": "Connections that this process may have.",
    "homestay_tasks": "Tasks of this process's loop: requests, streams and what it does by itself.",
}


class Metrics:
    """The endpoint /metrics.

    Args:
        database: asked at each scrape, so that every process of an installation tells the same.
        clock: the present.
        letters: whether this process's database has letters.
        orders: whether it has orders.
        loop: the loop that the database belongs to; None for that of whoever asks.
        queues: the broker's; None where this process tells nothing of them.
        of_all: makes of this process's own figures those of all that share its address; None where it has its own.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        letters: bool = True,
        orders: bool = True,
        loop: asyncio.AbstractEventLoop | None = None,
        queues: QueueFigures | None = None,
        of_all: Callable[[bytes], Awaitable[Iterable[Metric]]] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._outbox = Outbox(database, clock) if letters else None
        self._orders = orders
        self._loop = loop
        self._queues = queues
        self._of_all = of_all

    async def answer(self, _: Request) -> Response:
        """Answers a scrape, in the text format that everybody reads: what a scraper accepts is not looked at."""
        figures, queues = await asyncio.gather(self._figures(), self._queues.gather() if self._queues else _nothing())
        if self._of_all is None:
            scrape = _Scrape({**figures, **self._here()}, queues, REGISTRY.collect)
        else:
            told = await self._of_all(self.own())
            scrape = _Scrape(figures, queues, lambda: told)
        content = generate_latest(scrape)
        return Response(content, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    def own(self) -> bytes:
        """What this process counts of itself, in the same format."""
        return generate_latest(_Scrape(self._here(), [], REGISTRY.collect))

    async def _figures(self) -> Mapping[str, int]:
        try:
            async with asyncio.timeout(COUNTED_WITHIN):
                return {"homestay_database_up": 1, **await on_loop(self._loop, self._count())}
        except (DatabaseUnavailable, TimeoutError) as error:
            log.warning("figures not counted: the database can't be asked", reason=repr(error))
            return {"homestay_database_up": 0}

    async def _count(self) -> Mapping[str, int]:
        figures: dict[str, int] = {}
        if self._outbox is not None:
            letters = await self._outbox.counts()
            figures |= {
                "homestay_outbox_waiting": letters[LetterState.WAITING],
                "homestay_dead_letters": letters[LetterState.DEAD],
            }
        if self._orders:
            orders = await self._database.read(lambda connection: backlog.count(connection, self._clock.sql_now()))
            figures |= {"homestay_refunds_due": orders.refunds_due, "homestay_orders_overdue": orders.overdue}
        if not figures:
            await self._database.ping()
        return figures

    def _connections(self) -> Mapping[str, int]:
        pool = self._database.engine.pool
        if not isinstance(pool, QueuePool):
            return {}
        return {
            "homestay_database_connections_in_use": pool.checkedout(),
            "homestay_database_connections_limit": pool.size(),
        }

    def _here(self) -> Mapping[str, int]:
        """What only this process can say."""
        return {**self._connections(), "homestay_tasks": len(asyncio.all_tasks(self._loop))}


async def _nothing() -> Sequence[Metric]:
    return ()


async def on_loop(loop: asyncio.AbstractEventLoop | None, work: Coroutine[Any, Any, T]) -> T:
    """Does work on another loop, which may run in another thread; None for the present one."""
    if loop is None:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


class _Scrape(Collector):
    """The figures of one scrape, then what processes count of themselves."""

    def __init__(
        self, figures: Mapping[str, int], queues: Sequence[Metric], processes: Callable[[], Iterable[Metric]]
    ) -> None:
        self._figures = figures
        self._queues = queues
        self._processes = processes

    def collect(self) -> Iterator[Metric]:
        """Everything that there is to tell."""
        for name, value in self._figures.items():
            yield GaugeMetricFamily(name, HELP[name], value=value)
        yield from self._queues
        yield from self._processes()
