"""What becomes of a paid order when its stay is over."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from domain.database import Database
from domain.errors import InvalidInput, InvalidTransition
from domain.order.models import Order
from domain.order.room import OrderRoom
from domain.order.states import PaymentStatus, TradeState
from domain.order.stays import Ended, Stays
from domain.order.transitions import Transitions
from domain.order.watches import LocalChanges
from tests.clock import FrozenClock
from tests.conftest import NOW
from tests.factories import create_stays
from tests.fakes import FakePayments
from tests.order.rows import ORDERS, add_order, add_rows, create_row, steps, stored

WAIT_USE, USED, EXPIRED = TradeState.WAIT_USE, TradeState.USED, TradeState.EXPIRED
# The stay of the rows leaves on 3 June, which is over in Shanghai at 16:00 UTC.
OVER: Final = datetime(2026, 6, 3, 16, tzinfo=UTC)
MOMENT: Final = timedelta(milliseconds=1)


async def state(database: Database, order: Order) -> TradeState:
    (row,) = await stored(database, ORDERS, sn=order.sn)
    return TradeState(row["trade_state"])


async def test_a_life_from_the_order_to_the_end_of_the_stay(
    room: OrderRoom, database: Database, clock: FrozenClock, payments: FakePayments
) -> None:
    came, stayed_away = [(await room.orders.create(7, stay)).order for stay in create_stays(2)]
    for order in (came, stayed_away):
        payments.pay(order.sn, order.order_total_price, PaymentStatus.SUCCESS)
        await room.settling.settle(order.sn)
    clock.at = datetime(2026, 6, 1, 7, tzinfo=UTC)
    await room.stays.check_in(came.sn, came.trade_code)
    assert await room.stays.end_stays() == Ended()
    clock.at = OVER + timedelta(days=40)
    assert await room.stays.end_stays() == Ended(used=1, expired=1)
    paid = [(None, TradeState.WAIT_PAY, None), (TradeState.WAIT_PAY, WAIT_USE, None)]
    assert await steps(database, came.sn) == [*paid, (WAIT_USE, USED, None)]
    assert await steps(database, stayed_away.sn) == [*paid, (WAIT_USE, EXPIRED, None)]


async def test_a_stay_ends_when_its_day_of_leaving_is_over_and_not_before(
    stays: Stays, database: Database, clock: FrozenClock
) -> None:
    came = await add_order(database, trade_state=WAIT_USE, checked_in_at=NOW)
    stayed_away = await add_order(database, trade_state=WAIT_USE)
    clock.at = OVER - MOMENT
    assert await stays.end_stays() == Ended()
    clock.at = OVER
    assert await stays.end_stays() == Ended(used=1, expired=1)
    assert (await state(database, came), await state(database, stayed_away)) == (USED, EXPIRED)


@pytest.mark.parametrize(
    ("zone", "over"),
    [
        ("Asia/Shanghai", OVER),
        ("UTC", datetime(2026, 6, 4, tzinfo=UTC)),
        ("America/New_York", datetime(2026, 6, 4, 4, tzinfo=UTC)),
        ("Pacific/Kiritimati", datetime(2026, 6, 3, 10, tzinfo=UTC)),
    ],
)
async def test_the_day_is_the_one_where_the_homestay_stands(
    database: Database, clock: FrozenClock, zone: str, over: datetime
) -> None:
    stays = Stays(database, clock, ZoneInfo(zone), Transitions(database, clock, LocalChanges()))
    await add_order(database, trade_state=WAIT_USE)
    clock.at = over - MOMENT
    assert await stays.end_stays() == Ended()
    clock.at = over
    assert await stays.end_stays() == Ended(expired=1)


async def test_only_paid_orders_have_a_stay_that_ends(stays: Stays, database: Database, clock: FrozenClock) -> None:
    for each in TradeState:
        await add_order(database, trade_state=each)
    clock.at = OVER
    assert await stays.end_stays() == Ended(expired=1)
    assert sorted(row["trade_state"] for row in await stored(database, ORDERS)) == sorted(
        EXPIRED if each is WAIT_USE else each for each in TradeState
    )


async def test_a_repeat_changes_nothing(stays: Stays, database: Database, clock: FrozenClock) -> None:
    await add_order(database, trade_state=WAIT_USE, checked_in_at=NOW)
    await add_order(database, trade_state=WAIT_USE)
    clock.at = OVER
    await stays.end_stays()
    before = await stored(database, ORDERS)
    clock.advance(timedelta(days=1))
    assert await stays.end_stays() == Ended()
    assert await stored(database, ORDERS) == before


async def test_it_goes_on_batch_after_batch(stays: Stays, database: Database, clock: FrozenClock) -> None:
    rows = [create_row(trade_state=WAIT_USE, checked_in_at=NOW if number % 3 else None) for number in range(100)]
    await add_rows(database, rows)
    clock.at = OVER
    assert await stays.end_stays(7) == Ended(used=66, expired=34)
    assert await stays.end_stays(7) == Ended()


async def test_two_that_end_stays_at_once_end_each_stay_once(
    stays: Stays, database: Database, clock: FrozenClock
) -> None:
    orders = [await add_order(database, trade_state=WAIT_USE) for _ in range(30)]
    clock.at = OVER
    ended = await asyncio.gather(*(stays.end_stays(8) for _ in range(4)))
    assert sum(each.expired for each in ended) == 30
    for order in orders:
        assert len(await steps(database, order.sn)) == 2


async def test_whoever_comes_in_the_last_moment_came_or_is_refused_and_never_both(
    stays: Stays, database: Database, clock: FrozenClock
) -> None:
    orders = [await add_order(database, trade_state=WAIT_USE) for _ in range(20)]
    late = FrozenClock(OVER)
    ending = Stays(database, late, ZoneInfo("Asia/Shanghai"), Transitions(database, late, LocalChanges()))
    clock.at = OVER - MOMENT
    came, _ = await asyncio.gather(
        asyncio.gather(*(stays.check_in(order.sn, "8CHARS00") for order in orders), return_exceptions=True),
        ending.end_stays(3),
    )
    await ending.end_stays()
    for order, answer in zip(orders, came, strict=True):
        if isinstance(answer, datetime):
            assert await state(database, order) is USED
        else:
            assert isinstance(answer, (InvalidTransition, InvalidInput))
            assert await state(database, order) is EXPIRED


async def test_a_back_end_service_may_still_say_that_a_stay_was_used(
    room: OrderRoom, database: Database, clock: FrozenClock
) -> None:
    order = await add_order(database, trade_state=WAIT_USE, live_end_date=date(2026, 6, 2))
    await room.closing.move(order.sn, USED)
    clock.at = OVER
    assert await room.stays.end_stays() == Ended()
    assert await state(database, order) is USED
