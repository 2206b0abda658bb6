"""An order that nobody pays closes when its time is over, and not before."""

from datetime import timedelta

import pytest

from domain.database import Database
from domain.order.closing import Closing, Outcome
from domain.order.pricing import Rules
from domain.order.room import assemble
from domain.order.service import Orders
from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW, SHANGHAI
from tests.factories import create_stay, create_stays
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.order.rows import EVENTS, GUEST, ORDERS, add_order, after, change, steps, stored

WAIT_PAY, CANCELLED = TradeState.WAIT_PAY, TradeState.CANCELLED
INSTANT = timedelta(milliseconds=1)
DECIDED = [state for state in TradeState if state is not WAIT_PAY]


async def test_an_order_is_open_until_its_last_millisecond(
    orders: Orders, closing: Closing, clock: FrozenClock, payments: FakePayments, database: Database
) -> None:
    order = (await orders.create(GUEST, create_stay())).order

    clock.advance(timedelta(minutes=20) - INSTANT)
    assert await closing.close_if_unpaid(order.sn) is Outcome.EARLY
    assert await closing.overdue(grace=timedelta(), limit=10) == []
    assert await orders.find(GUEST, order.sn) == order
    assert payments.asked == []

    clock.advance(INSTANT)
    assert await closing.overdue(grace=timedelta(), limit=10) == [order.sn]
    assert await closing.close_if_unpaid(order.sn) is Outcome.CLOSED
    closed = await orders.find(GUEST, order.sn)
    assert closed is not None
    assert (closed.trade_state, closed.close_reason) == (CANCELLED, CloseReason.UNPAID_TIMEOUT)
    assert closed.pay_before is None
    assert await steps(database, order.sn) == [
        (None, WAIT_PAY, None),
        (WAIT_PAY, CANCELLED, CloseReason.UNPAID_TIMEOUT),
    ]


async def test_each_order_closes_by_the_window_that_it_was_placed_under(
    orders: Orders, database: Database, closing: Closing, clock: FrozenClock, travel: FakeTravel
) -> None:
    rules = Rules(zone=SHANGHAI, pay_window=timedelta(minutes=5))
    timer, payments = FakeTimer(), FakePayments()
    hasty = assemble(database, clock, rules, travel=travel, payments=payments, timer=timer).orders
    first, second = create_stays(2)
    long, short = (await orders.create(GUEST, first)).order, (await hasty.create(GUEST, second)).order
    assert timer.set == [(short.sn, 300.0)]
    clock.advance(timedelta(minutes=5))
    assert await closing.close_if_unpaid(short.sn) is Outcome.CLOSED
    assert await closing.close_if_unpaid(long.sn) is Outcome.EARLY
    clock.advance(timedelta(minutes=15))
    assert await closing.close_if_unpaid(long.sn) is Outcome.CLOSED


async def test_an_order_that_does_not_exist_is_let_be(
    closing: Closing, payments: FakePayments, database: Database
) -> None:
    assert await closing.close_if_unpaid("HSO20260520120000NOBODY00") is Outcome.MISSING
    assert payments.asked == []
    assert await stored(database, EVENTS) == []


async def test_a_deleted_order_does_not_exist(closing: Closing, orders: Orders, database: Database) -> None:
    order = await add_order(database, **after(-INSTANT))
    await change(database, order.sn, del_state=1)
    assert await closing.close_if_unpaid(order.sn) is Outcome.MISSING
    assert await closing.overdue(grace=timedelta(), limit=10) == []
    assert await orders.find(GUEST, order.sn) is None
    (row,) = await stored(database, ORDERS)
    assert row["trade_state"] is WAIT_PAY


async def test_an_order_with_a_timer_elsewhere_is_not_closed_by_ours(closing: Closing, database: Database) -> None:
    order = await add_order(database, close_at=None)
    assert await closing.close_if_unpaid(order.sn) is Outcome.EARLY
    assert await closing.overdue(grace=timedelta(), limit=10) == []


async def test_what_is_decided_stays_so(closing: Closing, payments: FakePayments, database: Database) -> None:
    for state in DECIDED:
        order = await add_order(database, trade_state=state, **after(-INSTANT))
        assert await closing.close_if_unpaid(order.sn) is Outcome.DECIDED
        assert await closing.find(order.sn) == order
        assert await steps(database, order.sn) == [(None, state, None)]
    assert payments.asked == []


async def test_closing_twice_closes_once(closing: Closing, database: Database) -> None:
    order = await add_order(database, **after(timedelta()))
    assert await closing.close_if_unpaid(order.sn) is Outcome.CLOSED
    assert await closing.close_if_unpaid(order.sn) is Outcome.DECIDED
    assert len(await steps(database, order.sn)) == 2


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (None, CloseReason.UNPAID_TIMEOUT),
        (PaymentStatus.WAIT, CloseReason.UNPAID_TIMEOUT),
        (PaymentStatus.FAILED, CloseReason.PAYMENT_FAILED),
        (PaymentStatus.REFUNDED, CloseReason.UNPAID_TIMEOUT),
    ],
)
async def test_a_closed_order_says_why(
    closing: Closing,
    payments: FakePayments,
    database: Database,
    status: PaymentStatus | None,
    reason: CloseReason,
) -> None:
    order = await add_order(database, **after(-INSTANT))
    if status is not None:
        payments.pay(order.sn, order.order_total_price, status)
    assert await closing.close_if_unpaid(order.sn) is Outcome.CLOSED
    closed = await closing.find(order.sn)
    assert closed is not None
    assert closed.close_reason is reason
    assert (await steps(database, order.sn))[1:] == [(WAIT_PAY, CANCELLED, reason)]


async def test_the_overdue_are_told_by_how_long_they_are(closing: Closing, database: Database) -> None:
    second = timedelta(seconds=1)
    late = [await add_order(database, **after(-second * seconds)) for seconds in (10, 30, 20, 9)]
    await add_order(database, **after(second))
    for state in DECIDED:
        await add_order(database, trade_state=state, **after(-60 * second))
    by_lateness = [late[1].sn, late[2].sn, late[0].sn, late[3].sn]
    assert await closing.overdue(grace=timedelta(), limit=10) == by_lateness
    assert await closing.overdue(grace=10 * second, limit=10) == by_lateness[:3]
    assert await closing.overdue(grace=10 * second + INSTANT, limit=10) == by_lateness[:2]
    assert await closing.overdue(grace=timedelta(), limit=2) == by_lateness[:2]


async def test_the_present_has_milliseconds_not_whole_seconds(
    orders: Orders, closing: Closing, clock: FrozenClock
) -> None:
    clock.at = NOW + timedelta(milliseconds=500)
    order = (await orders.create(GUEST, create_stay())).order
    clock.at = NOW + PAY_WINDOW + timedelta(milliseconds=499)
    assert await closing.close_if_unpaid(order.sn) is Outcome.EARLY
    clock.advance(INSTANT)
    assert await closing.close_if_unpaid(order.sn) is Outcome.CLOSED
