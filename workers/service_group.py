"""The life of a process: its services start in order and stop in reverse; one that can't start stops the rest."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Protocol

import structlog

log = structlog.get_logger(__name__)

# Seconds for all services to stop: a program is promised to end within 15 s of SIGTERM.
STOP_WITHIN: Final = 13.0
# Of these, what is left for each service at least, whatever those before it took.
_AT_LEAST: Final = 0.25


class Service(Protocol):
    """Something that runs until it is stopped."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    async def start(self) -> None:
        """Returns when it runs."""
        ...

    async def stop(self) -> None:
        """Finishes what it holds and returns."""
        ...


class ServiceGroup:
    """The services of one process.

    Args:
        services: in the order in which they start.
        within: seconds for all of them to stop; None for `STOP_WITHIN`.
    """

    def __init__(self, services: Sequence[Service], *, within: float | None = None) -> None:
        self._services = services
        self._within = within
        self._running: list[Service] = []

    async def start(self) -> None:
        """Starts all in order.

        Raises:
            Exception: what kept one from starting, with a note that names it; those before it were stopped again.
        """
        for service in self._services:
            try:
                await service.start()
            except BaseException as error:
                error.add_note(f"{service.name} could not be started")
                await self.stop()
                raise
            self._running.append(service)

    async def stop(self) -> None:
        """Stops all that run, last started first, within the seconds that they have.

        One that fails or hangs does not keep the others running: what it held is left for others to take up.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (STOP_WITHIN if self._within is None else self._within)
        while self._running:
            service = self._running.pop()
            try:
                async with asyncio.timeout(max(_AT_LEAST, deadline - loop.time())):
                    await service.stop()
            except TimeoutError:
                log.warning("service did not stop in time", service=service.name)
            except Exception:
                log.exception("service did not stop cleanly", service=service.name)

    async def run(
        self,
        started: Callable[[], None] = lambda: None,
        *,
        until: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """Starts all, says so, and stops all on SIGTERM or SIGINT.

        Args:
            started: says so.
            until: awaited when all run; they stop when it ends, too.

        Raises:
            Exception: what kept one from starting, or what `until` raised.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await self.start()
        started()
        ends: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
        if until is not None:
            ends.append(asyncio.create_task(until()))
        done, others = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        await self.stop()
        for end in others:
            end.cancel()
        for end in done:
            end.result()
