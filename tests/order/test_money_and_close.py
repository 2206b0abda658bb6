"""Money and the clock, in both orders of arrival: paid in time is paid, and late money goes back once."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.database import Database
from domain.errors import RefundUnsupported, UpstreamUnavailable
from domain.money import Fen
from domain.order.closing import Closing, Outcome
from domain.order.models import Order
from domain.order.settling import Settling
from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW
from tests.fakes import FakePayments
from tests.order.rows import (
    GUEST,
    LETTERS,
    ORDERS,
    PRICE,
    REFUNDS,
    add_order,
    refunds_due,
    return_late_money,
    steps,
    stored,
)

CANCELLED, WAIT_PAY, WAIT_USE, USED, REFUNDED, EXPIRED = TradeState
OPENED = (None, WAIT_PAY, None)
PAID = (WAIT_PAY, WAIT_USE, None)
CLOSED = (WAIT_PAY, CANCELLED, CloseReason.UNPAID_TIMEOUT)


@pytest.fixture
async def order(database: Database, clock: FrozenClock) -> Order:
    """An order whose time to pay is over at this very instant."""
    order = await add_order(database)
    clock.at = NOW + PAY_WINDOW
    return order


async def state(closing: Closing, order: Order) -> TradeState:
    found = await closing.find(order.sn)
    assert found is not None
    return found.trade_state


@pytest.mark.parametrize("told", [True, False])
async def test_money_that_came_before_the_close_pays_the_order(
    settling: Settling, closing: Closing, payments: FakePayments, database: Database, order: Order, *, told: bool
) -> None:
    payments.pay(order.sn, order.order_total_price)
    if told:
        await settling.settle(order.sn)
        assert await closing.close_if_unpaid(order.sn) is Outcome.DECIDED
    else:
        assert await closing.close_if_unpaid(order.sn) is Outcome.PAID
    assert await state(closing, order) is WAIT_USE
    assert await steps(database, order.sn) == [OPENED, PAID]
    assert await stored(database, REFUNDS) == []
    assert payments.refunded == []


async def test_money_that_comes_after_the_close_goes_back_exactly_once(
    settling: Settling, closing: Closing, payments: FakePayments, database: Database, clock: FrozenClock, order: Order
) -> None:
    assert await closing.close_if_unpaid(order.sn) is Outcome.CLOSED
    paid = payments.pay(order.sn, order.order_total_price)
    clock.advance(timedelta(seconds=5))
    for _ in range(3):
        await settling.settle(order.sn)
    assert await stored(database, REFUNDS) == [
        {
            "order_sn": order.sn,
            "payment_sn": paid.sn,
            "total": PRICE,
            "requested_at": clock.at,
            "refunded_at": None,
        }
    ]
    assert await refunds_due(database) == [order.sn]
    for _ in range(2):
        await return_late_money(database, settling)
    assert payments.refunded == [order.sn]
    assert await refunds_due(database) == []
    assert await state(closing, order) is CANCELLED
    assert await steps(database, order.sn) == [OPENED, CLOSED]


async def test_late_money_that_is_told_of_thrice_at_once_is_asked_back_once(
    settling: Settling, closing: Closing, payments: FakePayments, database: Database, clock: FrozenClock
) -> None:
    sns = [(await add_order(database)).sn for _ in range(20)]
    clock.at = NOW + PAY_WINDOW
    for sn in sns:
        await closing.close_if_unpaid(sn)
        payments.pay(sn, PRICE)
        await asyncio.gather(*(settling.settle(sn) for _ in range(3)))
    await return_late_money(database, settling)
    assert {row["order_sn"] for row in await stored(database, REFUNDS)} == set(sns)
    assert len(await stored(database, LETTERS)) == len(sns)
    assert {payments.payments[sn].status for sn in sns} == {PaymentStatus.REFUNDED}
    assert await refunds_due(database) == []


async def test_money_for_an_order_that_its_guest_gave_up_goes_back(
    database: Database, settling: Settling, closing: Closing, payments: FakePayments, order: Order
) -> None:
    assert await closing.give_up(order.sn)
    payments.pay(order.sn, order.order_total_price)
    await settling.settle(order.sn)
    await return_late_money(database, settling)
    assert payments.refunded == [order.sn]
    assert await refunds_due(database) == []


async def test_an_order_closes_though_its_payment_cant_be_asked_for_and_late_money_goes_back(
    settling: Settling, closing: Closing, payments: FakePayments, database: Database, order: Order
) -> None:
    payments.pay(order.sn, order.order_total_price)
    payments.down = True
    assert await closing.close_if_unpaid(order.sn) is Outcome.CLOSED
    assert payments.asked == [order.sn] * 3
    assert await steps(database, order.sn) == [OPENED, CLOSED]
    with pytest.raises(UpstreamUnavailable):
        await settling.settle(order.sn)
    payments.down = False
    await settling.settle(order.sn)
    await return_late_money(database, settling)
    assert payments.refunded == [order.sn]
    assert await refunds_due(database) == []


async def test_a_refund_that_cant_be_made_stays_due(
    database: Database, settling: Settling, closing: Closing, payments: FakePayments, clock: FrozenClock, order: Order
) -> None:
    assert await closing.close_if_unpaid(order.sn) is Outcome.CLOSED
    payment = payments.pay(order.sn, order.order_total_price)
    await settling.settle(order.sn)
    payments.can_refund = False
    with pytest.raises(RefundUnsupported):
        await settling.refund(payment.sn)
    payments.down = True
    with pytest.raises(UpstreamUnavailable):
        await settling.refund(payment.sn)
    assert await refunds_due(database) == [order.sn]

    payments.can_refund, payments.down = True, False
    clock.advance(timedelta(hours=1))
    await settling.refund(payment.sn)
    assert await refunds_due(database) == []
    assert payments.refunded == [order.sn]


async def test_a_refund_that_people_made_is_no_longer_due(
    database: Database, settling: Settling, closing: Closing, payments: FakePayments, order: Order
) -> None:
    await closing.give_up(order.sn)
    payments.pay(order.sn, order.order_total_price)
    payments.can_refund = False
    await settling.settle(order.sn)
    payments.pay(order.sn, order.order_total_price, PaymentStatus.REFUNDED)
    await settling.settle(order.sn)
    assert await refunds_due(database) == []
    assert payments.refunded == []


@pytest.mark.parametrize("total", [PRICE - 1, PRICE + 1, 0])
async def test_money_that_is_not_the_price_goes_back_and_the_order_closes(
    settling: Settling, closing: Closing, payments: FakePayments, database: Database, order: Order, total: Fen
) -> None:
    payments.pay(order.sn, total)
    await settling.settle(order.sn)
    assert await state(closing, order) is WAIT_PAY
    await return_late_money(database, settling)
    assert payments.refunded == [order.sn]
    assert await closing.close_if_unpaid(order.sn) is Outcome.CLOSED
    assert await steps(database, order.sn) == [OPENED, CLOSED]
    (refund,) = await stored(database, REFUNDS)
    assert refund["total"] == total


async def test_wrong_money_that_the_close_finds_goes_back_and_the_order_closes(
    database: Database, settling: Settling, closing: Closing, payments: FakePayments, order: Order
) -> None:
    payments.pay(order.sn, Fen(1))
    assert await closing.close_if_unpaid(order.sn) is Outcome.CLOSED
    await return_late_money(database, settling)
    assert payments.refunded == [order.sn]
    assert await refunds_due(database) == []


async def test_money_beside_the_money_that_paid_goes_back_too(
    database: Database, settling: Settling, payments: FakePayments, order: Order
) -> None:
    first = payments.pay(order.sn, order.order_total_price)
    await settling.settle(order.sn)
    second = replace(first, sn="PMT20260520120000SECOND00")
    for _ in range(2):
        await settling.apply(order.sn, [first, second])
    (refund,) = await stored(database, REFUNDS)
    assert (refund["payment_sn"], refund["order_sn"], refund["total"]) == (second.sn, order.sn, PRICE)
    (letter,) = await stored(database, LETTERS)
    assert (letter["topic"], letter["payload"]) == ("order.refund", {"orderSn": order.sn, "paymentSn": second.sn})
    # That it went back is no reason to take the stay away; that the first one did, is.
    await settling.apply(order.sn, [first, replace(second, status=PaymentStatus.REFUNDED)])
    assert await refunds_due(database) == []
    await settling.apply(order.sn, [replace(first, status=PaymentStatus.REFUNDED)])
    assert await steps(database, order.sn) == [OPENED, PAID, (WAIT_USE, REFUNDED, None)]


async def test_money_that_went_back_takes_no_stay_from_an_order_that_another_service_moved(
    settling: Settling, closing: Closing, payments: FakePayments, database: Database, order: Order
) -> None:
    payments.pay(order.sn, Fen(1))
    await settling.settle(order.sn)
    await closing.move(order.sn, WAIT_USE)
    await return_late_money(database, settling)
    assert await refunds_due(database) == []
    for _ in range(2):
        await settling.settle(order.sn)
    assert await steps(database, order.sn) == [OPENED, PAID]


async def test_settling_again_changes_nothing(
    settling: Settling, payments: FakePayments, database: Database, order: Order
) -> None:
    payments.pay(order.sn, order.order_total_price)
    await settling.settle(order.sn)
    before = await stored(database, ORDERS), await steps(database, order.sn)
    for _ in range(3):
        await settling.settle(order.sn)
    assert (await stored(database, ORDERS), await steps(database, order.sn)) == before
    assert await stored(database, REFUNDS) == []


async def test_what_is_no_money_settles_nothing(
    settling: Settling, closing: Closing, payments: FakePayments, database: Database, order: Order
) -> None:
    await settling.settle(order.sn)
    for status in (PaymentStatus.WAIT, PaymentStatus.FAILED, PaymentStatus.REFUNDED):
        payments.pay(order.sn, order.order_total_price, status)
        await settling.settle(order.sn)
        assert await closing.find(order.sn) == order, status
    assert await stored(database, REFUNDS) == []


async def test_a_refund_announced_ends_a_paid_order_and_no_other(
    settling: Settling, closing: Closing, payments: FakePayments, database: Database
) -> None:
    for current in TradeState:
        order = await add_order(database, trade_state=current)
        payments.pay(order.sn, order.order_total_price, PaymentStatus.REFUNDED)
        for _ in range(2):
            await settling.settle(order.sn)
        moved = [(WAIT_USE, REFUNDED, None)] if current is WAIT_USE else []
        assert await steps(database, order.sn) == [(None, current, None), *moved]
        assert await state(closing, order) is (REFUNDED if moved else current)


async def test_a_repeated_notice_of_money_takes_nothing_from_a_paid_order(
    settling: Settling, closing: Closing, payments: FakePayments, database: Database
) -> None:
    for current in (WAIT_USE, USED, EXPIRED, REFUNDED):
        order = await add_order(database, trade_state=current)
        payments.pay(order.sn, order.order_total_price)
        await settling.settle(order.sn)
        assert await closing.find(order.sn) == order
    assert await stored(database, REFUNDS) == []
    assert payments.refunded == []


async def test_money_for_an_order_that_does_not_exist_is_only_reported(
    settling: Settling, payments: FakePayments, database: Database
) -> None:
    payments.pay("HSO20260520120000NOBODY00", PRICE)
    await settling.settle("HSO20260520120000NOBODY00")
    await return_late_money(database, settling)
    assert await stored(database, ORDERS) == await stored(database, REFUNDS) == []
    assert payments.refunded == []


async def test_a_guest_who_pays_late_keeps_no_order_but_the_money(
    database: Database, settling: Settling, closing: Closing, payments: FakePayments, order: Order
) -> None:
    await closing.close_if_unpaid(order.sn)
    payments.pay(order.sn, order.order_total_price)
    await settling.settle(order.sn)
    await return_late_money(database, settling)
    found = await closing.find(order.sn)
    assert found is not None
    assert (found.user_id, found.trade_state, found.shown_code) == (GUEST, CANCELLED, None)
    assert payments.payments[order.sn].status is PaymentStatus.REFUNDED
