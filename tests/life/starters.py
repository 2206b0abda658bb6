"""Races between processes: each racer in one of its own, and all start each round together."""

import asyncio
import ctypes
import multiprocessing
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from typing import Final

from domain.database import Database
from domain.engine import create_engine
from tests.life.bank import Bank
from tests.life.quiet import quiet
from tests.life.races import CARELESS, RACES, Claim, Race, run_one
from tests.life.world import World

_BY_NAME: Final = {race.name: race for race in (*RACES, CARELESS)}
_FORKS: Final[ForkServerContext] = multiprocessing.get_context("forkserver")
# Imported once, by the process from which all racers are forked.
_FORKS.set_forkserver_preload([__name__])
# Seconds that one waits for the others, who may still be starting.
_PATIENCE: Final = 60.0

# What a process gives back: its claims, or what went wrong.
_Answer = list[Claim] | BaseException


@dataclass(frozen=True, slots=True)
class _Course:
    """What the processes of a race have in common: pickled once for each, with what lets them start together.

    Attributes:
        last: the number of the round that is not run any more, once the time is over.
    """

    url: str
    books: Path
    name: str
    rounds: Sequence[Sequence[str]]
    fewest: int
    seconds: float
    barrier: Barrier
    last: "Synchronized[int]"


def run_in_processes(
    url: str, books: Path, race: Race, rounds: Sequence[Sequence[str]], *, fewest: int, seconds: float
) -> list[list[Claim]]:
    """Runs rounds, in order, each racer in a process.

    Args:
        url: the database, with the orders of all rounds.
        books: the payment service's books, which all share.
        race: who runs.
        rounds: the orders of each.
        fewest: rounds that are run however long they take.
        seconds: after which no more are run.

    Returns:
        What each racer claims in each round that was run.
    """
    course = _Course(
        *(url, books, race.name, rounds, fewest, seconds),
        barrier=_FORKS.Barrier(len(race.racers)),
        last=_FORKS.Value(ctypes.c_int, len(rounds)),
    )
    processes = []
    for place in range(len(race.racers)):
        ours, theirs = _FORKS.Pipe(duplex=False)
        process = _FORKS.Process(target=_run, args=(course, place, theirs))
        process.start()
        theirs.close()
        processes.append((process, ours))
    try:
        answers = [_answer(connection) for _, connection in processes]
    finally:
        for process, connection in processes:
            connection.close()
            process.kill()
            process.join()
    # Who only waited in vain for somebody else says the least.
    failures = sorted(
        (answer for answer in answers if isinstance(answer, BaseException)),
        key=lambda failure: isinstance(failure, BrokenBarrierError),
    )
    if failures:
        raise failures[0]
    return [list(said) for said in zip(*(answer for answer in answers if isinstance(answer, list)), strict=True)]


def _answer(connection: Connection) -> _Answer:
    try:
        answer: _Answer = connection.recv()
    except EOFError as error:
        return error
    return answer


def _run(course: _Course, place: int, answer: Connection) -> None:
    try:
        with quiet(), closing(Bank(course.books)) as bank:
            answer.send(asyncio.run(_race(course, place, bank)))
    except BaseException as error:  # noqa: BLE001 -- whatever it is, it is the finding
        course.barrier.abort()
        answer.send(error)


async def _race(course: _Course, place: int, bank: Bank) -> list[Claim]:
    world = World(Database(create_engine(course.url)), bank, announces=False)
    claims: list[Claim] = []
    try:
        await world.database.ping()
        # Nothing else runs on this loop, so it may stand still until the others are there.
        course.barrier.wait(_PATIENCE)
        end = time.monotonic() + course.seconds
        for number, sns in enumerate(course.rounds):
            if place == 0 and number >= course.fewest and time.monotonic() > end:
                # Before it starts this round, and so before any may: all see it, and see the same.
                course.last.value = min(course.last.value, number)
            course.barrier.wait(_PATIENCE)
            if number >= course.last.value:
                break
            claims.append(await run_one(world, _BY_NAME[course.name], place, number, sns))
    finally:
        await world.database.close()
    return claims
