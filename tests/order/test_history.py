"""Every change of state leaves one row, in the order in which they happened."""

from datetime import timedelta

import pytest

from domain.database import Database
from domain.errors import InvalidTransition
from domain.order.closing import Closing
from domain.order.models import Event
from domain.order.service import Orders
from domain.order.settling import Settling
from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.factories import create_stays
from tests.fakes import FakePayments
from tests.order.rows import GUEST, ORDERS, add_order, steps, stored

CANCELLED, WAIT_PAY, WAIT_USE, USED, REFUNDED, EXPIRED = TradeState


async def test_a_life_is_told_step_by_step_with_its_moments(
    settling: Settling, orders: Orders, payments: FakePayments, clock: FrozenClock
) -> None:
    order, other = [(await orders.create(GUEST, stay)).order for stay in create_stays(2)]
    clock.advance(timedelta(milliseconds=1500))
    payments.pay(order.sn, order.order_total_price)
    await settling.settle(order.sn)
    await orders.cancel(GUEST, other.sn)
    clock.advance(timedelta(days=1))
    payments.pay(order.sn, order.order_total_price, PaymentStatus.REFUNDED)
    await settling.settle(order.sn)

    paid, refunded = NOW + timedelta(milliseconds=1500), NOW + timedelta(days=1, milliseconds=1500)
    history = await orders.history([order.sn])
    assert history == [
        Event(order_sn=order.sn, at=NOW, from_state=None, to_state=WAIT_PAY, reason=None),
        Event(order_sn=order.sn, at=paid, from_state=WAIT_PAY, to_state=WAIT_USE, reason=None),
        Event(order_sn=order.sn, at=refunded, from_state=WAIT_USE, to_state=REFUNDED, reason=None),
    ]
    both = await orders.history([order.sn, other.sn])
    assert [event for event in both if event.order_sn == order.sn] == history
    assert [(event.at, event.to_state, event.reason) for event in both if event.order_sn == other.sn] == [
        (NOW, WAIT_PAY, None),
        (paid, CANCELLED, CloseReason.GUEST),
    ]
    assert await orders.history([]) == []
    assert await orders.history(["HSO20260520120000NOBODY00"]) == []


@pytest.mark.parametrize(
    ("current", "to", "reason"),
    [
        (WAIT_PAY, WAIT_USE, None),
        (WAIT_PAY, CANCELLED, CloseReason.GUEST),
        (WAIT_USE, USED, None),
        (WAIT_USE, REFUNDED, None),
        (WAIT_USE, EXPIRED, None),
    ],
)
async def test_a_move_is_one_step_and_a_repeat_is_none(
    closing: Closing, database: Database, current: TradeState, to: TradeState, reason: CloseReason | None
) -> None:
    order = await add_order(database, trade_state=current)
    for _ in range(3):
        moved = await closing.move(order.sn, to)
        assert (moved.trade_state, moved.close_reason) == (to, reason)
    assert (await steps(database, order.sn))[1:] == [(current, to, reason)]


async def test_a_move_that_is_refused_is_no_step(closing: Closing, database: Database) -> None:
    order = await add_order(database, trade_state=TradeState.USED)
    for to in (WAIT_PAY, WAIT_USE, CANCELLED, REFUNDED, EXPIRED):
        with pytest.raises(InvalidTransition):
            await closing.move(order.sn, to)
    assert await steps(database, order.sn) == [(None, USED, None)]


async def test_a_move_writes_nothing_but_the_state(closing: Closing, database: Database, clock: FrozenClock) -> None:
    order = await add_order(database)
    (before,) = await stored(database, ORDERS)
    clock.advance(timedelta(minutes=1, milliseconds=999))
    await closing.move(order.sn, WAIT_USE)
    (row,) = await stored(database, ORDERS)
    changed = row.pop("update_time").replace(microsecond=0)
    assert changed == before.pop("update_time") + timedelta(minutes=1)
    assert row == before | {"trade_state": WAIT_USE, "version": before["version"] + 1}
