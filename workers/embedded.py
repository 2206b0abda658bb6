"""A dramatiq worker inside this process, for the embedded mode: its queues are the in-process broker's."""

import asyncio
from typing import Final

import dramatiq

THREADS: Final = 4
# Milliseconds that a stop waits for actors under way; above their time limit it would only wait for nothing.
STOP_TIMEOUT: Final = 10_000


class EmbeddedWorker:
    """Consumes this process's own messages. It has its own loop, and so its own engine and channels."""

    name = "worker"

    def __init__(self, broker: dramatiq.Broker) -> None:
        self._worker = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=100)

    async def start(self) -> None:
        """Boots the worker.

        Raises:
            RuntimeError: something that its actors need could not be opened.
        """
        try:
            await asyncio.to_thread(self._worker.start)
        except SystemExit as error:
            raise RuntimeError("the embedded worker can't start") from error

    async def stop(self) -> None:
        """Finishes the messages under way. Those that wait are gone; the tables still know what is due."""
        await asyncio.to_thread(self._worker.stop, STOP_TIMEOUT)
