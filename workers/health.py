"""How a worker is: whether its threads live, its loop answers, and it can ask what it needs."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import dramatiq

from domain.database import Database
from workers import queue_depths
from workers.metrics import on_loop
from workers.queue_depths import BrokerAway
from workers.sweeper import Sweeper
from workers.watch_server import Check, NotWell, responsive

# Seconds, beside two intervals. A sweep of a large backlog takes some, but gets on with every batch, each of whose
# questions has a deadline of some seconds.
SWEPT_WITHIN: Final = 60.0


def live(worker: dramatiq.Worker, sweeper: Sweeper, loop: asyncio.AbstractEventLoop) -> Mapping[str, Check]:
    """Checks of what a restart would mend.

    Not among them: that sweeps fail, as they do without a database. That would have all workers restarted at once, and
    help nobody. Nor that a message hangs: it is broken off after `workers.broker.TIME_LIMIT`.
    """

    async def threads() -> None:
        dead = [name for name, thread in worker.consumers.items() if not thread.is_alive()]
        if dead or not worker.consumers:
            raise NotWell(f"no thread consumes {', '.join(sorted(dead)) or 'anything'}")
        if count := sum(not thread.is_alive() for thread in worker.workers):
            raise NotWell(f"{count} worker threads have ended")

    async def sweeping() -> None:
        still = time.monotonic() - sweeper.moved_at
        if still > SWEPT_WITHIN + 2 * sweeper.interval:
            raise NotWell(f"the sweep has not got on for {still:.0f} s")

    return {"threads": threads, "loop": responsive(loop), "sweep": sweeping}


def ready(
    broker: dramatiq.Broker, database: Database, sweeper: Sweeper, loop: asyncio.AbstractEventLoop
) -> Mapping[str, Check]:
    """Checks of what else it needs."""

    async def ask_database() -> None:
        await on_loop(loop, database.ping())

    async def ask_broker() -> None:
        try:
            await asyncio.to_thread(queue_depths.ping, broker)
        except BrokerAway as error:
            raise NotWell(str(error)) from error

    async def swept() -> None:
        age = time.monotonic() - sweeper.ended_at
        if age > SWEPT_WITHIN + 2 * sweeper.interval:
            raise NotWell(f"the last sweep ended {age:.0f} s ago")

    return {"database": ask_database, "broker": ask_broker, "swept": swept}
