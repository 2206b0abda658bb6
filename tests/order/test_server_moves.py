"""Moves that a back-end service asks for over the wire."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import grpc
import pytest

from domain.database import Database
from domain.order.settling import Settling
from domain.order.states import CloseReason, TradeState
from proto import order_pb2
from tests.conftest import NOW, SHANGHAI
from tests.fakes import FakePayments
from tests.order.calls import Caller, invalid, refused
from tests.order.rows import EVENTS, GUEST, ORDERS, PRICE, REFUNDS, add_order, after, steps, stored

CANCELLED, WAIT_PAY, WAIT_USE, USED, REFUNDED, EXPIRED = TradeState
LEGAL = {(WAIT_PAY, WAIT_USE), (WAIT_PAY, CANCELLED), (WAIT_USE, USED), (WAIT_USE, REFUNDED), (WAIT_USE, EXPIRED)}
# The table's tinyint would cut some of these to a state.
UNKNOWN = [-99, -2, 5, 99, 127, 128, 255, 256, 257, 2**31, 2**32 + 1, 2**63 - 1, -(2**63)]
NOT_NOW = grpc.StatusCode.FAILED_PRECONDITION, "INVALID_TRANSITION", ""


@pytest.mark.parametrize("current", TradeState)
async def test_a_move_is_in_the_table_or_refused(caller: Caller, database: Database, current: TradeState) -> None:
    for wanted in TradeState:
        order = await add_order(database, trade_state=current)
        if (current, wanted) in LEGAL or current is wanted:
            assert (await caller.move(order.sn, wanted)).sn == order.sn
            moved = wanted
        else:
            assert await refused(caller.move(order.sn, wanted)) == NOT_NOW
            moved = current
        assert (await caller.detail(order.sn)).tradeState == moved
        assert len(await steps(database, order.sn)) == 1 + (moved is not current)


async def test_a_number_that_is_no_state_moves_nothing(caller: Caller, database: Database) -> None:
    kept = [await add_order(database, trade_state=state) for state in TradeState]
    before = await stored(database, ORDERS)
    for order, number in product(kept, UNKNOWN):
        assert await refused(caller.move(order.sn, number)) == invalid("tradeState"), (order.trade_state, number)
    assert await stored(database, ORDERS) == before
    assert len(await stored(database, EVENTS)) == len(kept)


@pytest.mark.parametrize(("current", "wanted"), sorted(LEGAL))
async def test_a_repeat_is_answered_as_the_first_time(
    caller: Caller, database: Database, current: TradeState, wanted: TradeState
) -> None:
    order = await add_order(database, trade_state=current, trade_code="8CHARS00")
    midnight = NOW.astimezone(SHANGHAI).replace(month=6, day=1, hour=0)
    first = await caller.move(order.sn, wanted)
    assert first == order_pb2.UpdateHomestayOrderTradeStateResp(
        id=order.id,
        userId=GUEST,
        sn=order.sn,
        tradeCode="8CHARS00" if wanted in {WAIT_USE, USED, EXPIRED} else "",
        liveStartDate=int(midnight.timestamp()),
        liveEndDate=int(midnight.replace(day=3).timestamp()),
        orderTotalPrice=PRICE,
        title="Courtyard House",
    )
    for _ in range(2):
        assert await caller.move(order.sn, wanted) == first
    assert len(await steps(database, order.sn)) == 2


@pytest.mark.parametrize(
    ("left", "reason"),
    [(timedelta(seconds=1), CloseReason.GUEST), (timedelta(), CloseReason.UNPAID_TIMEOUT)],
)
async def test_a_close_that_is_asked_for_says_whose_it_is(
    caller: Caller, database: Database, left: timedelta, reason: CloseReason
) -> None:
    order = await add_order(database, **after(left))
    await caller.move(order.sn, CANCELLED)
    assert (await steps(database, order.sn))[1:] == [(WAIT_PAY, CANCELLED, reason)]


async def test_an_order_of_the_existing_system_can_be_closed_by_that_systems_timer(
    caller: Caller, database: Database
) -> None:
    order = await add_order(database, close_at=None)
    await caller.move(order.sn, CANCELLED)
    assert (await caller.detail(order.sn)).tradeState == CANCELLED


@pytest.mark.parametrize("left", [timedelta(seconds=1), timedelta()])
async def test_an_order_that_is_paid_unheard_of_is_not_closed(
    caller: Caller, database: Database, payments: FakePayments, left: timedelta
) -> None:
    order = await add_order(database, **after(left))
    payments.pay(order.sn, order.order_total_price)
    assert await refused(caller.move(order.sn, CANCELLED)) == NOT_NOW
    assert (await caller.detail(order.sn)).tradeState == WAIT_USE
    assert payments.refunded == []


async def test_an_order_that_a_service_says_is_paid_knows_by_which_money_and_sends_other_money_back(
    caller: Caller, database: Database, payments: FakePayments, settling: Settling
) -> None:
    order = await add_order(database)
    payments.pay(order.sn, order.order_total_price)
    await caller.move(order.sn, WAIT_USE)
    (row,) = await stored(database, ORDERS)
    assert row["payment_sn"] == payments.payments[order.sn].sn
    second = replace(payments.payments[order.sn], sn="PMT20260520120000SECOND00")
    await settling.apply(order.sn, [second])
    assert [refund["payment_sn"] for refund in await stored(database, REFUNDS)] == [second.sn]


async def test_a_service_may_say_that_an_order_is_paid_while_the_payment_service_is_away(
    caller: Caller, database: Database, payments: FakePayments
) -> None:
    order = await add_order(database)
    payments.down = True
    await caller.move(order.sn, WAIT_USE)
    assert (await caller.detail(order.sn)).tradeState == WAIT_USE
