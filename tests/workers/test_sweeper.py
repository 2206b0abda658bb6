from datetime import timedelta

from domain.database import Database
from domain.order.closing import Closing
from domain.order.service import Orders
from domain.order.states import CloseReason, TradeState
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW
from tests.factories import create_stay
from workers.sweeper import Sweeper, Swept


def sweeper(closing: Closing) -> Sweeper:
    return Sweeper(closing, interval=5, grace=10)


async def test_it_closes_what_is_due_and_leaves_what_is_not(
    orders: Orders, closing: Closing, clock: FrozenClock
) -> None:
    early = await orders.create(7, create_stay())
    clock.advance(timedelta(minutes=10))
    late = await orders.create(7, create_stay())
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
    for _ in range(205):
        await orders.create(7, create_stay())
    clock.advance(PAY_WINDOW)
    assert (await sweeper(closing).sweep()).closed == 205


async def test_a_database_that_is_away_does_not_end_it(closing: Closing, database: Database) -> None:
    swept = Sweeper(closing, interval=0.01, grace=0)
    await database.engine.dispose()
    await swept.start()
    await swept.stop()
