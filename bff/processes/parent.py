"""The parent of several processes: starts them, starts others for those that die, and tells them when to end.

Each listens on a socket of its own, and the kernel deals out connections among those that do, so the parent is in
nobody's way.
"""

import asyncio
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from bff.http.listener import reserve
from bff.processes.figures import ask
from bff.processes.seat import Seat

log = structlog.get_logger(__name__)

# -P: what lies in the directory that it is started in is none of ours.
COMMAND: Final = (sys.executable, "-P", "-m", "bff.cli", "bff-process")
# Seconds between two looks whether one that was started is ready, and whether one that is ready still answers.
LOOK: Final = 0.05
WATCH: Final = 5.0
# Seconds for which one may not answer until it is taken for hung.
HUNG: Final = 30.0
# Seconds after which one that dies is followed at once; one that dies sooner each time is followed later and later.
STEADY: Final = 60.0
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0
# Seconds for all to end. Each takes `workers.service_group.STOP_WITHIN` at most; whoever takes longer is killed.
STOP_WITHIN: Final = 13.4


class NotServing(OSError):
    """A process ended before it served, and no other one does."""


class Processes:
    """As many processes as are wanted, that serve one address.

    Args:
        host: address to listen on.
        port: port to listen on.
        count: how many.
        command: what each runs, before what it is told of its seat.
    """

    name = "processes"

    def __init__(self, *, host: str, port: int, count: int, command: Sequence[str] = COMMAND) -> None:
        self._host = host
        self._port = port
        self._count = count
        self._command = command
        self._reserved: socket.socket | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._running: dict[int, Process] = {}
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """The one that they serve."""
        return self._port if self._reserved is None else int(self._reserved.getsockname()[1])

    async def start(self) -> None:
        """Starts the first, and when it serves the others: so tables are made once, and what is wrong is told once.

        Raises:
            OSError: the address is taken.
            NotServing: a process ended before it served.
        """
        self._reserved = reserve(self._host, self._port)
        self._directory = tempfile.TemporaryDirectory(prefix="homestay-bff-")
        seats = [
            Seat(number, self._count, self.port, Path(self._directory.name)) for number in range(1, self._count + 1)
        ]
        try:
            await self._start(seats[0])
            await asyncio.gather(*(self._start(seat) for seat in seats[1:]))
        except BaseException:
            await self.stop()
            raise
        self._keepers = [asyncio.create_task(self._keep(seat), name=seat.name) for seat in seats]

    async def broken(self) -> None:
        """Returns never, and raises where no process serves any more and none can be started.

        Raises:
            NotServing: why.
        """
        await asyncio.gather(*self._keepers)

    async def stop(self) -> None:
        """Tells all to end, and waits until they have."""
        for keeper in self._keepers:
            keeper.cancel()
        running = [process for process in self._running.values() if process.returncode is None]
        for process in running:
            with suppress(ProcessLookupError):
                process.terminate()
        if running:
            _, late = await asyncio.wait([asyncio.ensure_future(each.wait()) for each in running], timeout=STOP_WITHIN)
            for process in running if late else ():
                if process.returncode is None:
                    log.warning("process did not end in time", pid=process.pid)
                    process.kill()
        if self._reserved is not None:
            self._reserved.close()
        if self._directory is not None:
            self._directory.cleanup()

    async def _start(self, seat: Seat) -> None:
        """Starts a process, and waits until it serves. A change of the tables before that takes as long as it takes."""
        seat.figures.unlink(missing_ok=True)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *map(str, (seat.number, seat.of, seat.port, seat.directory)),
            # It ends when this does, see `Parent`.
            stdin=asyncio.subprocess.PIPE,
        )
        self._running[seat.number] = process
        while not await ask(seat):
            if process.returncode is not None:
                del self._running[seat.number]
                raise NotServing(f"{seat.name} ended with exit code {process.returncode} before it served")
            await asyncio.sleep(LOOK)

    async def _keep(self, seat: Seat) -> None:
        """Has another process follow each that dies there."""
        pause, began = 0.0, asyncio.get_running_loop().time()
        while True:
            if (process := self._running.get(seat.number)) is not None:
                code = await self._end_of(process, seat)
                del self._running[seat.number]
                lived = asyncio.get_running_loop().time() - began
                pause = 0.0 if lived > STEADY else _longer(pause)
                log.error("process ended", process=seat.number, pid=process.pid, code=code, again_in=pause)
            await asyncio.sleep(pause)
            began = asyncio.get_running_loop().time()
            try:
                await self._start(seat)
            except NotServing as error:
                if not any(each.returncode is None for each in self._running.values()):
                    raise
                pause = _longer(pause)
                log.error("process not started", reason=str(error), again_in=pause)  # noqa: TRY400 -- it says why

    async def _end_of(self, process: Process, seat: Seat) -> int:
        """Waits until a process has ended, and ends it when its loop has not answered for long."""
        loop = asyncio.get_running_loop()
        ended = asyncio.ensure_future(process.wait())
        answered = loop.time()
        try:
            while True:
                done, _ = await asyncio.wait([ended], timeout=WATCH)
                if done:
                    return ended.result()
                if await ask(seat):
                    answered = loop.time()
                elif loop.time() - answered > HUNG:
                    log.error("process hangs", process=seat.number, pid=process.pid)
                    with suppress(ProcessLookupError):
                        process.kill()
        finally:
            ended.cancel()


def _longer(pause: float) -> float:
    return min(pause * 2 or FIRST_PAUSE, LONGEST_PAUSE)
