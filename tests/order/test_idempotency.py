"""The same key gives the same order, however often it comes, and a key that led to nothing stands for nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from domain.columns import table_of
from domain.database import Database
from domain.errors import (
    DatabaseBusy,
    DatesUnavailable,
    HomestayOffShelf,
    InvalidInput,
    InvalidTransition,
    KeyInProgress,
    KeyReused,
    NoConnectionFree,
)
from domain.order.idempotency import KEPT
from domain.order.models import IdempotencyKey
from domain.order.placing import Placed
from domain.order.pricing import PriceChanged
from domain.order.room import OrderRoom
from domain.order.service import Orders
from domain.order.states import CloseReason, PaymentStatus, TradeState
from tests.clock import FrozenClock
from tests.factories import SOON, create_homestay, create_stay, create_stays
from tests.fakes import FakePayments, FakeTimer, FakeTravel
from tests.order.rows import EVENTS, GUEST, ORDERS, PRICE, stored
from tests.order.tills import holders, mistakes, open_tills

KEYS = table_of(IdempotencyKey)
SOMEBODY = 8


@pytest.fixture
async def tills(database: Database, clock: FrozenClock, travel: FakeTravel) -> AsyncIterator[list[OrderRoom]]:
    async with open_tills(database, clock, travel, 4, max_unpaid=1) as tills:
        yield tills


async def test_one_key_that_comes_fifty_times_at_once_makes_one_order(
    database: Database, tills: list[OrderRoom]
) -> None:
    stay = create_stay()
    ends = await asyncio.gather(
        *(tills[number % 4].orders.create(GUEST, stay, key="tap") for number in range(50)), return_exceptions=True
    )
    kinds = Counter(end.replayed if isinstance(end, Placed) else type(end) for end in ends)
    assert kinds[False] == 1, ends
    assert kinds[True] + kinds[KeyInProgress] == 49, ends
    assert len({end.order.sn for end in ends if isinstance(end, Placed)}) == 1
    assert len(await stored(database, ORDERS)) == len(await stored(database, EVENTS)) == 1
    assert len(await holders(database)) == stay.nights
    assert await mistakes(database) == []
    assert [len(till.orders._timer.set) for till in tills] == [1] * 4  # type: ignore[attr-defined] # one for all tills


@pytest.mark.parametrize(
    ("found", "told"), [(NoConnectionFree("none"), NoConnectionFree), (DatabaseBusy("locked"), KeyInProgress)]
)
async def test_only_who_meets_others_at_the_database_may_have_met_their_own_key(
    orders: Orders, monkeypatch: pytest.MonkeyPatch, found: DatabaseBusy, told: type[Exception]
) -> None:
    async def busy(*_: object) -> None:
        raise found

    monkeypatch.setattr(Database, "write_together", busy)
    with pytest.raises(told) as failure:
        await orders.create(GUEST, create_stay(), key="tap")
    assert type(failure.value) is told


async def test_a_repeat_is_answered_with_the_order_as_it_is_now_and_asks_nobody(
    orders: Orders, travel: FakeTravel, timer: FakeTimer
) -> None:
    first = await orders.create(GUEST, create_stay(), key="tap")
    assert not first.replayed
    assert await orders.create(GUEST, create_stay(), key="tap") == Placed(first.order, replayed=True)
    await orders.cancel(GUEST, first.order.sn)
    travel.down = True
    again = await orders.create(GUEST, create_stay(), key="tap")
    assert (again.order.sn, again.order.trade_state) == (first.order.sn, TradeState.CANCELLED)
    assert travel.asked == [1]
    assert len(timer.set) == 1


async def test_a_key_that_stands_for_another_request_is_refused(orders: Orders, database: Database) -> None:
    stay = create_stay()
    sn = (await orders.create(GUEST, stay, expected_total=PRICE, key="tap")).order.sn
    later = create_stay(start=SOON + timedelta(days=10))
    for other, expected in ((later, PRICE), (create_stay(guests=1), PRICE), (stay, PRICE + 1), (stay, None)):
        with pytest.raises(KeyReused) as refused:
            await orders.create(GUEST, other, expected_total=expected, key="tap")
        assert refused.value.field == ("idempotencyKey",)
    with pytest.raises(KeyReused):
        await orders.cancel(GUEST, sn, key="tap")
    with pytest.raises(KeyReused):
        await orders.open_payment(GUEST, sn, key="tap")
    assert [row["sn"] for row in await stored(database, ORDERS)] == [sn]
    assert len(await stored(database, KEYS)) == 1


async def test_a_key_is_good_for_a_day(orders: Orders, clock: FrozenClock) -> None:
    first, stay = (await orders.create(GUEST, create_stay(), key="tap")).order, create_stay()
    await orders.cancel(GUEST, first.sn)
    clock.advance(KEPT)
    assert (await orders.create(GUEST, stay, key="tap")).order.sn == first.sn
    clock.advance(timedelta(milliseconds=1))
    second = await orders.create(GUEST, stay, key="tap")
    assert (second.replayed, second.order.sn == first.sn) == (False, False)
    clock.advance(KEPT)
    assert (await orders.create(GUEST, stay, key="tap")).order.sn == second.order.sn


async def test_a_key_that_is_too_old_may_stand_for_another_request(orders: Orders, clock: FrozenClock) -> None:
    first, second = create_stays(2)
    await orders.create(GUEST, first, key="tap")
    clock.advance(KEPT + timedelta(seconds=1))
    assert not (await orders.create(GUEST, second, key="tap")).replayed


async def test_guests_have_keys_of_their_own(orders: Orders) -> None:
    first, second = create_stays(2)
    mine = await orders.create(GUEST, first, key="tap")
    assert not (await orders.create(SOMEBODY, second, key="tap")).replayed
    with pytest.raises(DatesUnavailable):
        await orders.create(9, first, key="tap")
    assert (await orders.create(GUEST, first, key="tap")).order == mine.order


async def test_keys_that_a_collation_takes_for_one_are_different(orders: Orders) -> None:
    keys = ["Key", "key", "key ", " key", "kéy", "ke\u0301y", "κey", "key\u3000"]
    placed = [await orders.create(GUEST, stay, key=key) for stay, key in zip(create_stays(7), keys, strict=False)]
    assert len({each.order.sn for each in placed}) == 7
    assert not any(each.replayed for each in placed)


@pytest.mark.parametrize("key", ["", "x" * 65, "a\nb", "a\0b", "\u3000", "\ud800"])
async def test_what_is_no_key_is_refused(orders: Orders, database: Database, key: str) -> None:
    for refused in (
        orders.create(GUEST, create_stay(), key=key),
        orders.cancel(GUEST, "HSO20260520120000NOBODY00", key=key),
        orders.open_payment(GUEST, "HSO20260520120000NOBODY00", key=key),
    ):
        with pytest.raises(InvalidInput) as refusal:
            await refused
        assert refusal.value.field == ("idempotencyKey",)
    assert await stored(database, ORDERS) == []


async def test_a_key_has_up_to_64_characters_of_any_script(orders: Orders) -> None:
    for stay, key in zip(create_stays(2), ("x" * 64, "🏡" * 64), strict=True):
        assert not (await orders.create(GUEST, stay, key=key)).replayed
        assert (await orders.create(GUEST, stay, key=key)).replayed


async def test_a_refused_attempt_leaves_its_key_free(
    orders: Orders, travel: FakeTravel, database: Database, tills: list[OrderRoom]
) -> None:
    await orders.create(SOMEBODY, create_stay())
    with pytest.raises(DatesUnavailable):
        await orders.create(GUEST, create_stay(), key="tap")
    travel.offer(create_homestay(id=3, on_shelf=False))
    with pytest.raises(HomestayOffShelf):
        await orders.create(GUEST, create_stay(homestay_id=3), key="tap")
    travel.offer(create_homestay(id=4))
    with pytest.raises(PriceChanged):
        await orders.create(GUEST, create_stay(homestay_id=4), expected_total=1, key="tap")
    assert await stored(database, KEYS) == []
    placed = await tills[0].orders.create(GUEST, create_stay(homestay_id=4), key="tap")
    assert not placed.replayed
    # The last one that this guest may have: the repeat is still answered.
    assert (await tills[0].orders.create(GUEST, create_stay(homestay_id=4), key="tap")).order == placed.order


async def test_an_order_whose_answer_was_lost_is_found_by_its_key(
    room: OrderRoom, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(*arguments: Any) -> Placed:
        await place(*arguments)
        raise ConnectionResetError("the test says so")

    place = room.orders._placing.place
    with monkeypatch.context() as broken:
        broken.setattr(room.orders._placing, "place", lose)
        with pytest.raises(ConnectionResetError):
            await room.orders.create(GUEST, create_stay(), key="tap")
    (row,) = await stored(database, ORDERS)
    again = await room.orders.create(GUEST, create_stay(), key="tap")
    assert (again.replayed, again.order.sn) == (True, row["sn"])


async def test_a_caller_who_goes_away_finds_the_order_that_was_placed_or_places_it(
    orders: Orders, database: Database
) -> None:
    for number, stay in enumerate(create_stays(20)):
        call = asyncio.create_task(orders.create(GUEST, stay, key=f"tap {number}"))
        await asyncio.sleep(number / 2000)
        call.cancel()
        await asyncio.wait({call})
        await orders.create(GUEST, stay, key=f"tap {number}")
    assert len(await stored(database, ORDERS)) == 20
    assert await mistakes(database) == []


async def test_a_change_of_mind_has_a_key_too(orders: Orders, database: Database, payments: FakePayments) -> None:
    unwanted, wanted = [(await orders.create(GUEST, stay)).order for stay in create_stays(2)]
    first = await orders.cancel(GUEST, unwanted.sn, key="no")
    assert await orders.cancel(GUEST, unwanted.sn, key="no") == first
    assert first.close_reason is CloseReason.GUEST
    with pytest.raises(KeyReused):
        await orders.cancel(GUEST, wanted.sn, key="no")
    payments.pay(wanted.sn, wanted.order_total_price, PaymentStatus.SUCCESS)
    with pytest.raises(InvalidTransition):
        await orders.cancel(GUEST, wanted.sn, key="other")
    assert [row["order_sn"] for row in await stored(database, KEYS)] == [unwanted.sn]


@pytest.mark.parametrize("processes", [1, 2])
async def test_of_two_changes_of_mind_at_once_with_one_key_one_is_made(
    orders: Orders, database: Database, tills: list[OrderRoom], processes: int
) -> None:
    for number in range(10):
        sns = [(await orders.create(GUEST, stay)).order.sn for stay in create_stays(2)]
        ends = await asyncio.gather(
            *(tills[each % processes].orders.cancel(GUEST, sn, key=f"no {number}") for each, sn in enumerate(sns)),
            return_exceptions=True,
        )
        assert sorted(type(end).__name__ for end in ends) == ["KeyReused", "Order"]
        states = {row["sn"]: row["trade_state"] for row in await stored(database, ORDERS)}
        assert sorted(states[sn] for sn in sns) == [TradeState.CANCELLED, TradeState.WAIT_PAY]
        for sn in sns:
            if states[sn] is TradeState.WAIT_PAY:
                await orders.cancel(GUEST, sn)


async def test_a_change_of_mind_that_was_cut_off_is_made_by_its_repeat(
    room: OrderRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: object) -> bool:
        raise ConnectionResetError("the test says so")

    sn = (await room.orders.create(GUEST, create_stay())).order.sn
    with monkeypatch.context() as broken:
        broken.setattr(room.closing, "give_up", break_down)
        with pytest.raises(ConnectionResetError):
            await room.orders.cancel(GUEST, sn, key="no")
    assert (await room.orders.cancel(GUEST, sn, key="no")).trade_state is TradeState.CANCELLED


async def test_opening_a_payment_has_a_key_too_and_its_repeat_is_answered_also_when_the_order_has_closed(
    orders: Orders, payments: FakePayments
) -> None:
    sns = [(await orders.create(GUEST, stay)).order.sn for stay in create_stays(2)]
    payment, order = await orders.open_payment(GUEST, sns[0], key="pay")
    assert await orders.open_payment(GUEST, sns[0], key="pay") == (payment, order)
    assert len(payments.opened_with) == 1
    with pytest.raises(KeyReused):
        await orders.open_payment(GUEST, sns[1], key="pay")
    await orders.cancel(GUEST, sns[0])
    again, order = await orders.open_payment(GUEST, sns[0], key="pay")
    assert (again, order.trade_state) == (payment, TradeState.CANCELLED)


async def test_keys_that_are_kept_no_longer_are_purged(room: OrderRoom, database: Database, clock: FrozenClock) -> None:
    for stay, key in zip(create_stays(2), ("old", "new"), strict=True):
        await room.orders.create(GUEST, stay, key=key)
        clock.advance(timedelta(hours=13))
    assert await room.idempotency.purge() == 1
    assert (await room.orders.create(GUEST, create_stays(2)[1], key="new")).replayed
    assert len(await stored(database, KEYS)) == 1
