"""A process that places orders, so that a test can kill it."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from typing import Final

from domain.database import Database
from domain.engine import create_engine
from domain.order.pricing import Rules, Stay
from domain.order.room import assemble
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW, SHANGHAI
from tests.fakes import FakePayments, FakeTimer, FakeTravel

# A guest, what one wants, and the key of that wish.
Wish = tuple[int, Stay, str]

_FORKS: Final[ForkServerContext] = multiprocessing.get_context("forkserver")
# Imported once, by the process from which all clerks are forked.
_FORKS.set_forkserver_preload([__name__])


class LastBreath(FakeTimer):
    """A timer that is told of a new order, and with that the process is gone: after the commit, before the answer."""

    def close_unpaid(self, sn: str, *, after: float) -> None:  # noqa: ARG002 -- the port's signature
        os.kill(os.getpid(), signal.SIGKILL)


class Clerk:
    """Places the orders that it is told of, all at once, and tells each one's key and sn."""

    def __init__(self, url: str, now: datetime, *, dies_before_answering: bool = False) -> None:
        self._wishes, wishes = _FORKS.Pipe()
        self._process: BaseProcess = _FORKS.Process(target=_run, args=(url, now, wishes, dies_before_answering))
        self._process.start()
        wishes.close()
        self._wishes.recv()  # it is ready

    def place(self, wishes: Sequence[Wish]) -> None:
        """Hands over some wishes, and does not wait."""
        self._wishes.send(wishes)

    def kill(self, *, answers: int, after: float = 0.0) -> dict[str, str]:
        """Kills it once it has given so many answers, and so many seconds more; returns all that it had given."""
        given: dict[str, str] = {}
        with suppress(EOFError, ConnectionResetError), self._wishes:
            while len(given) < answers:
                given.update([self._wishes.recv()])
            self._process.join(after)
            self._process.kill()
            while True:
                given.update([self._wishes.recv()])
        self._process.join()
        return given


def _run(url: str, now: datetime, wishes: Connection, dies: bool) -> None:  # noqa: FBT001 -- arguments of a process
    asyncio.run(_serve(url, now, wishes, LastBreath() if dies else FakeTimer()))


async def _serve(url: str, now: datetime, wishes: Connection, timer: FakeTimer) -> None:
    database = Database(create_engine(url))
    orders = assemble(
        database,
        FrozenClock(now),
        Rules(zone=SHANGHAI, pay_window=PAY_WINDOW),
        travel=FakeTravel(),
        payments=FakePayments(),
        timer=timer,
    ).orders
    await database.ping()

    async def place(guest: int, stay: Stay, key: str) -> None:
        placed = await orders.create(guest, stay, key=key)
        wishes.send((key, placed.order.sn))

    wishes.send("ready")
    while True:
        await asyncio.gather(*(place(*wish) for wish in await asyncio.to_thread(wishes.recv)))
