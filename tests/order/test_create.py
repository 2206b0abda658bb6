"""Placing an order."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from domain.database import Database
from domain.errors import (
    HomestayNotFound,
    HomestayOffShelf,
    InvalidInput,
    StayTooLong,
    TooManyGuests,
    UpstreamUnavailable,
)
from domain.money import MAX_FEN
from domain.order import numbers
from domain.order.service import Orders
from domain.order.states import SaleUnit, TradeState
from tests.clock import FrozenClock
from tests.conftest import NOW, PAY_WINDOW
from tests.factories import create_homestay, create_stay, create_stays
from tests.fakes import FakeTimer, FakeTravel
from tests.order.rows import EVENTS, GUEST, ORDERS, add_order, stored

TAKEN = "HSO20260520120000TAKENTAK"
FREE = "HSO20260520120000FREEFREE"


async def test_travel_is_asked_exactly_once(orders: Orders, travel: FakeTravel) -> None:
    await orders.create(GUEST, create_stay())
    assert travel.asked == [1]


async def test_an_order_waits_for_payment_and_its_timer_is_set(orders: Orders, timer: FakeTimer) -> None:
    order = (await orders.create(GUEST, create_stay(food=True))).order
    assert order.order_total_price == 71800
    assert order.trade_state is TradeState.WAIT_PAY
    assert await orders.find(GUEST, order.sn) == order
    assert timer.set == [(order.sn, 1200.0)]


async def test_an_order_closes_one_pay_window_after_it_was_placed(orders: Orders, clock: FrozenClock) -> None:
    clock.advance(timedelta(milliseconds=789))
    order = (await orders.create(GUEST, create_stay())).order
    assert order.create_time == NOW
    assert order.close_at == order.pay_before == clock.at + PAY_WINDOW
    assert order.sn.startswith("HSO20260520120000")


async def test_an_order_keeps_what_it_was_sold_as(orders: Orders, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=5, price=10_000, sale_unit=SaleUnit.PERSON, title="Loft", people_num=6))
    order = (
        await orders.create(GUEST, create_stay(homestay_id=5, guests=3, nights=2, food=True, remark="早点到 🏡"))
    ).order
    travel.offer(create_homestay(id=5, price=99_999, title="Loft, renovated", on_shelf=False))
    read = await orders.find(GUEST, order.sn)
    assert read is not None
    assert (read.title, read.homestay_price, read.row_type) == ("Loft", 10_000, SaleUnit.PERSON)
    assert (read.homestay_id, read.people_num, read.live_people_num, read.nights) == (5, 6, 3, 2)
    assert (read.homestay_total_price, read.food_total_price, read.order_total_price) == (60_000, 18_000, 78_000)
    assert read.remark == "早点到 🏡"


async def test_a_yes_or_no_is_read_as_one(orders: Orders) -> None:
    for food, stay in zip((True, False), create_stays(2), strict=True):
        order = (await orders.create(GUEST, replace(stay, food=food))).order
        read = await orders.find(GUEST, order.sn)
        assert read is not None
        assert read.need_food is food


async def test_the_largest_total_is_stored_to_the_fen(orders: Orders, travel: FakeTravel) -> None:
    travel.offer(create_homestay(id=5, price=MAX_FEN, market_price=MAX_FEN, food_price=0))
    order = (await orders.create(GUEST, create_stay(homestay_id=5, nights=1))).order
    read = await orders.find(GUEST, order.sn)
    assert read is not None
    assert (read.order_total_price, read.market_homestay_price) == (MAX_FEN, MAX_FEN)


async def test_what_travel_says_at_greater_length_is_cut_to_fit(
    orders: Orders, travel: FakeTravel, database: Database
) -> None:
    travel.offer(
        create_homestay(
            id=5,
            title="客" * 33,
            sub_title="栈" * 129,
            info="🏡" * 5000,
            food_info="🍲" * 2048,
            banner=("https://example.com/" + "x" * 1005, "https://example.com/short.jpg"),
        )
    )
    order = (await orders.create(GUEST, create_stay(homestay_id=5))).order
    assert (order.title, order.sub_title) == ("客" * 32, "栈" * 128)
    assert (order.info, order.food_info) == ("🏡" * 4069, "🍲" * 1024)
    assert order.cover == ""
    (row,) = await stored(database, ORDERS)
    assert (row["title"], row["info"], row["food_info"]) == (order.title, order.info, order.food_info)


@pytest.mark.parametrize("cover", ["https://example.com/" + "x" * 1004, ""])
async def test_a_cover_that_fits_is_kept_whole(orders: Orders, travel: FakeTravel, cover: str) -> None:
    travel.offer(create_homestay(id=5, banner=(cover,) if cover else ()))
    order = (await orders.create(GUEST, create_stay(homestay_id=5))).order
    assert order.cover == cover
    assert await orders.find(GUEST, order.sn) == order


async def test_what_is_refused_leaves_nothing_behind(
    orders: Orders, travel: FakeTravel, timer: FakeTimer, database: Database
) -> None:
    travel.offer(create_homestay(id=3, on_shelf=False))
    for stay, refusal, field in (
        (create_stay(homestay_id=404), HomestayNotFound, "homestayId"),
        (create_stay(homestay_id=3), HomestayOffShelf, "homestayId"),
        (create_stay(guests=5), TooManyGuests, "livePeopleNum"),
        (create_stay(guests=2**31), TooManyGuests, "livePeopleNum"),
        (create_stay(guests=0), InvalidInput, "livePeopleNum"),
        (create_stay(guests=-5), InvalidInput, "livePeopleNum"),
        (create_stay(nights=0), InvalidInput, "liveEndDate"),
        (create_stay(nights=91), StayTooLong, "liveEndDate"),
        (create_stay(remark="x" * 65), InvalidInput, "remark"),
        (create_stay(remark="\0"), InvalidInput, "remark"),
    ):
        with pytest.raises(refusal) as ordered:
            await orders.create(GUEST, stay)
        with pytest.raises(refusal) as quoted:
            await orders.quote(stay)
        assert ordered.value.field == quoted.value.field == (field,), stay
    assert await stored(database, ORDERS) == []
    assert await stored(database, EVENTS) == []
    assert timer.set == []


async def test_nothing_is_sold_while_travel_cant_be_asked(
    orders: Orders, travel: FakeTravel, timer: FakeTimer, database: Database
) -> None:
    travel.down = True
    with pytest.raises(UpstreamUnavailable):
        await orders.create(GUEST, create_stay())
    assert await stored(database, ORDERS) == []
    assert timer.set == []


async def test_an_sn_that_is_taken_is_drawn_again(
    orders: Orders, database: Database, timer: FakeTimer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await add_order(database, sn=TAKEN, user_id=8)
    drawn = iter([TAKEN, TAKEN, FREE])
    monkeypatch.setattr(numbers, "order_sn", lambda *_: next(drawn))
    order = (await orders.create(GUEST, create_stay())).order
    assert order.sn == FREE
    assert await orders.find(8, TAKEN) == before
    assert [row["sn"] for row in await stored(database, ORDERS)] == [TAKEN, FREE]
    assert [event["order_sn"] for event in await stored(database, EVENTS)] == [TAKEN, FREE]
    assert timer.set == [(FREE, 1200.0)]


async def test_a_source_that_draws_only_what_is_taken_is_given_up(
    orders: Orders, database: Database, timer: FakeTimer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_order(database, sn=TAKEN)
    monkeypatch.setattr(numbers, "order_sn", lambda *_: TAKEN)
    with pytest.raises(IntegrityError):
        await orders.create(GUEST, create_stay())
    assert len(await stored(database, ORDERS)) == len(await stored(database, EVENTS)) == 1
    assert timer.set == []
