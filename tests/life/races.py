"""Races for orders: who runs, how a round is run, and what must be so when it is over."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.database import Database
from domain.errors import InvalidTransition
from domain.order import repository
from domain.order.closing import Outcome
from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.conftest import NOW
from tests.life import invariants
from tests.life.bank import Entry
from tests.life.invariants import Books
from tests.life.world import World
from tests.order.rows import EVENTS, GUEST, ORDERS, PRICE, create_row

CANCELLED, WAIT_PAY, WAIT_USE = TradeState.CANCELLED, TradeState.WAIT_PAY, TradeState.WAIT_USE

# Between the rounds, so that only the orders of one are due in it.
_APART: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a racer says that it did in a round.

    Attributes:
        closed: how many orders it closed.
        used: how many it moved to WAIT_USE, of no payment.
        paid: the payment by which its money came, if it was the first to bring it.
    """

    closed: int = 0
    used: int = 0
    paid: str = ""


# Runs for the orders of a round, with what chance the dice give.
Racer = Callable[[World, Sequence[str], random.Random], Awaitable[Claim]]


@dataclass(frozen=True, slots=True)
class Race:
    """Three who run at once, and for how many orders in each round.

    Attributes:
        moves: whether orders are moved as other services move them, of which no payment is known.
    """

    name: str
    racers: tuple[Racer, Racer, Racer]
    orders: int = 1
    moves: bool = False

    def sides(self) -> list[str]:
        """The racers by name and place: two of a kind are two sides."""
        return [f"{place} {racer.__name__}" for place, racer in enumerate(self.racers, start=1)]


async def pays(world: World, sns: Sequence[str], dice: random.Random) -> Claim:
    """The guest's money comes, a little sooner or later, and a message says so."""
    sn = dice.choice(sns)
    await _hesitates(world, sn, dice, 3)
    return await _paid(world, world.bank.opened(sn, PRICE))


async def pays_by_another_way(world: World, sns: Sequence[str], dice: random.Random) -> Claim:
    """As `pays`, by a payment beside the other one."""
    sn = dice.choice(sns)
    await _hesitates(world, sn, dice, 2)
    return await _paid(world, world.bank.add(sn, PRICE))


async def _hesitates(world: World, sn: str, dice: random.Random, most: int) -> None:
    """Looks at an order up to so many times first, so that another may be quicker, who has more to do."""
    for _ in range(dice.randint(0, most)):
        await world.room.closing.find(sn)


async def _paid(world: World, payment: Entry) -> Claim:
    first = payment.status is PaymentStatus.WAIT
    world.bank.pay(payment.sn)
    await world.room.settling.settle(payment.order_sn)
    return Claim(paid=payment.sn if first else "")


async def closes(world: World, sns: Sequence[str], dice: random.Random) -> Claim:
    """A message rings for each order, in any order."""
    await _hesitates(world, sns[0], dice, 2)
    ends = [await world.room.closing.close_if_unpaid(sn) for sn in dice.sample(sns, len(sns))]
    assert set(ends) <= {Outcome.CLOSED, Outcome.PAID, Outcome.DECIDED}
    return Claim(closed=ends.count(Outcome.CLOSED))


async def closes_together(world: World, sns: Sequence[str], dice: random.Random) -> Claim:
    """A worker that gathered the messages closes all at once."""
    await _hesitates(world, sns[0], dice, 3)
    return Claim(closed=list((await world.room.closing.close_many(sns)).values()).count(Outcome.CLOSED))


async def sweeps(world: World, _: Sequence[str], __: random.Random) -> Claim:
    """A sweep comes."""
    return Claim(closed=(await world.sweeper.sweep()).closed)


async def gives_up(world: World, sns: Sequence[str], dice: random.Random) -> Claim:
    """The guest gives an order up."""
    try:
        end = await world.room.orders.cancel(GUEST, dice.choice(sns))
    except InvalidTransition as refused:
        if refused.current not in {WAIT_USE, CANCELLED}:
            raise
        return Claim()
    assert (end.trade_state, end.close_reason) == (CANCELLED, CloseReason.GUEST)
    return Claim(closed=1)


async def moves_to_wait_use(world: World, sns: Sequence[str], _: random.Random) -> Claim:
    """Nothing but the statement that decides."""
    return Claim(used=sum([await world.room.transitions.move(sn, current=WAIT_PAY, to=WAIT_USE) for sn in sns]))


async def moves_to_cancelled(world: World, sns: Sequence[str], _: random.Random) -> Claim:
    """As `moves_to_wait_use`, to the other end."""
    reason = CloseReason.UNPAID_TIMEOUT
    moved = [await world.room.transitions.move(sn, current=WAIT_PAY, to=CANCELLED, reason=reason) for sn in sns]
    return Claim(closed=sum(moved))


async def closes_what_it_read(world: World, sns: Sequence[str], _: random.Random) -> Claim:
    """Closes an order that it saw open, and not only if it still is: as somebody could write it by mistake."""
    closed = 0
    for sn in sns:
        order = await world.room.closing.find(sn)
        if order is not None and order.trade_state is WAIT_PAY:
            await world.database.write(partial(_close_blindly, sn=sn, now=world.clock.sql_now()))
            closed += 1
    return Claim(closed=closed)


