"""Processes that die at each of their awaits in turn, and what is found each time when the installation starts again.

`python -m tests.life.crashes DATABASE BOOKS CASE [MUTANT]` tries one case and prints what it saw as JSON. It is a
program of its own because it forks: no thread may be there then, and no loop.
"""

import asyncio
import gc
import json
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import SQLModel

from domain.database import Database
from domain.engine import create_engine
from domain.order.reconciling import YOUNGEST
from domain.outbox import LEASE, LetterState
from tests.conftest import PAY_WINDOW
from tests.life import invariants
from tests.life.bank import Bank
from tests.life.broken_commits import MUTANTS
from tests.life.crash_cases import CASES, Case, Trial
from tests.life.fuse import BURNT, Fuse, Moment
from tests.life.invariants import Books
from tests.life.world import HOMESTAYS, World
from tests.order import tills
from workers.jobs import jobs

DONE: Final = 0
_ROUNDS: Final = 10
_PATIENCE: Final = 5.0
_LOOKS: Final = 1000
# How often awaits are counted: a server's answer comes in one piece or in several, each of which is waited for.
_LIVES: Final = 3
# How often an await is waited for at which nobody died.
_TRIES: Final = 4
_OTHERS: Final = sa.text(
    "select count(*) from information_schema.processlist where db = database() and id <> connection_id()"
)

Said = dict[str, Any]
# Tells the parent something at once: it knows of it whatever becomes of the child.
Tell = Callable[[Said], None]


@dataclass
class Seen:
    """What came of a case.

    Attributes:
        passed: how many awaits there are at least, as counted where nobody died; by where at them a process may die.
        points: at how many a process died.
        found: what was wrong then.
    """

    passed: dict[str, int]
    points: dict[str, int] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Tried:
    burnt: bool
    passed: dict[str, int]
    found: list[str]


class Crashes:
    """One case, on a database whose tables are empty.

    Args:
        url: the database.
        books: a directory for the payment service's books.
        case: what is tried.
    """

    def __init__(self, url: str, books: Path, case: Case) -> None:
        # Whoever opens it finds it as new, but for the text of statements: writing that takes longer than running them.
        self._database = Database(create_engine(url))
        self._books = books
        self._case = case

    def run(self, *, until_found: bool) -> Seen:
        """Has a process die at each await, one after the other.

        Raises:
            RuntimeError: a process ended otherwise, or something is wrong though none died.
        """
        numbers = count()
        lives = [self._try(next(numbers), Fuse()) for _ in range(_LIVES)]
        if wrong := [sentence for lived in lives for sentence in lived.found]:
            raise RuntimeError(f"it is wrong already where nobody dies: {wrong}")
        counted = {name: [lived.passed[name] for lived in lives] for name in lives[0].passed}
        fewest, most = ({name: of(each) for name, each in counted.items()} for of in (min, max))
        # What is here by now is nobody's garbage: looking at it would have each child copy it.
        gc.collect()
        gc.freeze()
        seen = Seen(fewest)
        for moment, at in self._points(most):
            # A server's answer comes in one piece or in two: now and then there is an await less, and nobody dies.
            for _ in range(_TRIES):
                tried = self._try(next(numbers), Fuse(moment, at))
                seen.found += [f"{moment.value} at await {at}: {sentence}" for sentence in tried.found]
                if tried.burnt or tried.found:
                    break
            seen.points[moment.value] = seen.points.get(moment.value, 0) + tried.burnt
            if tried.found and until_found:
                break
        return seen

    def _points(self, passed: dict[str, int]) -> Iterator[tuple[Moment, int]]:
        # A server goes on with what it was asked, also when nobody waits for it any more. SQLite goes with its process.
        moments = [Moment.GOES_ON] if self._database.engine.dialect.name == "sqlite" else [Moment.GOES_ON, Moment.WAITS]
        # The last come first: what is broken is mostly found among them.
        for moment in moments:
            for at in range(passed[moment.value], 0, -1):
                yield moment, at

    def _try(self, number: int, fuse: Fuse) -> _Tried:
        sns = asyncio.run(self._prepare(number))
        code, said = _in_a_child(lambda tell: self._live(number, sns, fuse, tell))
        if code not in {DONE, BURNT}:
            raise RuntimeError(f"the process ended with {code}: {said}")
        found = asyncio.run(self._start_again(number, sns, said.get("knows", sns)))
        return _Tried(code == BURNT, said.get("passed", {}), found)

    async def _prepare(self, number: int) -> list[str]:
        """Brings orders to where the case begins, and leaves no others: what is found is the last process's doing."""
        async with self._opened(number) as trial:
            await self._database.write(_clear)
            sns = [await trial.place(place) for place in range(self._case.orders)]
            self._wait_for_it(trial)
            await self._case.before(trial, sns)
            return sns

    async def _live(self, number: int, sns: list[str], fuse: Fuse, tell: Tell) -> None:
        """What the process does that may die."""
        async with self._opened(number) as trial:
            self._wait_for_it(trial)
            # Another process did what came before; but this one has been running for a while.
            await self._database.ping()

            async def act() -> None:
                tell({"knows": sns + await self._case.act(trial, sns)})

            await fuse.watch(act())
            tell({"passed": {moment.value: count for moment, count in fuse.passed.items()}})

    def _wait_for_it(self, trial: Trial) -> None:
        if self._case.late:
            trial.world.clock.advance(PAY_WINDOW)

    async def _start_again(self, number: int, sns: list[str], knows: list[str]) -> list[str]:
        """What happens after it. Returns what is wrong, right away and in the end."""
        async with self._opened(number) as trial:
            world = trial.world
            self._wait_for_it(trial)
            await _others_are_gone(world.database)
            found = await _broken(world, await world.books(), knows)
            try:
                if self._case.again:
                    knows = sorted({*knows, *await self._case.act(trial, sns)})
            except Exception as error:  # noqa: BLE001 -- whatever it is, it is no answer
                found.append(f"I1: who asks again has no answer: {error!r}")
            # Soon the periodic jobs find what no message will tell; and in the end every order's time is over.
            world.clock.advance(YOUNGEST)
            # The letters first: a reconciled refund is marked, and nobody would see it being asked for again.
            await world.relay()
            await _reconcile(world)
            await world.relay()
            world.clock.advance(PAY_WINDOW)
            await _come_to_rest(world)
            books = await world.books()
            found += await _broken(world, books, knows)
            found += invariants.unfinished(books, world.clock.at)
            found += self._ended(books, knows)
        return list(dict.fromkeys(found))

    def _ended(self, books: Books, knows: list[str]) -> list[str]:
        states = books.states()
        found = []
        if (ends := tuple(sorted(states.values()))) != self._case.ends:
            found.append(f"I1: the guest's orders end as {ends}, not as {self._case.ends}")
        if set(knows) != states.keys():
            found.append(f"I1: the guest knows of {knows} and has {sorted(states)}")
        return found

    @asynccontextmanager
    async def _opened(self, number: int) -> AsyncIterator[Trial]:
        """The installation as a process opens it that has just started, with no connection and no memory."""
        bank = Bank(self._books / f"{number}.sqlite3")
        try:
            yield Trial(World(self._database, bank), self._case.unit)
        finally:
            await self._database.close()
            bank.close()


