"""What a process of several is told by its parent, and how it hears that there is no parent any more."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Seat:
    """One place among the processes; whoever dies there is followed by another one.

    Attributes:
        number: from 1.
        of: how many there are.
        port: the one that all serve.
        directory: where they meet.
    """

    number: int
    of: int
    port: int
    directory: Path

    @property
    def name(self) -> str:
        """For people."""
        return f"process {self.number} of {self.of}"

    @property
    def figures(self) -> Path:
        """The socket on which whoever sits here tells its figures."""
        return self.directory / f"{self.number}.sock"

    def others(self) -> "Iterator[Seat]":
        """All other places."""
        for number in range(1, self.of + 1):
            if number != self.number:
                yield Seat(number, self.of, self.port, self.directory)


class Parent:
    """Ends this process, as SIGTERM does, when its parent is gone: nobody else would.

    The parent holds the other end of standard input, and never writes.
    """

    name = "parent"

    def __init__(self) -> None:
        self._transport: asyncio.ReadTransport | None = None

    async def start(self) -> None:
        """Listens from now on."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(_EndsWithIt, sys.stdin)

    async def stop(self) -> None:
        """Listens no more."""
        if self._transport is not None:
            self._transport.close()


class _EndsWithIt(asyncio.Protocol):
    def eof_received(self) -> None:
        log.error("the parent process is gone")
        os.kill(os.getpid(), signal.SIGTERM)
