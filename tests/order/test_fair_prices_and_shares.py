"""A guest pays what was shown, and holds no more unpaid orders than one may."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.database import Database
from domain.errors import RateLimited
from domain.order.placing import Placed
from domain.order.pricing import PriceChanged
from domain.order.room import OrderRoom
from domain.order.service import Orders
from domain.order.states import TradeState
from tests.clock import FrozenClock
from tests.conftest import PAY_WINDOW
from tests.factories import create_homestay, create_stay, create_stays
from tests.fakes import FakeTimer, FakeTravel
from tests.order.rows import GUEST, ORDERS, PRICE, add_order, stored
from tests.order.tills import holders, mistakes, open_tills

LIMIT = 5


@pytest.fixture
async def tills(database: Database, clock: FrozenClock, travel: FakeTravel) -> AsyncIterator[list[OrderRoom]]:
    async with open_tills(database, clock, travel, 4, max_unpaid=LIMIT) as tills:
        yield tills


async def test_the_price_that_was_shown_is_the_price_that_is_paid(
    orders: Orders, travel: FakeTravel, database: Database, timer: FakeTimer
) -> None:
    travel.offer(create_homestay(id=1, price=30_000))
    with pytest.raises(PriceChanged) as refused:
        await orders.create(GUEST, create_stay(), expected_total=PRICE)
    assert refused.value.field == ("expectedTotalMinor",)
    assert refused.value.offer == await orders.quote(create_stay())
    assert refused.value.offer.price.total == 60_000
    assert await stored(database, ORDERS) == []
    assert await holders(database) == {}
    assert timer.set == []
    placed = await orders.create(GUEST, create_stay(), expected_total=60_000)
    assert placed.order.order_total_price == 60_000


async def test_of_twenty_orders_at_once_a_guest_gets_as_many_as_may_wait_for_payment(
    database: Database, tills: list[OrderRoom]
) -> None:
    stays = create_stays(40)
    for guest, wanted in ((GUEST, stays[:20]), (8, stays[20:])):
        ends = await asyncio.gather(
            *(tills[number % 4].orders.create(guest, stay) for number, stay in enumerate(wanted)),
            return_exceptions=True,
        )
        refusals = [end for end in ends if isinstance(end, RateLimited)]
        assert len([end for end in ends if isinstance(end, Placed)]) == LIMIT, ends
        assert len(refusals) == 20 - LIMIT, ends
        assert {refusal.retry_after for refusal in refusals} == {1200}
        assert len(await stored(database, ORDERS, user_id=guest)) == LIMIT
    assert await mistakes(database) == []


async def test_a_guest_is_told_when_the_first_of_the_unpaid_closes(tills: list[OrderRoom], clock: FrozenClock) -> None:
    orders, stays = tills[0].orders, create_stays(LIMIT + 1)
    for stay in stays[:LIMIT]:
        await orders.create(GUEST, stay)
        clock.advance(timedelta(seconds=10))

    async def wait() -> int:
        with pytest.raises(RateLimited) as refused:
            await orders.create(GUEST, stays[LIMIT])
        assert "5 orders" in refused.value.message
        return refused.value.retry_after

    assert await wait() == 1150
    clock.advance(timedelta(milliseconds=1))
    assert await wait() == 1150
    clock.advance(PAY_WINDOW - timedelta(seconds=50, milliseconds=2))
    assert await wait() == 1
    # Overdue, and not closed yet: any moment now.
    clock.advance(timedelta(seconds=5))
    assert await wait() == 1


@pytest.mark.parametrize("end", ["paid", "given up", "closed"])
async def test_an_order_that_waits_no_more_makes_room_for_another(
    tills: list[OrderRoom], clock: FrozenClock, end: str
) -> None:
    room, stays = tills[0], create_stays(LIMIT + 1)
    sns = [(await room.orders.create(GUEST, stay)).order.sn for stay in stays[:LIMIT]]
    with pytest.raises(RateLimited):
        await room.orders.create(GUEST, stays[LIMIT])
    if end == "paid":
        assert await room.transitions.move(sns[0], current=TradeState.WAIT_PAY, to=TradeState.WAIT_USE)
    elif end == "given up":
        await room.orders.cancel(GUEST, sns[0])
    else:
        clock.advance(PAY_WINDOW)
        await room.closing.close_if_unpaid(sns[0])
    await room.orders.create(GUEST, stays[LIMIT])
    with pytest.raises(RateLimited):
        await room.orders.create(GUEST, create_stay(nights=1))


async def test_orders_of_the_existing_system_count_among_the_unpaid(database: Database, tills: list[OrderRoom]) -> None:
    for _ in range(LIMIT):
        await add_order(database, close_at=None)
    with pytest.raises(RateLimited) as refused:
        await tills[0].orders.create(GUEST, create_stay())
    assert refused.value.retry_after == 1200
    assert not (await tills[0].orders.create(8, create_stay())).replayed