async def _close_blindly(connection: AsyncConnection, *, sn: str, now: sa.ColumnElement[Any]) -> None:
    reason = CloseReason.UNPAID_TIMEOUT
    changed = {"trade_state": CANCELLED, "close_reason": reason, "update_time": now, "version": ORDERS.c.version + 1}
    await connection.execute(sa.update(ORDERS).where(ORDERS.c.sn == sn).values(changed))
    await repository.add_events(connection, [sn], current=WAIT_PAY, to=CANCELLED, at=now, reason=reason)


PAY_CLOSE_CLOSE: Final = Race("pay, close, close", (pays, closes, closes))
RACES: Final = (
    PAY_CLOSE_CLOSE,
    Race("pay, pay, pay", (pays, pays_by_another_way, pays)),
    Race("sweep, message, messages", (sweeps, closes, closes_together), orders=3),
    Race("sweep, message, pay", (sweeps, closes, pays), orders=3),
    Race("cancel, pay, close", (gives_up, pays, closes)),
    Race("move, move, move", (moves_to_wait_use, moves_to_cancelled, moves_to_cancelled), moves=True),
)
# The control: the same judge must see more than one winner where somebody decides by what was so a moment ago.
CARELESS: Final = Race("pay, careless close, careless close", (pays, closes_what_it_read, closes_what_it_read))


def instant(number: int) -> datetime:
    """When a round is run, and its orders fall due."""
    return NOW + _APART * number


async def line_up(database: Database, race: Race, rounds: int) -> list[list[str]]:
    """Stores the orders of each round, which fall due a second apart, and returns their sn's."""
    rows = [create_row(close_at=instant(place // race.orders)) for place in range(rounds * race.orders)]

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.insert(ORDERS), rows)
        await connection.execute(
            sa.insert(EVENTS), [{"order_sn": row["sn"], "at": NOW, "to_state": WAIT_PAY} for row in rows]
        )

    await database.write(work)
    sns = [row["sn"] for row in rows]
    return [sns[start : start + race.orders] for start in range(0, len(sns), race.orders)]


async def withdraw(database: Database, rounds: Sequence[Sequence[str]]) -> None:
    """Takes back the orders of rounds that were not run."""
    sns = [sn for each in rounds for sn in each]

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(sa.delete(EVENTS).where(EVENTS.c.order_sn.in_(sns)))
        await connection.execute(sa.delete(ORDERS).where(ORDERS.c.sn.in_(sns)))

    await database.write(work)


async def run(world: World, race: Race, number: int, sns: Sequence[str]) -> list[Claim]:
    """Runs one round in this process. Returns what each racer claims."""
    world.clock.at = instant(number)
    dice = random.Random(number)  # noqa: S311 -- no secret
    starters = dice.sample(range(len(race.racers)), len(race.racers))
    async with asyncio.timeout(30):
        claims = await asyncio.gather(*(race.racers[place](world, sns, dice) for place in starters))
    return [claim for _, claim in sorted(zip(starters, claims, strict=True), key=lambda pair: pair[0])]


async def run_one(world: World, race: Race, place: int, number: int, sns: Sequence[str]) -> Claim:
    """Runs one racer of a round; the others run elsewhere."""
    world.clock.at = instant(number)
    dice = random.Random(f"{place}/{number}")  # noqa: S311 -- no secret
    async with asyncio.timeout(30):
        return await race.racers[place](world, sns, dice)


def stuck(books: Books) -> list[str]:
    """The orders that nobody decided."""
    return [f"stuck: {sn}" for sn, state in books.states().items() if state is WAIT_PAY]


def wrong(race: Race, books: Books, rounds: Sequence[Sequence[str]], claims: Sequence[Sequence[Claim]]) -> list[str]:
    """What is not as it should be, once all has come to rest: each order has one winner, who knows it."""
    false = []
    for sns, said in zip(rounds, claims, strict=True):
        ends = [books.orders[sn]["trade_state"] for sn in sns]
        closed, used = sum(claim.closed for claim in said), sum(claim.used for claim in said)
        if closed != ends.count(CANCELLED):
            false.append(f"{sns}: {closed} say that they closed it, {ends.count(CANCELLED)} are closed")
        if race.moves and used != ends.count(WAIT_USE):
            false.append(f"{sns}: {used} say that they moved it, {ends.count(WAIT_USE)} are moved")
    return [
        *false,
        *stuck(books),
        *invariants.broken(books, announced=False, moved=books.orders.keys() if race.moves else ()),
        *invariants.unfinished(books, NOW),
    ]


def wins(race: Race, books: Books, claims: Sequence[Sequence[Claim]]) -> Mapping[str, int]:
    """How many orders each side won; a race that one side always wins is none."""
    used = {order["payment_sn"] for order in books.orders.values() if order["trade_state"] is WAIT_USE}
    won = Counter(dict.fromkeys(race.sides(), 0))
    for said in claims:
        for side, claim in zip(race.sides(), said, strict=True):
            won[side] += claim.closed + claim.used + (bool(claim.paid) and claim.paid in used)
    return won


def result(books: Books) -> str:
    """How the orders ended."""
    states = Counter(state.name for state in books.states().values())
    return f"{dict(states)}, {len(books.refunds)} payments went back"
