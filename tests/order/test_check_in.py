"""A guest who shows the check-in code at the door, asked for over the wire."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Final

import grpc
import pytest

from domain.database import Database
from domain.order.models import Order
from domain.order.states import TradeState
from tests.clock import FrozenClock
from tests.order.calls import Caller, invalid, refused
from tests.order.rows import ORDERS, add_order, change, steps, stored

CODE: Final = "8CHARS00"
# The stay of the rows: from 1 June to 3 June in Shanghai, eight hours ahead of UTC.
ARRIVAL_BEGINS: Final = datetime(2026, 5, 31, 16, tzinfo=UTC)
LEAVING_ENDS: Final = datetime(2026, 6, 3, 16, tzinfo=UTC)
MOMENT: Final = timedelta(milliseconds=1)
NOT_NOW: Final = grpc.StatusCode.FAILED_PRECONDITION, "INVALID_TRANSITION", ""
NOT_FOUND: Final = grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND", "sn"


@pytest.fixture(autouse=True)
def on_the_day_of_arrival(clock: FrozenClock) -> None:
    clock.at = ARRIVAL_BEGINS + timedelta(hours=15)


async def unchanged(database: Database, order: Order) -> bool:
    (row,) = await stored(database, ORDERS, sn=order.sn)
    return (row["checked_in_at"], row["version"]) == (None, 0)


async def test_a_guest_with_the_code_is_let_in_and_the_order_waits_for_the_end_of_the_stay(
    caller: Caller, database: Database, clock: FrozenClock
) -> None:
    order = await add_order(database, trade_state=TradeState.WAIT_USE)
    assert await caller.check_in(order.sn, CODE) == int(clock.at.timestamp())
    (row,) = await stored(database, ORDERS, sn=order.sn)
    assert (row["checked_in_at"], row["trade_state"]) == (clock.at, TradeState.WAIT_USE)
    assert (row["version"], row["update_time"]) == (1, clock.at)
    assert len(await steps(database, order.sn)) == 1


async def test_a_repeat_is_answered_as_the_first_time(caller: Caller, database: Database, clock: FrozenClock) -> None:
    order = await add_order(database, trade_state=TradeState.WAIT_USE)
    first = await caller.check_in(order.sn, CODE)
    rows = await stored(database, ORDERS)
    for state in (TradeState.WAIT_USE, TradeState.USED):
        await change(database, order.sn, trade_state=state)
        clock.advance(timedelta(days=5))
        assert await caller.check_in(order.sn, CODE) == first
    assert [row | {"trade_state": TradeState.WAIT_USE} for row in await stored(database, ORDERS)] == rows


async def test_a_guest_who_is_let_in_at_several_doors_at_once_came_once(caller: Caller, database: Database) -> None:
    order = await add_order(database, trade_state=TradeState.WAIT_USE)
    assert len(set(await asyncio.gather(*(caller.check_in(order.sn, CODE) for _ in range(20))))) == 1
    (row,) = await stored(database, ORDERS, sn=order.sn)
    assert row["version"] == 1


@pytest.mark.parametrize(
    "code", ["", "8CHARS0O", "8chars00", "8CHARS00 ", "8CHARS0", "8CHARS000", "八位的代码不是它", "\0"]
)
async def test_another_code_opens_no_door(caller: Caller, database: Database, code: str) -> None:
    order = await add_order(database, trade_state=TradeState.WAIT_USE)
    assert await refused(caller.check_in(order.sn, code)) == invalid("tradeCode")
    assert await unchanged(database, order)


async def test_an_order_that_has_no_code_is_opened_by_none(caller: Caller, database: Database) -> None:
    order = await add_order(database, trade_state=TradeState.WAIT_USE, trade_code="")
    assert await refused(caller.check_in(order.sn, "")) == invalid("tradeCode")


@pytest.mark.parametrize("code", [CODE, "another0"])
@pytest.mark.parametrize("state", [TradeState.WAIT_PAY, TradeState.CANCELLED, TradeState.REFUNDED])
async def test_an_order_that_is_not_paid_is_refused_and_nothing_is_said_of_the_code(
    caller: Caller, database: Database, state: TradeState, code: str
) -> None:
    order = await add_order(database, trade_state=state)
    assert await refused(caller.check_in(order.sn, code)) == NOT_NOW
    assert await unchanged(database, order)


@pytest.mark.parametrize("state", [TradeState.USED, TradeState.EXPIRED])
async def test_a_stay_that_ended_without_its_guest_lets_nobody_in(
    caller: Caller, database: Database, state: TradeState
) -> None:
    order = await add_order(database, trade_state=state)
    assert await refused(caller.check_in(order.sn, CODE)) == NOT_NOW
    assert await unchanged(database, order)


@pytest.mark.parametrize("sn", ["", "none", "x" * 300, "hso20260520120000fir5t000", "\0"])
async def test_no_such_order(caller: Caller, database: Database, sn: str) -> None:
    await add_order(database, sn="HSO20260520120000FIR5T000", trade_state=TradeState.WAIT_USE)
    assert await refused(caller.check_in(sn, CODE)) == NOT_FOUND


@pytest.mark.parametrize(
    ("at", "open_"),
    [
        (ARRIVAL_BEGINS - MOMENT, False),
        (ARRIVAL_BEGINS, True),
        (LEAVING_ENDS - MOMENT, True),
        (LEAVING_ENDS, False),
    ],
)
async def test_the_door_is_open_from_the_day_of_arrival_to_the_day_of_leaving(
    caller: Caller, database: Database, clock: FrozenClock, at: datetime, *, open_: bool
) -> None:
    order = await add_order(database, trade_state=TradeState.WAIT_USE)
    assert (order.live_start_date, order.live_end_date) == (date(2026, 6, 1), date(2026, 6, 3))
    clock.at = at
    if open_:
        assert await caller.check_in(order.sn, CODE) == int(at.timestamp())
    else:
        assert await refused(caller.check_in(order.sn, CODE)) == invalid("")
        assert await unchanged(database, order)
