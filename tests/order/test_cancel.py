"""A guest's change of mind."""

import asyncio
from datetime import timedelta

import pytest

from domain.database import Database
from domain.errors import InvalidTransition, OrderNotFound
from domain.order.closing import Closing, Outcome
from domain.order.service import Orders
from domain.order.settling import Settling
from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.fakes import FakePayments
from tests.order.rows import GUEST, REFUNDS, add_order, after, return_late_money, steps, stored

WAIT_PAY, WAIT_USE, CANCELLED = TradeState.WAIT_PAY, TradeState.WAIT_USE, TradeState.CANCELLED
GIVEN_UP = (WAIT_PAY, CANCELLED, CloseReason.GUEST)
SOMEBODY = 8


async def test_a_guest_gives_up_an_unpaid_order(orders: Orders, closing: Closing, database: Database) -> None:
    order = await add_order(database)
    cancelled = await orders.cancel(GUEST, order.sn)
    assert (cancelled.trade_state, cancelled.close_reason) == (CANCELLED, CloseReason.GUEST)
    assert cancelled.pay_before is None
    assert await orders.find(GUEST, order.sn) == cancelled
    assert (await steps(database, order.sn))[1:] == [GIVEN_UP]
    assert await closing.close_if_unpaid(order.sn) is Outcome.DECIDED


async def test_an_order_given_up_twice_is_answered_as_the_first_time(orders: Orders, database: Database) -> None:
    order = await add_order(database)
    first = await orders.cancel(GUEST, order.sn)
    assert await orders.cancel(GUEST, order.sn) == first
    assert (await steps(database, order.sn))[1:] == [GIVEN_UP]


async def test_two_taps_at_once_give_up_once_and_are_answered_alike(orders: Orders, database: Database) -> None:
    for _ in range(5):
        order = await add_order(database)
        answers = await asyncio.gather(*(orders.cancel(GUEST, order.sn) for _ in range(3)))
        assert answers == [answers[0]] * 3
        assert (await steps(database, order.sn))[1:] == [GIVEN_UP]


async def test_nobody_gives_up_an_order_of_somebody_else(orders: Orders, database: Database) -> None:
    order = await add_order(database)
    for user_id, sn in ((SOMEBODY, order.sn), (GUEST, "HSO20260520120000NOBODY00")):
        with pytest.raises(OrderNotFound) as refusal:
            await orders.cancel(user_id, sn)
        assert (refusal.value.message, refusal.value.field) == ("There is no such order.", ("sn",))
    assert await orders.find(GUEST, order.sn) == order


async def test_a_paid_order_is_not_given_up(orders: Orders, database: Database) -> None:
    for state in (WAIT_USE, TradeState.USED, TradeState.REFUNDED, TradeState.EXPIRED):
        order = await add_order(database, trade_state=state)
        with pytest.raises(InvalidTransition) as refusal:
            await orders.cancel(GUEST, order.sn)
        assert (refusal.value.current, refusal.value.wanted) == (state, CANCELLED)
        assert await orders.find(GUEST, order.sn) == order


async def test_what_the_clock_closed_is_no_longer_the_guests_to_give_up(orders: Orders, database: Database) -> None:
    for reason in (CloseReason.UNPAID_TIMEOUT, CloseReason.PAYMENT_FAILED):
        order = await add_order(database, trade_state=CANCELLED, close_reason=reason)
        with pytest.raises(InvalidTransition):
            await orders.cancel(GUEST, order.sn)
        assert await orders.find(GUEST, order.sn) == order


async def test_money_that_came_meanwhile_is_not_taken_from_the_guest_unawares(
    orders: Orders, payments: FakePayments, database: Database
) -> None:
    order = await add_order(database)
    payments.pay(order.sn, order.order_total_price)
    with pytest.raises(InvalidTransition) as refusal:
        await orders.cancel(GUEST, order.sn)
    assert refusal.value.current is WAIT_USE
    assert await steps(database, order.sn) == [(None, WAIT_PAY, None), (WAIT_PAY, WAIT_USE, None)]
    assert await stored(database, REFUNDS) == []


async def test_an_open_payment_keeps_nobody_from_giving_up_and_its_late_money_goes_back(
    settling: Settling, orders: Orders, payments: FakePayments, database: Database
) -> None:
    order = await add_order(database)
    payments.pay(order.sn, order.order_total_price, PaymentStatus.WAIT)
    assert (await orders.cancel(GUEST, order.sn)).close_reason is CloseReason.GUEST
    payments.pay(order.sn, order.order_total_price)
    await settling.settle(order.sn)
    await return_late_money(database, settling)
    assert payments.refunded == [order.sn]


async def test_an_order_is_given_up_though_its_payment_cant_be_asked_for(
    orders: Orders, payments: FakePayments, database: Database
) -> None:
    order = await add_order(database)
    payments.down = True
    assert (await orders.cancel(GUEST, order.sn)).trade_state is CANCELLED


async def test_an_overdue_order_that_is_not_closed_yet_can_still_be_given_up(
    orders: Orders, database: Database
) -> None:
    order = await add_order(database, **after(-timedelta(minutes=1)))
    assert (await orders.cancel(GUEST, order.sn)).close_reason is CloseReason.GUEST
