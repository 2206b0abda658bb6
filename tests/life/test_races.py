"""Everything at once: whoever comes first, one wins, and the money follows."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from domain.database import Database
from domain.order.states import TradeState
from tests.life.bank import Bank
from tests.life.quiet import quiet
from tests.life.races import (
    CARELESS,
    PAY_CLOSE_CLOSE,
    RACES,
    Claim,
    Race,
    instant,
    line_up,
    result,
    run,
    stuck,
    wins,
    withdraw,
    wrong,
)
from tests.life.starters import run_in_processes
from tests.life.world import World

# `RACE_ROUNDS=1000 pytest tests/life/test_races.py` for the long form. SQLite has one writer, so there is little for it
# to decide between the tasks of one process.
ROUNDS: Final = {"mysql": int(os.environ.get("RACE_ROUNDS", "400")), "sqlite": 100}
# Between processes there is more; on a machine that does other things, no more than fit into so many seconds.
BETWEEN_PROCESSES: Final = 1000
FEWEST: Final = 200
LONGEST: Final = 40.0
# Enough for the careless to be seen at it.
CONTROL: Final = 200

Tell = Callable[[Race, int, str], None]

race_of = pytest.mark.parametrize("race", RACES, ids=lambda race: race.name)
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    with quiet():
        yield


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with closing(Bank()) as bank:
        yield World(database, bank, announces=False)


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """The payment service's books, to be shared by processes."""
    return tmp_path / "books.sqlite3"


@pytest.fixture
def shared_world(database: Database, books: Path) -> Iterator[World]:
    with closing(Bank(books)) as bank:
        yield World(database, bank, announces=False)


@pytest.fixture
def tell(database: Database, figures: list[str]) -> Tell:
    """Notes down what came of a race, and how long it took until then."""
    began = time.perf_counter()

    def note(race: Race, rounds: int, what: str) -> None:
        sized = f"{rounds} rounds for {rounds * race.orders} orders"
        took = time.perf_counter() - began
        figures.append(f"race {race.name}, {database.engine.dialect.name}: {sized}, {what}, {took:.1f} s")

    return note


async def run_here(world: World, race: Race, rounds: Sequence[Sequence[str]]) -> list[list[Claim]]:
    return [await run(world, race, number, sns) for number, sns in enumerate(rounds)]


async def run_elsewhere(world: World, books: Path, race: Race, count: int) -> tuple[list[list[str]], list[list[Claim]]]:
    """Runs up to so many rounds between processes. Returns the orders of those that were run, and the claims."""
    rounds = await line_up(world.database, race, count)
    url = world.database.engine.url.render_as_string(hide_password=False)
    work = partial(run_in_processes, url, books, race, rounds, fewest=min(FEWEST, count), seconds=LONGEST)
    claims = await asyncio.to_thread(work)
    await withdraw(world.database, rounds[len(claims) :])
    # Here no time has passed, and there it has.
    world.clock.at = instant(len(claims))
    return rounds[: len(claims)], claims


async def one_wins_each(
    world: World, race: Race, rounds: Sequence[Sequence[str]], claims: Sequence[Sequence[Claim]], tell: Tell
) -> None:
    # Before the sweep, which would decide what nobody did.
    assert stuck(await world.books()) == []
    await world.come_to_rest()
    books = await world.books()
    won = wins(race, books, claims)
    tell(race, len(rounds), f"{dict(won)}, {result(books)}")
    assert wrong(race, books, rounds, claims) == []
    assert min(won.values()) > 0


@pytest.mark.timeout(300)
@race_of
async def test_each_order_has_one_winner_and_each_racer_wins_some(world: World, race: Race, tell: Tell) -> None:
    rounds = await line_up(world.database, race, ROUNDS[world.database.engine.dialect.name])
    await one_wins_each(world, race, rounds, await run_here(world, race, rounds), tell)


@pytest.mark.timeout(300)
@on_sqlite
async def test_of_three_processes_on_sqlite_one_wins_each_order(shared_world: World, books: Path, tell: Tell) -> None:
    rounds, claims = await run_elsewhere(shared_world, books, PAY_CLOSE_CLOSE, BETWEEN_PROCESSES)
    await one_wins_each(shared_world, PAY_CLOSE_CLOSE, rounds, claims, tell)


async def two_win_some(
    world: World, rounds: Sequence[Sequence[str]], claims: Sequence[Sequence[Claim]], tell: Tell
) -> None:
    found = wrong(CARELESS, await world.books(), rounds, claims)
    twice = [sentence for sentence in found if "say that they closed it" in sentence]
    overruled = [sentence for sentence in found if f"I7: went from {TradeState.WAIT_USE} by" in sentence]
    tell(CARELESS, len(rounds), f"{len(twice)} closed by more than one, {len(overruled)} closed although paid")
    # Both: two who believe that they won, and one who took away what another had won.
    assert twice
    assert overruled


async def test_who_closes_what_was_open_a_moment_ago_is_seen_at_it(world: World, tell: Tell) -> None:
    rounds = await line_up(world.database, CARELESS, CONTROL)
    await two_win_some(world, rounds, await run_here(world, CARELESS, rounds), tell)


@on_sqlite
async def test_a_process_that_closes_what_was_open_a_moment_ago_is_seen_at_it(
    shared_world: World, books: Path, tell: Tell
) -> None:
    rounds, claims = await run_elsewhere(shared_world, books, CARELESS, CONTROL)
    await two_win_some(shared_world, rounds, claims, tell)


async def test_an_order_that_nobody_decides_is_seen_to_be_stuck(world: World) -> None:
    rounds = await line_up(world.database, PAY_CLOSE_CLOSE, 2)
    books = await world.books()
    left = [f"stuck: {sn}" for (sn,) in rounds]
    assert stuck(books) == left
    assert set(left) <= set(wrong(PAY_CLOSE_CLOSE, books, rounds, [[Claim()] * 3] * 2))
