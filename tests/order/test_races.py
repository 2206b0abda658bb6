"""Everything at once: whoever comes first, one wins, and the money follows."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final

import pytest

from domain.database import Database
from domain.errors import InvalidTransition
from domain.order.closing import Closing, Outcome
from domain.order.room import OrderRoom
from domain.order.service import Orders
from domain.order.settling import Settling
from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW
from tests.fakes import FakePayments
from tests.order.rows import (
    EVENTS,
    GUEST,
    LETTERS,
    ORDERS,
    PRICE,
    REFUNDS,
    add_rows,
    create_row,
    refunds_due,
    return_late_money,
    stored,
)

WAIT_PAY, WAIT_USE, CANCELLED = TradeState.WAIT_PAY, TradeState.WAIT_USE, TradeState.CANCELLED
ROUNDS: Final = 100
# The same order of starting in every run; what happens then is up to the database.
SHUFFLED: Final = random.Random(20260520)  # noqa: S311 -- no secret


@pytest.fixture
async def sns(database: Database, clock: FrozenClock) -> list[str]:
    """Open orders, overdue since this very instant."""
    rows = [create_row() for _ in range(ROUNDS)]
    await add_rows(database, rows)
    clock.at = NOW + PAY_WINDOW
    return [row["sn"] for row in rows]


async def at_once(*runners: Coroutine[Any, Any, Any]) -> list[Any]:
    """What each of them came to, whichever started first."""
    starts = list(enumerate(runners))
    SHUFFLED.shuffle(starts)
    ends = await asyncio.gather(*(runner for _, runner in starts), return_exceptions=True)
    return [end for _, end in sorted(zip((place for place, _ in starts), ends, strict=True), key=lambda pair: pair[0])]


async def by_sn(database: Database) -> dict[str, TradeState]:
    """Each decided order's state, once it is shown that its history has exactly the one step that led there."""
    rows = [row for row in await stored(database, ORDERS) if row["trade_state"] is not WAIT_PAY]
    events = await stored(database, EVENTS)
    assert {event["order_sn"]: event["to_state"] for event in events} == {row["sn"]: row["trade_state"] for row in rows}
    assert len(events) == len(rows)
    return {row["sn"]: row["trade_state"] for row in rows}


async def test_of_three_moves_exactly_one_is_made(database: Database, room: OrderRoom, sns: list[str]) -> None:
    def move(sn: str, to: TradeState) -> Coroutine[Any, Any, bool]:
        return room.transitions.move(sn, current=WAIT_PAY, to=to)

    wins: Counter[tuple[bool, ...]] = Counter()
    for sn in sns:
        moved = await at_once(move(sn, WAIT_USE), move(sn, CANCELLED), move(sn, CANCELLED))
        wins[tuple(moved)] += 1
    assert all(sum(moved) == 1 for moved in wins), wins
    states = await by_sn(database)
    assert set(states) == set(sns)
    assert Counter(states.values())[WAIT_USE] == wins[True, False, False]


async def test_of_pay_and_two_closes_exactly_one_wins(
    settling: Settling, database: Database, closing: Closing, payments: FakePayments, sns: list[str]
) -> None:
    async def pay(sn: str) -> None:
        for _ in range(SHUFFLED.randrange(1, 4)):
            await closing.find(sn)  # while the closers look, and ask for its money
        payments.pay(sn, PRICE)
        await settling.settle(sn)

    closed = set()
    for sn in sns:
        ends = await at_once(pay(sn), closing.close_if_unpaid(sn), closing.close_if_unpaid(sn))
        assert ends[0] is None
        assert set(ends[1:]) <= {Outcome.CLOSED, Outcome.PAID, Outcome.DECIDED}
        assert ends.count(Outcome.CLOSED) <= 1
        closed |= {sn} if Outcome.CLOSED in ends else set()
        await settling.settle(sn)

    states = await by_sn(database)
    assert {sn for sn, state in states.items() if state is CANCELLED} == closed
    assert {sn for sn, state in states.items() if state is WAIT_USE} == set(sns) - closed
    await return_late_money(database, settling)
    assert {row["order_sn"] for row in await stored(database, REFUNDS)} == set(payments.refunded) == closed
    assert await refunds_due(database) == []


async def test_of_pay_and_a_change_of_mind_exactly_one_wins(
    settling: Settling, database: Database, orders: Orders, payments: FakePayments, sns: list[str]
) -> None:
    async def pay(sn: str) -> None:
        await orders.find(GUEST, sn)
        payments.pay(sn, PRICE)
        await settling.settle(sn)

    given_up = set()
    sns = sns[: ROUNDS // 2]
    for sn in sns:
        _, end = await at_once(pay(sn), orders.cancel(GUEST, sn))
        if isinstance(end, InvalidTransition):
            assert end.current is WAIT_USE
        else:
            assert (end.trade_state, end.close_reason) == (CANCELLED, CloseReason.GUEST)
            given_up.add(sn)

    states = await by_sn(database)
    assert set(states) == set(sns)
    assert {sn for sn, state in states.items() if state is CANCELLED} == given_up
    await return_late_money(database, settling)
    assert set(payments.refunded) == given_up
    assert await refunds_due(database) == []


async def test_late_money_that_is_told_of_thrice_at_once_is_asked_back_once(
    settling: Settling, database: Database, closing: Closing, payments: FakePayments, sns: list[str]
) -> None:
    for sn in sns[:20]:
        await closing.close_if_unpaid(sn)
        payments.pay(sn, PRICE)
        assert await at_once(*(settling.settle(sn) for _ in range(3))) == [None] * 3
    await return_late_money(database, settling)
    assert {row["order_sn"] for row in await stored(database, REFUNDS)} == set(sns[:20])
    assert len(await stored(database, LETTERS)) == len(sns[:20])
    assert {payments.payments[sn].status for sn in sns[:20]} == {PaymentStatus.REFUNDED}
    assert await refunds_due(database) == []
