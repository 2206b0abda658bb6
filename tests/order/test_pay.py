"""Opening the one payment of an order."""

from datetime import timedelta

import pytest

from domain.database import Database
from domain.errors import InvalidTransition, OrderNotFound, UpstreamUnavailable
from domain.order.service import Orders
from domain.order.states import PaymentStatus, TradeState
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW
from tests.factories import create_stay
from tests.fakes import FakePayments
from tests.order.rows import GUEST, add_order, steps

WAIT_PAY, WAIT_USE = TradeState.WAIT_PAY, TradeState.WAIT_USE
SOMEBODY = 8


async def test_a_payment_is_opened_for_the_price_until_the_order_closes(
    orders: Orders, payments: FakePayments, clock: FrozenClock
) -> None:
    clock.advance(timedelta(milliseconds=250))
    order = (await orders.create(GUEST, create_stay())).order
    payment, same = await orders.open_payment(GUEST, order.sn)
    assert payments.opened_with == [order.close_at] == [NOW + PAY_WINDOW + timedelta(milliseconds=250)]
    assert (payment.order_sn, payment.total, payment.status) == (
        order.sn,
        order.order_total_price,
        PaymentStatus.WAIT,
    )
    assert same == order
    assert await orders.payment(order.sn) == payment


async def test_a_payment_is_opened_once(orders: Orders, database: Database) -> None:
    order = await add_order(database)
    first, _ = await orders.open_payment(GUEST, order.sn)
    second, _ = await orders.open_payment(GUEST, order.sn)
    assert first == second


async def test_nobody_pays_an_order_of_somebody_else(
    orders: Orders, payments: FakePayments, database: Database
) -> None:
    order = await add_order(database)
    for user_id, sn in ((SOMEBODY, order.sn), (GUEST, "HSO20260520120000NOBODY00")):
        with pytest.raises(OrderNotFound) as refusal:
            await orders.open_payment(user_id, sn)
        assert (refusal.value.message, refusal.value.field) == ("There is no such order.", ("sn",))
    assert payments.payments == {}


async def test_what_does_not_wait_for_payment_is_not_paid(
    orders: Orders, payments: FakePayments, database: Database
) -> None:
    for state in set(TradeState) - {WAIT_PAY}:
        order = await add_order(database, trade_state=state)
        with pytest.raises(InvalidTransition) as refusal:
            await orders.open_payment(GUEST, order.sn)
        assert (refusal.value.current, refusal.value.wanted) == (state, WAIT_USE)
    assert payments.payments == {}


async def test_an_order_can_be_paid_until_its_last_millisecond(
    orders: Orders, payments: FakePayments, database: Database, clock: FrozenClock
) -> None:
    order = await add_order(database)
    clock.at = NOW + PAY_WINDOW - timedelta(milliseconds=1)
    await orders.open_payment(GUEST, order.sn)
    # Not closed yet, but overdue: the next moment it may be.
    clock.at = NOW + PAY_WINDOW
    with pytest.raises(InvalidTransition, match="time to pay"):
        await orders.open_payment(GUEST, order.sn)
    assert len(payments.opened_with) == 1


async def test_an_order_with_a_timer_elsewhere_is_not_paid_through_us(
    orders: Orders, payments: FakePayments, database: Database
) -> None:
    order = await add_order(database, close_at=None)
    with pytest.raises(InvalidTransition):
        await orders.open_payment(GUEST, order.sn)
    assert payments.payments == {}


async def test_money_that_is_found_there_pays_the_order(
    orders: Orders, payments: FakePayments, database: Database
) -> None:
    order = await add_order(database)
    payments.pay(order.sn, order.order_total_price)
    payment, paid = await orders.open_payment(GUEST, order.sn)
    assert payment.status is PaymentStatus.SUCCESS
    assert paid.trade_state is WAIT_USE
    assert (await steps(database, order.sn))[1:] == [(WAIT_PAY, WAIT_USE, None)]


async def test_a_payment_that_failed_is_followed_by_another(
    orders: Orders, payments: FakePayments, database: Database
) -> None:
    order = await add_order(database)
    payments.pay(order.sn, order.order_total_price, PaymentStatus.FAILED)
    payment, _ = await orders.open_payment(GUEST, order.sn)
    assert payment.status is PaymentStatus.WAIT


async def test_a_payment_service_that_cant_be_asked_leaves_the_order_as_it_is(
    orders: Orders, payments: FakePayments, database: Database
) -> None:
    order = await add_order(database)
    payments.down = True
    with pytest.raises(UpstreamUnavailable):
        await orders.open_payment(GUEST, order.sn)
    with pytest.raises(UpstreamUnavailable):
        await orders.payment(order.sn)
    assert await orders.find(GUEST, order.sn) == order
