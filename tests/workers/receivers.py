"""Somebody letters are for, relays that run for a while, and waiting for what they do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from domain.database import Database
from domain.outbox import Letter
from tests.outbox.letters import column
from workers.relay import Relay

# Seconds between two looks where a test doesn't wake the relay.
SOON: Final = 0.05
# Seconds that a test waits for what should have happened long before.
PATIENCE: Final = 20.0


class Receiver:
    """Somebody letters are for: keeps what came, and may fail, hang or be slow."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.failures: list[Exception] = []
        self.delay = 0.0
        self.open = asyncio.Event()
        self.open.set()
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(self, letter: Letter) -> None:
        self.came.append(letter.subject)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.delay)
            await self.open.wait()
            if self.failures:
                raise self.failures.pop(0)
        finally:
            self.at_once -= 1


@asynccontextmanager
async def running(*relays: Relay) -> AsyncIterator[None]:
    for relay in relays:
        await relay.start()
    try:
        yield
    finally:
        for relay in relays:
            await relay.stop()


async def until(what: Callable[[], Any]) -> None:
    """Waits until something is so."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def until_all_are(database: Database, value: Any, name: str = "state") -> None:
    """Waits until all letters have this state, or another column this value."""
    end = time.monotonic() + PATIENCE
    while (found := set((await column(database, name)).values())) != {value}:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)


def names(numbers: Iterable[int]) -> list[str]:
    return [f"HSO{number}" for number in numbers]
