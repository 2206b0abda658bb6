import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from domain.database import Database
from domain.order.closing import Closing, Outcome
from domain.order.service import Orders
from domain.order.states import CloseReason, TradeState
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW
from tests.factories import create_stay, create_stays
from workers.sweeper import AT_ONCE, BATCH, LOOK, Sweeper, Swept


def sweeper(closing: Closing) -> Sweeper:
    return Sweeper(closing, interval=5, grace=10)


async def test_it_closes_what_is_due_and_leaves_what_is_not(
    orders: Orders, closing: Closing, clock: FrozenClock
) -> None:
    first, second = create_stays(2)
    early = (await orders.create(7, first)).order
    clock.advance(timedelta(minutes=10))
    late = (await orders.create(7, second)).order
    clock.advance(timedelta(minutes=10))
    assert await sweeper(closing).sweep() == Swept(overdue=1, closed=1)
    found = {order.sn: order for order in [await closing.find(early.sn), await closing.find(late.sn)] if order}
    assert found[early.sn].close_reason is CloseReason.UNPAID_TIMEOUT
    assert found[late.sn].trade_state is TradeState.WAIT_PAY


async def test_it_gives_messages_their_time(orders: Orders, closing: Closing, clock: FrozenClock) -> None:
    await orders.create(7, create_stay())
    clock.advance(PAY_WINDOW + timedelta(seconds=9))
    assert (await sweeper(closing).sweep(timedelta(seconds=10))).overdue == 0
    clock.advance(timedelta(seconds=1))
    assert (await sweeper(closing).sweep(timedelta(seconds=10))).closed == 1


async def test_it_goes_on_batch_after_batch(orders: Orders, closing: Closing, clock: FrozenClock) -> None:
    for stay in create_stays(205):
        await orders.create(7, stay)
    clock.advance(PAY_WINDOW)
    assert (await sweeper(closing).sweep()).closed == 205


async def test_it_looks_again_as_long_as_there_may_be_more(
    orders: Orders, closing: Closing, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.sweeper.LOOK", 4)
    for stay in create_stays(9):
        await orders.create(7, stay)
    clock.advance(PAY_WINDOW)
    told: list[Swept] = []
    assert await sweeper(closing).sweep(watch=told.append) == Swept(overdue=9, closed=9)
    assert [swept.closed for swept in told] == [4, 8, 9]


class Backlog(Closing):
    """Has very many overdue, and remembers in which order they were closed, and how many batches at once."""

    def __init__(self, count: int) -> None:
        self.sns = [str(number) for number in range(count)]
        self.batches: list[list[str]] = []
        self.running = self.most_running = 0

    async def overdue(self, *, grace: timedelta, limit: int) -> list[str]:  # noqa: ARG002
        found, self.sns = self.sns[:limit], self.sns[limit:]
        return found

    async def close_many(self, sns: Sequence[str]) -> dict[str, Outcome]:
        self.batches.append(list(sns))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        await asyncio.sleep(0.001)
        self.running -= 1
        return dict.fromkeys(sns, Outcome.CLOSED)


async def test_it_is_not_in_the_way_of_who_begins_with_the_longest_overdue() -> None:
    closing = Backlog(LOOK + 1)
    assert await sweeper(closing).sweep() == Swept(overdue=LOOK + 1, closed=LOOK + 1)
    *first, last = closing.batches
    # What is looked at first is closed first, and in no order; each batch as it lies in the index.
    assert sorted(int(sn) for batch in first for sn in batch) == list(range(LOOK))
    assert last == [str(LOOK)]
    numbers = [[int(sn) for sn in batch] for batch in first]
    assert numbers != sorted(numbers)
    assert all(batch == list(range(batch[0], batch[0] + BATCH)) for batch in numbers)
    assert closing.most_running == AT_ONCE


async def test_one_that_can_not_be_closed_keeps_no_other_from_it(
    orders: Orders, closing: Closing, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    sns = [(await orders.create(7, stay)).order.sn for stay in create_stays(5)]
    clock.advance(PAY_WINDOW)
    close_many = closing.close_many

    async def fail_with_the_second(batch: Sequence[str]) -> dict[str, Outcome]:
        if sns[1] in batch:
            raise RuntimeError("the test says so")
        return await close_many(batch)

    monkeypatch.setattr(closing, "close_many", fail_with_the_second)
    assert await sweeper(closing).sweep() == Swept(overdue=5, closed=4)


async def test_nothing_missed_waits_longer_than_the_grace() -> None:
    closing = Ask()
    swept = Sweeper(closing, interval=0.05, grace=0.1)
    await swept.start()
    await asyncio.sleep(0.3)
    await swept.stop()
    first, *later = closing.graces
    assert first == timedelta()
    assert len(later) >= 3
    # What would be older than the grace at the next sweep, at most 0.055 s away, is closed in this one.
    assert set(later) == {timedelta(seconds=0.1 - 0.055)}


async def test_a_sweep_that_takes_long_does_not_put_off_the_next() -> None:
    closing = Ask(takes=0.04)
    swept = Sweeper(closing, interval=0.05, grace=0)
    await swept.start()
    await asyncio.sleep(0.5)
    await swept.stop()
    assert len(closing.graces) >= 7


class Ask(Closing):
    """Remembers what it was asked, and has nothing overdue."""

    def __init__(self, takes: float = 0) -> None:
        self.graces: list[timedelta] = []
        self._takes = takes

    async def overdue(self, *, grace: timedelta, limit: int) -> list[str]:  # noqa: ARG002
        self.graces.append(grace)
        await asyncio.sleep(self._takes)
        return []


async def test_a_database_that_is_away_does_not_end_it(closing: Closing, database: Database) -> None:
    swept = Sweeper(closing, interval=0.01, grace=0)
    await database.engine.dispose()
    await swept.start()
    await swept.stop()
