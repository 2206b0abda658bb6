"""What actors work with: opened on the worker's own loop before the first message, closed after the last."""

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

import structlog
from dramatiq import Broker, Middleware, Worker
from dramatiq.asyncio import get_event_loop_thread

from domain import tracing
from domain.leases import Leases
from domain.order.room import OrderRoom
from domain.order.settling import Settling
from domain.outbox import Outbox
from workers import bootstrap, logs
from workers import tracing as traces
from workers.broker import CLOSE_UNPAID
from workers.closer import Closer
from workers.deliveries import deliveries
from workers.jobs import holder, jobs
from workers.relay import Relay
from workers.scheduler import Scheduler
from workers.service_group import Service, ServiceGroup
from workers.settings import Settings
from workers.sweeper import Sweeper

log = structlog.get_logger(__name__)

# Seconds. No guest waits here, and a purge or a month's settlements may take longer than a guest's patience; a database
# that hangs is still left in time to close what is due.
STATEMENT_DEADLINE: Final = 8.0


class NoTimer:
    """A worker places no orders, so it has nobody to wake."""

    def close_unpaid(self, sn: str, *, after: float) -> None:
        """Never called.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(f"a worker placed the order {sn} (due in {after} s)")


@dataclass(frozen=True, slots=True)
class _Opened:
    room: OrderRoom
    closer: Closer


class Resources(Middleware):
    """Opens the order context and starts what a worker does by itself when it boots."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._opened: _Opened | None = None
        self._own_process = False

    @property
    def closer(self) -> Closer:
        """Who closes orders that fall due.

        Raises:
            RuntimeError: no worker runs in this process.
        """
        return self._running.closer

    @property
    def settling(self) -> Settling:
        """The use cases of money.

        Raises:
            RuntimeError: no worker runs in this process.
        """
        return self._running.room.settling

    @property
    def _running(self) -> "_Opened":
        if self._opened is None:
            raise RuntimeError("no worker runs in this process")
        return self._opened

    def after_process_boot(self, broker: Broker) -> None:  # noqa: ARG002 -- dramatiq's signature
        """Gives a worker process its logs, and its traces."""
        logs.configure(self._settings)
        traces.start("homestay-worker")
        self._own_process = True
        _be_told_once()

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Opens everything, or does not let the worker start.

        Raises:
            SystemExit: something could not be opened; dramatiq would only log any other exception and start.
        """
        try:
            _on_worker_loop(self._open(broker, worker))
        except Exception as error:
            log.exception("worker can't start")
            raise SystemExit(1) from error
        log.info("worker ready", queues=sorted(broker.get_declared_queues()))

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Closes everything, newest first."""
        self._opened = None
        _on_worker_loop(self._stack.aclose())
        if self._own_process:
            # A forked process ends without a goodbye.
            tracing.finish()

    async def _open(self, broker: Broker, worker: Worker) -> None:
        settings = self._settings
        room = await self._stack.enter_async_context(
            bootstrap.open_orders(settings, NoTimer(), statement_deadline=STATEMENT_DEADLINE)
        )
        webhook = await self._stack.enter_async_context(bootstrap.open_webhook(settings))
        sweeper = Sweeper(room.closing, interval=settings.sweep_interval, grace=settings.sweep_grace)
        group = ServiceGroup(
            [
                sweeper,
                Relay(Outbox(room.database, room.clock), deliveries(room, webhook)),
                Scheduler(Leases(room.database, room.clock), jobs(room), holder()),
                *self._watched(room, broker, worker, sweeper),
            ]
        )
        await group.start()
        self._stack.push_async_callback(group.stop)
        self._opened = _Opened(room, Closer(room.closing, lambda: closings_held(worker)))

    def _watched(self, room: OrderRoom, broker: Broker, worker: Worker, sweeper: Sweeper) -> list[Service]:
        settings, loop = self._settings, asyncio.get_running_loop()
        if not settings.watch_port:
            return []
        from workers import health  # noqa: PLC0415 -- an HTTP server, for those who want one
        from workers.metrics import Metrics  # noqa: PLC0415
        from workers.queue_figures import QueueFigures  # noqa: PLC0415
        from workers.watch_server import WatchServer  # noqa: PLC0415

        server = WatchServer(
            host=settings.watch_host,
            port=settings.watch_port,
            metrics=Metrics(room.database, room.clock, loop=loop, queues=QueueFigures(broker)),
            live=health.live(worker, sweeper, loop),
            ready=health.ready(broker, room.database, sweeper, loop),
        )
        return [server]


def closings_held(worker: Worker) -> list[str]:
    """The sn's of orders whose messages to close them this worker holds and has not begun to run."""
    with worker.work_queue.mutex:
        held = [item.message for item in worker.work_queue.queue]
    told = (message.args for message in held if message.actor_name == CLOSE_UNPAID)
    # What says something else is for whoever runs it to refuse. And several that run as one need no company.
    return [args[0] for args in told if len(args) == 1 and isinstance(args[0], str)]


def _be_told_once() -> None:
    """Has this process hear the signal to stop but once.

    systemd tells all processes of a service to stop, and then dramatiq's first one tells its workers once more. They
    would take that for impatience, and give up what they hold half-way: messages, and threads that never end then.
    """
    handler = signal.getsignal(signal.SIGTERM)
    told = False

    def once(number: int, frame: FrameType | None) -> None:
        nonlocal told
        if not told and callable(handler):
            told = True
            handler(number, frame)

    for number in {signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}:
        signal.signal(number, once)


def _on_worker_loop(work: Any) -> None:  # noqa: ANN401 -- any coroutine
    loop = get_event_loop_thread()
    if loop is None:
        raise RuntimeError("dramatiq's AsyncIO middleware comes first")
    loop.run_coroutine(work)
