"""A stretch of network between two programs that a test may break, in each of the ways in which networks break."""

import asyncio
from contextlib import suppress
from enum import Enum, auto
from typing import Final, Self

from tests.servers.ports import free_port

_CHUNK: Final = 64 * 1024
# Seconds that each piece of an answer takes where the network is slow.
_DELAY: Final = 5.0


class Mode(Enum):
    """What becomes of connections and of what is sent through them."""

    GOOD = auto()
    # Nobody listens, and what was connected is cut.
    REFUSED = auto()
    # Connections are taken, and nothing comes through them, nor ever will: whoever waits for one waits in vain.
    SILENT = auto()
    # Nothing comes through for now, and all of it later.
    STOPPED = auto()
    # Every piece of an answer comes 5 s late.
    SLOW = auto()
    # The connection is cut in the midst of an answer.
    RESET = auto()
    # An answer comes at 1 kB/s.
    TRICKLE = auto()


class Proxy:
    """A TCP proxy on a port of its own, in front of a port of 127.0.0.1, in the loop of the test.

    Args:
        target: the port behind it.
    """

    def __init__(self, target: int) -> None:
        self.port: Final = free_port()
        self._target = target
        self._mode = Mode.GOOD
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.become(Mode.GOOD)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_listening()
        self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def become(self, mode: Mode) -> None:
        """Behaves like this from now on, towards old connections and new ones."""
        if mode in {Mode.SILENT, Mode.STOPPED}:
            self._flowing.clear()
        if self._mode is Mode.SILENT and mode is not Mode.SILENT:
            # They stay open, and what they wait for is set never.
            self._flowing = asyncio.Event()
        if mode is Mode.GOOD:
            self._flowing.set()
        self._mode = mode
        self._changed.set()
        self._changed = asyncio.Event()
        if mode is Mode.REFUSED:
            await self._stop_listening()
            self._cut()
        elif self._server is None:
            self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _cut(self) -> None:
        for end in self._ends:
            end.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self._ends.add(writer)
        with suppress(OSError, asyncio.CancelledError):
            answers, questions = await asyncio.open_connection("127.0.0.1", self._target)
            self._ends.add(questions)
            try:
                await asyncio.gather(self._pump(reader, questions, to=False), self._pump(answers, writer, to=True))
            finally:
                self._ends -= {writer, questions}
                writer.transport.abort()
                questions.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to: bool) -> None:
        flowing = self._flowing
        while piece := await reader.read(_CHUNK):
            if flowing is not self._flowing:
                await asyncio.Event().wait()
            await flowing.wait()
            if to:
                await self._answer(piece, writer)
            else:
                writer.write(piece)
                await writer.drain()
        # One end has gone, and the other is to hear of it.
        writer.write_eof()

    async def _answer(self, piece: bytes, writer: asyncio.StreamWriter) -> None:
        match self._mode:
            case Mode.SLOW:
                # What is late is late no more when the network is well again.
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _DELAY)
            case Mode.RESET:
                writer.write(piece[: len(piece) // 2])
                await writer.drain()
                self._cut()
                return
            case Mode.TRICKLE:
                while piece and self._mode is Mode.TRICKLE:
                    writer.write(piece[:100])
                    await writer.drain()
                    piece = piece[100:]
                    await asyncio.sleep(0.1)
        writer.write(piece)
        await writer.drain()