async def _others_are_gone(database: Database) -> None:
    """Waits until the server has done with what the dead process had sent: nobody starts again faster."""
    if database.engine.dialect.name != "sqlite":
        for _ in range(_LOOKS):
            if not (await database.read(lambda connection: connection.execute(_OTHERS))).scalar_one():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("the dead process still has a connection")


async def _broken(world: World, books: Books, knows: list[str]) -> list[str]:
    capacity = max(homestay.people_num for homestay in HOMESTAYS.values())
    return invariants.broken(books, acknowledged=knows) + [
        f"I4: {sentence}" for sentence in await tills.mistakes(world.database, capacity)
    ]


async def _reconcile(world: World) -> None:
    (work,) = (job.work for job in jobs(world.room) if job.name == "payment.reconcile")
    await work("")


async def _come_to_rest(world: World) -> None:
    """Does what an installation does that has just started, and goes on until there is nothing left to do."""
    for _ in range(_ROUNDS):
        await world.sweeper.sweep()
        await _reconcile(world)
        while await world.relay():
            pass
        if not (await world.outbox.counts())[LetterState.WAITING]:
            return
        # Letters that the dead process took are anybody's after this.
        world.clock.advance(LEASE)
    raise AssertionError(f"letters wait after {_ROUNDS} rounds")


async def _clear(connection: AsyncConnection) -> None:
    for table in SQLModel.metadata.sorted_tables:
        await connection.execute(sa.delete(table))


def _in_a_child(work: Callable[[Tell], Coroutine[Any, Any, None]]) -> tuple[int, Said]:
    """Runs it in a process of its own. Returns what it ended with, and what it told."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(_PATIENCE)  # its connection is closed
    assert threading.active_count() == 1, "a thread would be missing in the child"
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1

        def tell(said: Said) -> None:
            os.write(write, json.dumps(said).encode() + b"\n")

        try:
            asyncio.run(work(tell))
            code = DONE
        except BaseException as error:  # noqa: BLE001 -- whatever it is, the parent is told of it
            tell({"error": repr(error)})
        finally:
            os._exit(code)
    os.close(write)
    said: Said = {}
    with os.fdopen(read) as pipe:
        for line in pipe:
            said |= json.loads(line)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


def main(url: str, books: str, case: str, mutant: str = "") -> None:
    """Tries a case and prints what it saw."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with pytest.MonkeyPatch.context() as patch:
        if mutant:
            MUTANTS[mutant](patch)
        seen = Crashes(url, Path(books), CASES[case]).run(until_found=bool(mutant))
    print(json.dumps(asdict(seen)))  # noqa: T201 -- it is a program


if __name__ == "__main__":
    main(*sys.argv[1:])
