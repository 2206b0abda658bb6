"""Races for orders: who runs, how a round is run, and what must be so when it is over."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.database import Database
from domain.errors import InvalidTransition
from domain.order.closing import Outcome
from domain.order.states import TradeState
from tests.conftest import NOW
from tests.life import invariants
from tests.life.invariants import Books
from tests.life.world import World
from tests.order.rows import EVENTS, GUEST, ORDERS, PRICE, create_row

CANCELLED, WAIT_PAY, WAIT_USE = TradeState.CANCELLED, TradeState.WAIT_PAY, TradeState.WAIT_USE

# Runs for the orders of a round, with what chance the dice give, and says how many it has closed.
Racer = Callable[[World, Sequence[str], random.Random], Awaitable[int]]
# Between the rounds, so that only the orders of one are due in it.
_APART: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Race:
    """Three who run at once, and for how many orders in each round."""

    name: str
    racers: tuple[Racer, Racer, Racer]
    orders: int = 1


async def pays(world: World, sns: Sequence[str], dice: random.Random) -> int:
    """The guest's money comes, a little sooner or later, and a message says so."""
    sn = dice.choice(sns)
    for _ in range(dice.randrange(4)):
        await world.room.closing.find(sn)
    world.bank.pay(world.bank.opened(sn, PRICE).sn)
    await world.room.settling.settle(sn)
    return 0


async def pays_by_another_way(world: World, sns: Sequence[str], dice: random.Random) -> int:
    """As `pays`, by a payment beside the other one."""
    sn = dice.choice(sns)
    for _ in range(dice.randrange(3)):
        await world.room.closing.find(sn)
    world.bank.pay(world.bank.add(sn, PRICE).sn)
    await world.room.settling.settle(sn)
    return 0


async def closes(world: World, sns: Sequence[str], dice: random.Random) -> int:
    """A message rings for each order, in any order."""
    ends = [await world.room.closing.close_if_unpaid(sn) for sn in dice.sample(sns, len(sns))]
    assert set(ends) <= {Outcome.CLOSED, Outcome.PAID, Outcome.DECIDED}
    return ends.count(Outcome.CLOSED)


async def closes_together(world: World, sns: Sequence[str], _: random.Random) -> int:
    """A worker that gathered the messages closes all at once."""
    return list((await world.room.closing.close_many(sns)).values()).count(Outcome.CLOSED)


async def sweeps(world: World, _: Sequence[str], __: random.Random) -> int:
    """A sweep comes."""
    return (await world.sweeper.sweep()).closed


async def gives_up(world: World, sns: Sequence[str], dice: random.Random) -> int:
    """The guest gives an order up."""
    await asyncio.sleep(dice.randrange(3) / 1000)
    try:
        await world.room.orders.cancel(GUEST, dice.choice(sns))
    except InvalidTransition as refused:
        if refused.current not in {WAIT_USE, CANCELLED}:
            raise
        return 0
    return 1


RACES: Final = {
    race.name: race
    for race in (
        Race("pay, close, close", (pays, closes, closes)),
        Race("pay, pay", (pays, pays_by_another_way, pays)),
        Race("sweep, sweep, message", (sweeps, closes_together, closes), orders=5),
        Race("sweep, message, pay", (sweeps, closes, pays), orders=3),
        Race("cancel, pay, close", (gives_up, pays, closes)),
    )
}


async def line_up(database: Database, race: Race, rounds: int) -> list[list[str]]:
    """Stores the orders of each round, which fall due a second apart, and returns their sn's."""
    rows = [create_row(close_at=NOW + _APART * (place // race.orders)) for place in range(rounds * race.orders)]

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.insert(ORDERS), rows)
        await connection.execute(
            sa.insert(EVENTS), [{"order_sn": row["sn"], "at": NOW, "to_state": WAIT_PAY} for row in rows]
        )

    await database.write(work)
    sns = [row["sn"] for row in rows]
    return [sns[start : start + race.orders] for start in range(0, len(sns), race.orders)]


async def run(world: World, race: Race, number: int, sns: Sequence[str]) -> int:
    """Runs one round in this process. Returns how many orders the racers say that they have closed."""
    world.clock.at = NOW + _APART * number
    dice = random.Random(number)  # noqa: S311 -- no secret
    starters = dice.sample(race.racers, len(race.racers))
    async with asyncio.timeout(10):
        return sum(await asyncio.gather(*(racer(world, sns, dice) for racer in starters)))


def wrong(books: Books, rounds: Sequence[Sequence[str]], claims: Sequence[int]) -> list[str]:
    """What is not as it should be, once all has come to rest: each order has one winner, who knows it."""
    closed = [sum(books.orders[sn]["trade_state"] is CANCELLED for sn in sns) for sns in rounds]
    false = [
        f"{sns}: {said} say that they closed it"
        for sns, said, so in zip(rounds, claims, closed, strict=True)
        if said != so
    ]
    open_ones = [sn for sn, state in books.states().items() if state is WAIT_PAY]
    return [
        *false,
        *(f"stuck: {sn}" for sn in open_ones),
        *invariants.broken(books, announced=False),
        *invariants.unfinished(books, NOW),
    ]


def result(books: Books) -> str:
    """Who won how often."""
    states = Counter(state.name for state in books.states().values())
    return f"{dict(states)}, {len(books.refunds)} payments went back"
