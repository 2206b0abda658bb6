"""Everything at once: whoever comes first, one wins, and the money follows."""

import time
from collections.abc import AsyncIterator
from typing import Final

import pytest

from domain.database import Database
from tests.life.bank import Bank
from tests.life.races import RACES, line_up, result, run, wrong
from tests.life.world import World

# SQLite has one writer, so there is little for it to decide.
ROUNDS: Final = {"mariadb": 1000, "sqlite": 100}


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    bank = Bank()
    yield World(database, bank, announces=False)
    bank.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", RACES)
async def test_each_order_has_one_winner(world: World, name: str, figures: list[str]) -> None:
    race, dialect = RACES[name], world.database.engine.dialect.name
    dialect = "sqlite" if dialect == "sqlite" else "mariadb"
    began = time.perf_counter()
    rounds = await line_up(world.database, race, ROUNDS[dialect] // race.orders)
    claims = [await run(world, race, number, sns) for number, sns in enumerate(rounds)]
    await world.come_to_rest()
    books = await world.books()
    took = time.perf_counter() - began
    figures.append(f"race {name}, {dialect}: {len(rounds)} rounds, {result(books)}, {took:.1f} s")
    assert wrong(books, rounds, claims) == []
