"""The life of a process: its services start in order and stop in reverse; one that can't start stops the rest."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

log = structlog.get_logger(__name__)

# Seconds for one service to stop; an orchestrator's usual 30 s leave room for several.
STOP_WITHIN: Final = 12.0


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
    """The services of one process."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._services = services
        self._running: list[Service] = []

    async def start(self) -> None:
        """Starts all in order.

        Raises:
            Exception: what kept one from starting; those before it were stopped again.
        """
        for service in self._services:
            try:
                await service.start()
            except BaseException:
                await self.stop()
                raise
            self._running.append(service)

    async def stop(self) -> None:
        """Stops all that run, last started first. One that fails or hangs does not keep the others running."""
        while self._running:
            service = self._running.pop()
            try:
                async with asyncio.timeout(STOP_WITHIN):
                    await service.stop()
            except Exception:
                log.exception("service did not stop cleanly", service=service.name)

    async def run(self, started: Callable[[], None] = lambda: None) -> None:
        """Starts all, says so, and stops all on SIGTERM or SIGINT."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await self.start()
        started()
        await stop.wait()
        await self.stop()
